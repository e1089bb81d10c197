"""The fixed pool of threads that help a loop: they wait inside compiled code for a while, then sleep."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

PATIENCE = 2000  # looks at the ticket before a thread goes to sleep: some 50 us


class Helpers:
    """Threads that run ``helper`` on tables of their own.

    Parameters
    ----------
    helper
        Compiled: takes jobs from the ticket that a table names, and returns when none came for a while.
    tables
        Address of the table of each thread.
    memory
        What the addresses point to; kept while a thread runs.
    """

    def __init__(self, helper: Callable[[int, int], None], tables: Sequence[int], memory: Any) -> None:
        self.asleep = bytearray(len(tables))
        self._beds = [threading.Lock() for _ in tables]
        over = threading.Event()
        self._threads = [
            threading.Thread(
                target=_help,
                args=(helper, t, self.asleep, i, bed, over, memory),
                name=f"ranvier-helper-{i}",
                daemon=True,
            )
            for i, (t, bed) in enumerate(zip(tables, self._beds, strict=True))
        ]
        for bed in self._beds:
            bed.acquire()
        for thread in self._threads:
            thread.start()
        self.stop = weakref.finalize(self, _stop, over, self._beds)

    def wake(self) -> None:
        """Wake those who sleep; it waits for nobody."""
        if any(self.asleep):
            for i, bed in enumerate(self._beds):
                if self.asleep[i]:
                    self.asleep[i] = 0
                    if bed.locked():
                        bed.release()


def _help(
    helper: Callable[[int, int], None], table: int, asleep: bytearray, i: int, bed: threading.Lock,
    over: threading.Event, memory: Any,
) -> None:  # fmt: skip
    while not over.is_set():
        helper(table, PATIENCE)
        asleep[i] = 1
        helper(table, 0)  # a block that came meanwhile
        bed.acquire()
    del memory


def _stop(over: threading.Event, beds: Sequence[threading.Lock]) -> None:
    over.set()
    for bed in beds:
        if bed.locked():
            bed.release()
