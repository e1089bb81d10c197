"""Clock: from sample index to host time, by versioned fits with their uncertainty."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from ranvier.errors import StateError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFit:
    """One straight line from sample index to host time, in force from a sample on.

    Parameters
    ----------
    since
        First sample for which this fit holds.
    index, time
        A point on the line: sample index, host time [s].
    period
        Seconds a sample [s].
    uncertainty
        One standard deviation of the time [s].
    """

    since: int
    index: float
    time: float
    period: float
    uncertainty: float

    def time_of(self, index: float) -> float:
        """Return the host time of a sample by this line [s]."""
        return self.time + (index - self.index) * self.period

    def index_of(self, time: float) -> float:
        """Return the sample index of a host time [s] by this line."""
        return self.index + (time - self.time) / self.period


class Clock:
    """Fits in the order in which they came into force; a new one never changes an earlier answer."""

    def __init__(self, first: ClockFit) -> None:
        self._fits = [first]

    @property
    def fits(self) -> tuple[ClockFit, ...]:
        return tuple(self._fits)

    def add(self, fit: ClockFit) -> None:
        """Put a fit in force; it must begin later than the last one."""
        if fit.since <= self._fits[-1].since:
            raise StateError(
                f"Clock needs fits in order; got one from sample {fit.since} after one from sample "
                f"{self._fits[-1].since}. Give it a later first sample."
            )
        self._fits.append(fit)

    def fit_at(self, index: float) -> ClockFit:
        """Return the fit in force at a sample (the first one for anything before it)."""
        return self._fits[max(bisect_right(self._fits, index, key=_since) - 1, 0)]

    def time_of(self, index: float) -> float:
        """Return the host time of a sample [s]."""
        return self.fit_at(index).time_of(index)

    def index_of(self, time: float) -> float:
        """Return the sample index, with its fraction, of a host time [s]; later times never get earlier indices.

        A fit takes over at the time at which the one before it sees the first sample of the new one. So an answer
        below the `since` of every fit to come is final.
        """
        for k in range(len(self._fits) - 1, 0, -1):
            fit = self._fits[k]
            if time >= self._fits[k - 1].time_of(fit.since):
                return max(fit.index_of(time), float(fit.since))
        return self._fits[0].index_of(time)


def _since(fit: ClockFit) -> int:
    return fit.since
