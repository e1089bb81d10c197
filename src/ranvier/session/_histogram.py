"""Histogram: latencies counted as they come, in memory of fixed size, with percentiles to 3 %."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FINE = 5  # bits: 32 steps an octave
_STEPS = 1 << FINE
_OCTAVES = 40  # up to 2**44 ns: five hours
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


class Histogram:
    """Counts times in steps of 1/32 of their octave.

    A time is counted in about 0.2 us and without any new memory. A percentile is the upper end of the step in which it
    lies: never too small, at most 3.2 % too large. The largest is exact.

    Attributes
    ----------
    n
        How many.
    largest, total
        Of all [ns].

    References
    ----------
    The scheme is that of HdrHistogram (G. Tene).
    """

    __slots__ = ("_counts", "largest", "n", "total")

    def __init__(self) -> None:
        self._counts = [0] * ((_OCTAVES + 1) * _STEPS)
        self.n = self.largest = self.total = 0

    def add(self, ns: int) -> None:
        """Count a time [ns]; less than nothing counts as nothing."""
        if ns < 0:
            ns = 0
        octave = ns.bit_length() - FINE - 1
        if octave <= 0:
            self._counts[ns] += 1
        elif octave >= _OCTAVES:
            self._counts[-1] += 1
        else:
            self._counts[octave * _STEPS + (ns >> octave)] += 1
        self.n += 1
        self.total += ns
        if ns > self.largest:
            self.largest = ns

    def percentile(self, share: float) -> float:
        """Return the time [ns] that a share of all do not exceed; nan where there is none."""
        if not self.n:
            return float("nan")
        wanted, seen = share * self.n, 0
        for place, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return float(self.largest if place == len(self._counts) - 1 else min(_upper(place), self.largest))
        return float(self.largest)

    def summary(self) -> dict[str, float]:
        """Return count, percentiles and the largest [us]."""
        found = {name: self.percentile(share) / 1e3 for name, share in PERCENTILES.items()}
        if not self.n:
            return {"n": 0, **found, "max": float("nan"), "mean": float("nan")}
        return {"n": self.n, **found, "max": self.largest / 1e3, "mean": self.total / self.n / 1e3}

    def as_table(self) -> dict[str, Any]:
        """Return what `from_table` makes it of again: the counts of the places that were met."""
        return {
            "largest": self.largest,
            "total": self.total,
            "counts": {str(i): c for i, c in enumerate(self._counts) if c},
        }

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Histogram:
        """Make a histogram of what `as_table` gave."""
        made = cls()
        for place, count in table["counts"].items():
            made._counts[int(place)] = int(count)
        made.n, made.largest = sum(made._counts), int(table["largest"])
        made.total = int(table["total"])
        return made


def _upper(place: int) -> int:
    """Return the largest time that is counted at a place [ns]."""
    if place < 2 * _STEPS:
        return place
    octave = place // _STEPS - 1
    return ((place - octave * _STEPS + 1) << octave) - 1
