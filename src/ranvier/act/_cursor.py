"""Cursor: a point that is moved by velocities, for a screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from ranvier.act._actuator import Actuator
from ranvier.act._command import Approved
from ranvier.errors import ConfigError, ContractError
from ranvier.stream import Channels


class Move(NamedTuple):
    """Where a cursor is at an instant, and how it moves from there."""

    position: tuple[float, ...]
    velocity: tuple[float, ...]
    at: int  # host time [ns]
    until: int  # the command's expiry: nothing moves after it [ns]


@dataclass(eq=False)
class Cursor(Actuator):
    """Integrate velocities to a position in a box.

    Parameters
    ----------
    low, high
        Corners of the box, one number an axis [the unit of the velocities, times s].
    velocities
        Names of the values that move it, one an axis.

    Notes
    -----
    It starts in the middle of the box. Between commands it goes on as the last one says, until that expires, and stops
    at the walls. Safe is a cursor that stands still. `position` may be asked from any thread.
    """

    scheme: ClassVar[str] = "cursor"

    low: tuple[float, ...] = (-1.0, -1.0)
    high: tuple[float, ...] = (1.0, 1.0)
    velocities: tuple[str, ...] = ("vx", "vy")

    def __post_init__(self) -> None:
        n = len(self.velocities)
        box = list(zip(self.low, self.high, strict=False))
        if not n or len(self.low) != n or len(self.high) != n or not all(a < b for a, b in box):
            raise ConfigError(
                f"Cursor needs low < high for each of {n} velocities, at least one; got {self.low} and {self.high}. "
                "Write one number an axis."
            )
        middle, still = tuple((a + b) / 2 for a, b in box), (0.0,) * n
        self._move = Move(middle, still, 0, 0)

    def check(self, channels: Channels) -> None:
        missing = [name for name in self.velocities if name not in channels.names]
        if missing:
            raise ContractError(
                f"Cursor needs a velocity {missing[0]!r}; got {', '.join(channels.names)}. Mend velocities, or Map."
            )

    def position(self, now: int | None = None) -> tuple[float, ...]:
        """Return where it is at host time `now` [ns]; now unless given."""
        return self._position(self._move, self._clock() if now is None else now)

    def _position(self, move: Move, now: int) -> tuple[float, ...]:
        dt = max(0, min(now, move.until) - move.at) * 1e-9
        return tuple(
            min(max(x + v * dt, a), b)
            for x, v, a, b in zip(move.position, move.velocity, self.low, self.high, strict=True)
        )

    def _open(self) -> None:
        """Nothing to reach."""

    def _start(self) -> None:
        """It stands still until the first command."""

    def _send(self, approved: Approved) -> bool:
        values = dict(zip(approved.command.names, approved.given, strict=True))
        velocity = tuple(values[name] for name in self.velocities)
        where = self._position(self._move, approved.at)
        self._move = Move(where, velocity, approved.at, approved.command.expires)
        return True

    def _stop(self) -> None:
        now = self._clock()
        self._move = Move(self._position(self._move, now), (0.0,) * len(self.velocities), now, now)

    def _close(self) -> None:
        """Nothing to let go of."""
