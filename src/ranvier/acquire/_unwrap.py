"""Unwrap: from a counter that begins again and again to an index that never does."""

from __future__ import annotations

import numpy as np

from ranvier.acquire._source import Counters
from ranvier.stream import Array

REACH = 8  # counts back up to which a sample came late; further back the counter ran round


class Unwrap:
    """Follows a counter that runs from 0 to `modulus` - 1 in steps of `step`.

    Parameters
    ----------
    modulus
        How many numbers it has; 0 where there is no counter and samples are just counted.
    step
        By how much it grows from one sample to the next.
    rate
        Samples per second [Hz]: after a silence of more than half its range, the time that passed says how often it
        ran round.
    """

    def __init__(self, modulus: int, step: int, rate: float) -> None:
        self.modulus, self.step, self.rate = modulus // step, step, rate
        self._last: int | None = None
        self._number = 0
        self._time = 0.0
        self._again = False

    def resume(self) -> None:
        """The device was started again: count on behind what was, by the time that passed."""
        self._again = self._last is not None

    def take(self, numbers: Array, times: Array, counters: Counters) -> tuple[Array, Array]:
        """Return the indices of samples, and which samples are kept; `times` are when they came [s]."""
        index, kept = np.zeros(len(numbers), np.int64), np.ones(len(numbers), bool)
        for k, (raw, now) in enumerate(zip(numbers.tolist(), times.tolist(), strict=True)):
            number = int(raw) // self.step % self.modulus if self.modulus else 0
            passed = round((now - self._time) * self.rate)
            if self._last is None:
                ahead, self._last = 1, number - 1
            elif self._again:
                ahead, self._again = max(1, passed), False
            elif not self.modulus:
                ahead = 1
            else:
                ahead = (number - self._number) % self.modulus
                if passed > self.modulus // 2:
                    ahead = (ahead or self.modulus) + max(0, round((passed - ahead) / self.modulus)) * self.modulus
                elif ahead == 0 or ahead > self.modulus - REACH:
                    if ahead:
                        counters.reordered += 1
                    else:
                        counters.duplicates += 1
                    kept[k] = False
                    continue
                counters.wraps += (self._number + ahead) // self.modulus
            if ahead > 1:
                counters.gaps += 1
                counters.lost += ahead - 1
            self._last += ahead
            self._number, self._time = number, now
            index[k] = self._last
            counters.samples += 1
        return index[kept], kept
