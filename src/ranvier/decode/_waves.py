"""Sines and cosines of our own, from additions and products alone, so that every CPU gives the same bits."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

from ranvier.decode._training import Real


def sine_and_cosine(turns: Real) -> tuple[Real, Real]:
    """Return sine and cosine of angles in turns, to 1e-16 and what rounding does to the angle.

    Taylor series on an eighth of a turn to either side of a quarter; what they leave out is below 1e-18.
    """
    quarter = np.rint(4 * turns)
    angle = (turns - quarter / 4) * (2 * np.pi)
    square = angle * angle
    sine, cosine = angle * _series(square, 17), _series(square, 18)
    which = quarter.astype(np.int64) % 4
    return np.choose(which, [sine, cosine, -sine, -cosine]), np.choose(which, [cosine, -sine, -cosine, sine])


def _series(square: Real, last: int) -> Any:
    """Return 1 - square / ... of the powers up to the last, odd or even."""
    total = np.zeros_like(square)
    for k in range(last, -1, -2):
        total = total * square + (-1) ** (k // 2) / factorial(k)
    return total
