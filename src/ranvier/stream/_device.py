"""Device: what is opened, started, stopped and closed, and may be stopped at any time."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from ranvier.errors import DeviceError, RanvierError, StateError

if TYPE_CHECKING:
    from typing import Self

HostClock = Callable[[], int]  # host time [ns]; time.monotonic_ns, or a virtual one in tests
Phase = Literal["closed", "open", "running"]


@contextmanager
def _told(device: Device, done: str, hint: str = "") -> Iterator[None]:
    """Say which device it was, whatever its driver raises."""
    try:
        yield
    except RanvierError:
        raise
    except Exception as e:
        raise DeviceError(
            f"{type(device).__name__} cannot be {done}: {type(e).__name__}: {e}. {hint}Look at the device."
        ) from e


class Device(abc.ABC):
    """A device and its life: closed, open, running, open, closed; the verbs are here, what they do is written below.

    Who writes a device writes `_open`, `_start`, `_stop`, `_close`; each is called in the right phase only, and one at
    a time. `_stop` reaches the safe state; it is also called where `_start` failed half-way.

    Notes
    -----
    `stop` and `close` are safe to call from any thread, in any phase and any number of times. `open` and `start` in the
    wrong phase raise StateError. A closed device may be opened again. As a context it is open and running.
    """

    _phase: Phase = "closed"
    _clock: HostClock = staticmethod(time.monotonic_ns)
    _changing: RLock  # held while a verb is at work

    @property
    def phase(self) -> Phase:
        """Where in its life it is."""
        return self._phase

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self._changing = RLock()
        return self

    def open(self) -> None:
        """Reach the device and learn what it is; nothing flows yet."""
        with self._changing:
            self._need("open", "closed")
            try:
                with _told(self, "opened"):
                    self._open()
            except BaseException:
                self._close()
                raise
            self._phase = "open"

    def start(self, clock: HostClock = time.monotonic_ns) -> None:
        """Let it work.

        Parameters
        ----------
        clock
            Host time [ns] for what is stamped.
        """
        with self._changing:
            self._need("start", "open")
            self._clock = clock
            try:
                with _told(self, "started"):
                    self._start()
            except BaseException:
                self._stop()
                raise
            self._phase = "running"

    def stop(self) -> None:
        """Reach the safe state; always safe to call."""
        with self._changing:
            if self._phase == "running":
                self._phase = "open"
                with _told(self, "stopped", "It may not be in its safe state. "):
                    self._stop()

    def close(self) -> None:
        """Stop and let go of it; always safe to call."""
        with self._changing:
            try:
                self.stop()
            finally:
                if self._phase == "open":
                    self._phase = "closed"
                    with _told(self, "closed"):
                        self._close()

    def __enter__(self) -> Self:
        self.open()
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _need(self, verb: str, phase: Phase) -> None:
        if self._phase != phase:
            raise StateError(
                f"{type(self).__name__}.{verb} needs a device that is {phase}; it is {self._phase}. The order is open, "
                "start, stop, close."
            )

    @abc.abstractmethod
    def _open(self) -> None:
        """Reach the device; clean-up after a failure is done by `_close`."""

    @abc.abstractmethod
    def _start(self) -> None:
        """Let it work."""

    @abc.abstractmethod
    def _stop(self) -> None:
        """Reach the safe state; raise nothing where the device is gone."""

    @abc.abstractmethod
    def _close(self) -> None:
        """Let go of everything; raise nothing; also after a half-done `_open`."""
