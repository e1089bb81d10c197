"""Queued: an actuator whose slow writes are done by a thread of its own."""

from __future__ import annotations

import abc
from collections import deque
from threading import Event, Thread
from typing import Any, ClassVar

from ranvier.act._actuator import Actuator
from ranvier.act._command import Approved
from ranvier.errors import DeviceError


class Queued(Actuator):
    """An actuator that may take its time: the newest commands wait for its thread, in bounded room.

    Who writes one writes `_write` and `_write_safe`, both called by one thread. Commands that have expired when their
    turn comes, or that wait when it is stopped, are left out. What either raises ends the thread, and is raised by the
    next `send`.
    """

    ROOM: ClassVar[int] = 16  # commands that may wait; of more, the oldest are dropped
    PATIENCE: ClassVar[float] = 2.0  # that `stop` gives a write that hangs, at most [s]

    _thread: Thread | None = None
    _failed: Exception | None = None

    def _start(self) -> None:
        self._failed = None
        self._waiting: deque[Approved] = deque()
        self._wake, self._ending = Event(), Event()
        self._thread = Thread(target=self._work, args=(self._waiting, self._wake, self._ending), daemon=True)
        self._thread.start()

    def _send(self, approved: Approved) -> bool:
        if self._failed is not None:
            raise DeviceError(
                f"{type(self).__name__} could not carry out a command: {self._failed}. Look at it, then open it afresh."
            ) from self._failed
        waiting = self._waiting
        waiting.append(approved)
        while len(waiting) > self.ROOM:
            self._drop(waiting)
        self._wake.set()
        return True

    def _drop(self, waiting: deque[Approved]) -> None:
        try:
            waiting.popleft()
        except IndexError:  # the thread took it meanwhile
            return
        self.sent -= 1
        self.dropped += 1

    def _work(self, waiting: deque[Approved], wake: Event, ending: Event) -> None:
        try:
            while not ending.is_set():
                wake.wait()
                wake.clear()
                while waiting and not ending.is_set():
                    self._write_one(waiting.popleft())
        except Exception as e:
            self._failed = e
        try:
            self._write_safe()
        except Exception as e:
            self._failed = self._failed or e

    def _write_one(self, approved: Approved) -> None:
        if self._clock() < approved.command.expires:
            self._write(approved)

    def _stop(self) -> None:
        if self._thread is not None:
            self._ending.set()
            self._wake.set()
            self._thread.join(self.PATIENCE)
            self._thread = None

    @abc.abstractmethod
    def _write(self, approved: Approved) -> Any:
        """Carry a command out; may take its time, but not for ever."""

    @abc.abstractmethod
    def _write_safe(self) -> Any:
        """Reach the safe state."""
