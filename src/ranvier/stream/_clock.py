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
        place = bisect_right([f.since for f in self._fits], index) - 1
        return self._fits[max(place, 0)]

    def time_of(self, index: float) -> float:
        """Return the host time of a sample [s]."""
        fit = self.fit_at(index)
        return fit.time + (index - fit.index) * fit.period

    def index_of(self, time: float) -> float:
        """Return the sample index, with its fraction, of a host time [s], by the newest fit that holds there."""
        for fit in reversed(self._fits):
            index = fit.index + (time - fit.time) / fit.period
            if index >= fit.since:
                return index
        fit = self._fits[0]
        return fit.index + (time - fit.time) / fit.period
