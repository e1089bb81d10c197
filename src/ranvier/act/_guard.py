"""Guard and Limits: no command acts that a guard has not approved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf, isfinite, nan
from typing import Literal, final

from ranvier.act._command import REASONS, Approved, Command, Refused, _approve
from ranvier.errors import ConfigError, ContractError
from ranvier.stream import Channels


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one value of a command may be, and how fast it may change.

    Parameters
    ----------
    name, unit
        The value; a command that lacks it, or has it in another unit, is refused.
    low, high
        Least and largest value [unit].
    rate
        Largest change against the last approved value [unit/s]. The first command after a start is not limited by it.
    beyond
        ``refuse`` the command, or ``clamp`` the value to the nearest that is allowed; both are recorded, as wanted
        and given.
    """

    name: str
    unit: str
    low: float = -inf
    high: float = inf
    rate: float = inf
    beyond: Literal["refuse", "clamp"] = "refuse"

    def __post_init__(self) -> None:
        for name in ("low", "high", "rate"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if not self.low <= self.high:
            raise ConfigError(
                f"Limits of {self.name!r} need low <= high; got low={self.low:g}, high={self.high:g} {self.unit}. "
                "Swap them."
            )
        if not self.rate > 0:
            raise ConfigError(
                f"Limits of {self.name!r} need rate > 0; got {self.rate:g} {self.unit}/s. Leave it out for no limit."
            )
        if self.beyond not in ("refuse", "clamp"):
            raise ConfigError(
                f"Limits of {self.name!r} need beyond 'refuse' or 'clamp'; got {self.beyond!r}. Choose one."
            )

    def within(self, other: Limits) -> Limits:
        """Return the narrower of two limits of one value; it clamps only where both do."""
        if self.unit != other.unit:
            raise ContractError(
                f"Limits of {self.name!r} need one unit; got {self.unit!r} and {other.unit!r}. Write both in one."
            )
        both = self.beyond == other.beyond == "clamp"
        return replace(
            self, low=max(self.low, other.low), high=min(self.high, other.high), rate=min(self.rate, other.rate),
            beyond="clamp" if both else "refuse",
        )  # fmt: skip


Last = tuple[tuple[float, ...], int]  # values given, and when [ns]


@final
class Guard:
    """Approves commands, or refuses them and says why; it has no clock and knows nothing but what it is given.

    Parameters
    ----------
    *limits
        Of values, each named once; what has none may be any finite number.
    max_age
        Largest age of a command's newest sample when it is approved [s].
    min_confidence
        Least confidence; a command that does not say how sure it is is refused. None for any.

    Notes
    -----
    Refused whatever the limits: numbers that are not finite, expired commands, a sequence that does not grow, host
    time that goes back, and everything after `stop` until `reset`. The same commands at the same times give the same
    answers.

    Examples
    --------
    >>> guard = Guard(Limits(name="vx", unit="cm/s", low=-5, high=5, beyond="clamp"), max_age=0.2)
    >>> wanted = Command(values=(9.0,), names=("vx",), units=("cm/s",), sample=100, age=0.05, made=0,
    ...                  expires=10**9, sequence=1)
    >>> guard.approve(wanted, now=10**6).given
    (5.0,)
    >>> str(guard.approve(wanted, now=2 * 10**6))
    'Command 1 refused: its number is not above the last one; got 1, limit 1.'
    """

    def __init__(self, *limits: Limits, max_age: float = inf, min_confidence: float | None = None) -> None:
        twice = [name for name, n in Counter(limit.name for limit in limits).items() if n > 1]
        if twice:
            raise ConfigError(f"Guard needs one entry of limits a value; got {twice[0]!r} more than once. Merge them.")
        if not max_age > 0:
            raise ConfigError(f"Guard needs max_age > 0 s; got {max_age:g} s. Take 0.2.")
        if min_confidence is not None and not isfinite(min_confidence):
            raise ConfigError(f"Guard needs a finite min_confidence; got {min_confidence:g}. Leave it out for any.")
        self.limits = limits
        self.max_age = max_age
        self.min_confidence = min_confidence
        self.approved = 0
        self.clamped = 0
        self.refused: dict[str, int] = dict.fromkeys(REASONS, 0)
        self._stopped = False
        self._fits: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._plan: list[tuple[int, Limits]] = []
        self._last: Last | None = None
        self._sequence: int | None = None
        self._now: int | None = None

    def within(self, limits: Iterable[Limits]) -> Guard:
        """Return a fresh guard that also keeps these limits, such as an actuator's own."""
        mine = {limit.name: limit for limit in self.limits}
        for limit in limits:
            mine[limit.name] = mine[limit.name].within(limit) if limit.name in mine else limit
        return Guard(*mine.values(), max_age=self.max_age, min_confidence=self.min_confidence)

    def check(self, channels: Channels) -> None:
        """Refuse, before anything runs, values that lack what is limited, or have it in another unit."""
        units = dict(zip(channels.names, channels.units, strict=True))
        for limit in self.limits:
            if units.get(limit.name) != limit.unit:
                got = f"{limit.name!r} in {units[limit.name]!r}" if limit.name in units else ", ".join(units)
                raise ContractError(
                    f"Guard needs a value {limit.name!r} in {limit.unit!r}; got {got}. Mend the limits, or the units "
                    "of Map."
                )

    @property
    def stopped(self) -> bool:
        return self._stopped

    def stop(self) -> None:
        """Refuse everything from now on; from any thread."""
        self._stopped = True

    def reset(self) -> None:
        """Approve again, as if fresh, but for the sequence and the counts: what was sent before stays refused."""
        self._last = None
        self._stopped = False

    def approve(self, command: Command, now: int) -> Approved | Refused:
        """Approve a command, or refuse it.

        Parameters
        ----------
        command
            What is wanted.
        now
            Host time [ns].
        """
        result = self._judge(command, now)
        if isinstance(result, Refused):
            self.refused[result.reason] += 1
        else:
            self.approved += 1
            self.clamped += result.given is not command.values
        return result

    def _judge(self, c: Command, now: int) -> Approved | Refused:
        if self._stopped:
            return Refused(c, "stopped", now)
        values = c.values
        if (c.names, c.units) != self._fits and (wrong := self._refit(c, now)):
            return wrong
        if len(values) != len(c.names):
            return Refused(c, "shape", now, got=len(values), limit=len(c.names))
        for i, v in enumerate(values):
            if not (isinstance(v, float) and isfinite(v)):
                return Refused(c, "nan", now, c.names[i], v if isinstance(v, float) else nan, nan, c.units[i])
        if self._sequence is not None and c.sequence <= self._sequence:
            return Refused(c, "sequence", now, got=c.sequence, limit=self._sequence)
        if now < c.made or (self._now is not None and now < self._now):
            return Refused(c, "clock", now, got=now, limit=max(c.made, self._now or c.made), unit="ns")
        if now >= c.expires:
            return Refused(c, "expired", now, got=(now - c.made) * 1e-9, limit=(c.expires - c.made) * 1e-9, unit="s")
        age = c.age + (now - c.made) * 1e-9
        if not 0 <= c.age < inf or age > self.max_age:
            return Refused(c, "age", now, got=age, limit=self.max_age, unit="s")
        if self.min_confidence is not None and not c.confidence >= self.min_confidence:
            return Refused(c, "confidence", now, got=c.confidence, limit=self.min_confidence)
        given = self._limited(c, now)
        if isinstance(given, Refused):
            return given
        self._last, self._sequence, self._now = (given, now), c.sequence, now
        return _approve(c, given, now)

    def _limited(self, c: Command, now: int) -> tuple[float, ...] | Refused:
        """Return what may be given; the very values of the command where nothing was clamped."""
        given, last = c.values, self._last
        for i, limit in self._plan:
            v = given[i]
            low, high, reason = limit.low, limit.high, "range"
            if last is not None and limit.rate < inf:
                before, reach = last[0][i], limit.rate * ((now - last[1]) * 1e-9)
                if low <= v <= high:
                    reason = "rate"
                low, high = max(low, before - reach), min(high, before + reach)
            if low <= v <= high:
                continue
            nearest = low if v < low else high
            if limit.beyond == "refuse":
                return Refused(c, reason, now, limit.name, v, nearest, limit.unit)
            given = (*given[:i], nearest, *given[i + 1 :])
        return given

    def _refit(self, c: Command, now: int) -> Refused | None:
        """Find the limited values among those of a command with other names or units than the last."""
        if len(c.names) != len(c.units):
            return Refused(c, "shape", now, got=len(c.units), limit=len(c.names))
        plan = []
        for limit in self.limits:
            i = c.names.index(limit.name) if limit.name in c.names else -1
            if i < 0 or c.units[i] != limit.unit:
                return Refused(c, "unit", now, limit.name, unit=limit.unit)
            plan.append((i, limit))
        self._plan, self._fits, self._last = plan, (c.names, c.units), None
        return None
