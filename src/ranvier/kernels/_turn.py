"""Cosine, sine and angle made of plain arithmetic and square roots: the same bits on every CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float64, types

from ranvier.kernels._jit import njit

HALVED = 4  # how often an angle is halved before the series
TERMS = 8
PI = 3.141592653589793


@njit(types.UniTuple(float64, 2)(float64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def turn(angle: float) -> Any:
    """Return cosine and sine of an angle within -pi to pi, to a few units of the last place."""
    x = angle / 16.0
    square = x * x
    less, s = 0.0, 0.0  # 1 - cosine, and sine / x: the series from their small ends
    for i in range(TERMS, 0, -1):
        less = square * (1.0 - less) / ((2.0 * i - 1.0) * (2.0 * i))
        s = 1.0 - square * s / (2.0 * i * (2.0 * i + 1.0)) if i < TERMS else 1.0
    s *= x
    for _ in range(HALVED):
        s, less = 2.0 * s * (1.0 - less), 2.0 * s * s
    return 1.0 - less, s


@njit(float64(float64, float64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def angle_of(real: float, imaginary: float) -> float:
    """Return the angle of a complex number within -pi to pi; 0 for 0."""
    size = np.sqrt(real * real + imaginary * imaginary)
    if size == 0.0:
        return 0.0
    c, s = real / size, imaginary / size
    behind = c < 0.0
    if behind:
        c, s = -c, -s
    for _ in range(3):  # half the angle
        c = np.sqrt(0.5 * (1.0 + c))
        s = 0.5 * s / c
    x = s / c
    square, series = x * x, 0.0
    for i in range(21, 0, -2):
        series = 1.0 / i - square * series
    found = 8.0 * x * series
    if behind:
        found += -PI if found > 0.0 else PI
    return float(found)
