"""From scores to probabilities: exponentials of our own, so that every CPU gives the same bits."""

from __future__ import annotations

from math import floor, ldexp
from typing import Any

from numba import types

from ranvier.kernels._jit import njit

_SCORES = types.void(types.float64[:, ::1], types.boolean[::1])
LOWEST = -708.0  # below it the exponential is no longer a normal number
PER_LOG_2 = 1.4426950408889634
LOG_2_HIGH, LOG_2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # the first with 20 zeros at its end


@njit(types.float64(types.float64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def exponential(x: float) -> float:
    """Return e**x for x <= 0, to 1e-15 of it; 0 below -708.

    Powers of two are taken out; what is left, at most log(2) / 2, goes into the Taylor series up to its 13th power,
    whose remainder is 4e-18.
    """
    if not x >= LOWEST:
        return 0.0 if x < LOWEST else x
    n = floor(x * PER_LOG_2 + 0.5)
    r = (x - n * LOG_2_HIGH) - n * LOG_2_LOW
    s = 1.0
    for k in range(13, 0, -1):
        s = 1.0 + s * r / k
    return ldexp(s, int(n))


@njit(_SCORES, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def softmax(scores: Any, used: Any) -> None:
    """Make rows that are used probabilities, in proportion to the exponentials of their scores."""
    for i in range(len(used)):
        if used[i]:
            row, most, total = scores[i], scores[i, 0], 0.0
            for j in range(len(row)):
                most = max(most, row[j])
            for j in range(len(row)):
                row[j] = exponential(row[j] - most)
                total += row[j]
            for j in range(len(row)):
                row[j] /= total


@njit(_SCORES, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def sigmoid(scores: Any, used: Any) -> None:
    """Make rows that are used probabilities, in proportion to the logistic functions of their scores."""
    for i in range(len(used)):
        if used[i]:
            row, most, total = scores[i], min(scores[i, 0], 0.0), 0.0
            for j in range(len(row)):
                most = max(most, min(row[j], 0.0))
            for j in range(len(row)):
                row[j] = exponential(min(row[j], 0.0) - most) / (1.0 + exponential(-abs(row[j])))
                total += row[j]
            for j in range(len(row)):
                row[j] /= total
