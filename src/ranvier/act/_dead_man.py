"""DeadMan: what stands between arriving commands and the actuator, in the process that owns it."""

from __future__ import annotations

from math import inf
from typing import Any

from ranvier.act._actuator import Actuator
from ranvier.act._command import Command, Refused
from ranvier.act._guard import Guard
from ranvier.errors import ConfigError
from ranvier.stream import HostClock

LONGEST = 3600.0  # silence that makes sense [s]


def need_silence(who: Any, silence: float) -> None:
    """Refuse a silence that is none."""
    if not 0 < silence <= LONGEST:
        raise ConfigError(
            f"{type(who).__name__} needs 0 < silence <= {LONGEST:g} s; got {silence:g} s. Take three times what lies "
            "between two commands."
        )


class DeadMan:
    """Sends on what its guard approves; silence brings the actuator to its safe state. It has no clock of its own.

    Parameters
    ----------
    actuator
        An open one. It is started by the first command, and stopped, which is its safe state, by silence.
    silence
        Time without an approved command after which it is stopped [s].
    latch
        Whether it stays stopped until `reset`; else the next approved command starts it again.
    guard
        Approves what arrives.
    clock
        For the actuator.
    """

    def __init__(self, actuator: Actuator, silence: float, latch: bool, guard: Guard, clock: HostClock) -> None:
        self.actuator, self.guard, self.clock = actuator, guard, clock
        self.silence, self.latch = round(silence * 1e9), latch
        self.trips = 0
        self._last = 0

    @property
    def safe(self) -> bool:
        return self.actuator.safe

    def wait(self, now: int) -> float:
        """Return for how long nothing needs to be done unless something arrives [s]."""
        return inf if self.safe else max(0.0, (self._last + self.silence - now) * 1e-9)

    def take(self, command: Command, now: int) -> Refused | None:
        """Send a command on, or return why not."""
        self.tick(now)
        approved = self.guard.approve(command, now)
        if isinstance(approved, Refused):
            return approved
        self._last = now
        if self.actuator.phase == "open":
            self.actuator.start(self.clock)
        self.actuator.send(approved)
        return None

    def tick(self, now: int) -> None:
        """Reach the safe state where the silence was too long."""
        if not self.safe and now - self._last >= self.silence:
            self.trips += 1
            self.stop()
            if not self.latch:
                self.guard.reset()

    def stop(self) -> None:
        """Reach the safe state and stay there until `reset`."""
        self.guard.stop()
        self.actuator.stop()

    def reset(self) -> None:
        """Take commands again."""
        self.guard.reset()

    def counts(self) -> dict[str, int]:
        """Return what happened so far."""
        refused = {f"refused_{reason}": n for reason, n in self.guard.refused.items() if n}
        return {"sent": self.actuator.sent, "dropped": self.actuator.dropped, "trips": self.trips, **refused}
