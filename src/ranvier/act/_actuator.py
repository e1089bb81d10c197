"""Actuator: a device that carries out what a guard approved, and never keeps the loop waiting."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, final

from ranvier.act._command import Approved, need_approved
from ranvier.act._guard import Limits
from ranvier.errors import StateError
from ranvier.stream import Channels, Device

if TYPE_CHECKING:
    from typing import Self


class Actuator(Device):
    """A device that acts on the world.

    Who writes one makes a dataclass of plain parameters, says its `scheme`, and writes `_open`, `_start`, `_stop`,
    which reaches the safe state, `_close`, and `_send`, which must return at once. `ranvier.testing.check_actuator`
    checks it.

    Attributes
    ----------
    scheme
        What it is called in ``scheme:where?key=value``.
    sent, dropped
        Commands handed on, and commands that there was no room for; since it was made.
    """

    scheme: ClassVar[str] = ""

    sent: int
    dropped: int

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls, *args, **kwargs)
        self.sent = self.dropped = 0
        return self

    @property
    def limits(self) -> tuple[Limits, ...]:
        """What it can take; a session's guard keeps them too (`Guard.within`)."""
        return ()

    @property
    def safe(self) -> bool:
        """Whether it does not run; its safe state is reached when `stop` has returned."""
        return self._phase != "running"

    def check(self, channels: Channels) -> None:
        """Refuse, before anything runs, commands whose names and units it cannot take."""

    @final
    def send(self, approved: Approved) -> bool:
        """Hand a command on, without waiting; return whether there was room for it.

        Raises
        ------
        SafetyError
            For anything that no guard approved.
        StateError
            Where it is not running.
        DeviceError
            Where it is known to be gone.
        """
        need_approved(self, approved)
        if self._phase != "running":
            raise StateError(f"{type(self).__name__}.send needs an actuator that runs; it is {self._phase}. Start it.")
        # A verb at work (a stop in another thread) has the last word: nothing may follow the safe state.
        if not self._changing.acquire(blocking=False):
            self.dropped += 1
            return False
        try:
            taken = self._send(approved) if self._phase == "running" else False
        finally:
            self._changing.release()
        if taken:
            self.sent += 1
        else:
            self.dropped += 1
        return taken

    @abc.abstractmethod
    def _send(self, approved: Approved) -> bool:
        """Hand a command on at once; say whether there was room for it."""
