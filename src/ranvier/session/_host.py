"""What a session asks of the machine it runs on: priority, a core of its own, and no garbage collection meanwhile."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ranvier.errors import ConfigError

FIFO = 10  # priority asked for, of 1 to 99: above every ordinary thread, below what the kernel itself needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What to ask for; what is not permitted is reported, and the session goes on without it.

    Parameters
    ----------
    realtime
        Whether the session's threads ask for a fixed real-time priority (SCHED_FIFO, Linux).
    core
        The core that the loop's thread asks to stay on; None for any.
    spin
        How long before the next block is due the loop is awake and looks for it [s]; 0: it sleeps until it is woken.
        50e-6 saves some 30 us of waking up, for a twentieth of a core where blocks come every millisecond.
    """

    realtime: bool = False
    core: int | None = None
    spin: float = 0.0

    def __post_init__(self) -> None:
        if self.core is not None and not 0 <= self.core < (os.cpu_count() or 1):
            raise ConfigError(
                f"host.core needs 0 to {(os.cpu_count() or 1) - 1}; got {self.core}. Name a core there is."
            )


@contextmanager
def undisturbed(host: Host, begin: Callable[[], None] = lambda: None) -> Iterator[dict[str, Any]]:
    """Ask for what `host` says; yield what was granted; give it back at the end.

    Parameters
    ----------
    host
        What to ask for.
    begin
        Starts the threads that shall have the priority, too; called when garbage was collected for the last time.
    """
    granted: dict[str, Any] = {"realtime": False, "core": None}
    before = None
    linux = hasattr(os, "sched_setaffinity")
    if host.core is not None and linux:
        with suppress(OSError):
            before = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {host.core})
            granted["core"] = host.core
    collecting, switch = gc.isenabled(), sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(0.0005)  # s: another thread that computes gives the interpreter back ten times sooner
    raised: list[int] = []
    try:
        begin()
        raised = _raise() if host.realtime else []
        granted["realtime"] = bool(raised)
        yield granted
    finally:
        sys.setswitchinterval(switch)
        gc.unfreeze()
        if collecting:
            gc.enable()
        for thread in raised:
            with suppress(OSError):
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        if before is not None:
            os.sched_setaffinity(0, before)


def _raise() -> list[int]:
    """Give every thread of this process a fixed priority, as far as permitted: they share Python's lock.

    A thread that waits for the lock waits for whoever holds it; so one of low priority would hold up the loop.
    """
    raised: list[int] = []
    if hasattr(os, "sched_setscheduler"):
        policy = os.SCHED_FIFO | getattr(os, "SCHED_RESET_ON_FORK", 0)
        for thread in threading.enumerate():
            with suppress(OSError):
                os.sched_setscheduler(thread.native_id or 0, policy, os.sched_param(FIFO))
                raised.append(thread.native_id or 0)
    return raised


class Spare:
    """Collects garbage while there is nothing else to do: young objects only, at most once in a while.

    Parameters
    ----------
    every
        How long between two collections [s].
    """

    def __init__(self, every: float = 1.0) -> None:
        self._every = round(every * 1e9)
        self._last = time.monotonic_ns()

    def use(self, now: int) -> None:
        """Collect, if it is time."""
        if now - self._last > self._every:
            self._last = now
            gc.collect(0)
