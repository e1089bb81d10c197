"""From scores to probabilities, from power to its logarithm: functions of our own, the same bits on every CPU."""

from __future__ import annotations

from math import floor, frexp, ldexp
from typing import Any

import numpy as np
from numba import types

from ranvier.kernels._jit import njit

_SCORES = types.void(types.float64[:, ::1], types.boolean[::1])
LOWEST = -708.0  # below it the exponential is no longer a normal number
ROOT_HALF = 0.7071067811865476
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


@njit(types.float64(types.float64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def logarithm(x: float) -> float:
    """Return log(x) for finite x > 0, to 1e-15 of it and 1e-16.

    Powers of two are taken out; of what is left, between sqrt(1/2) and sqrt(2), the series of the inverse hyperbolic
    tangent up to its 23rd power leaves out 2e-19.
    """
    m, n = frexp(x)
    if m < ROOT_HALF:
        m, n = 2.0 * m, n - 1
    s = (m - 1.0) / (m + 1.0)
    square, total = s * s, 0.0
    for k in range(23, 0, -2):
        total = total * square + 1.0 / k
    return n * LOG_2_HIGH + (2.0 * s * total + n * LOG_2_LOW)


@njit(_SCORES, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def logarithms(power: Any, used: Any) -> None:
    """Take the logarithm of rows that are used; those in which not all is above 0 and finite are used no longer."""
    for i in range(len(used)):
        for j in range(power.shape[1]):
            if used[i] and not 0.0 < power[i, j] < np.inf:
                used[i] = False
        if used[i]:
            for j in range(power.shape[1]):
                power[i, j] = logarithm(power[i, j])


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
