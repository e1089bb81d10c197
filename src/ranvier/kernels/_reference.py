"""Common references: the mean or median over the channels of a group, taken away from them, instant by instant.

The mean is defined to the bit: channel i is added to lane ``i % 16``, channels in rising order; the 16
lanes are added in halves (i and i + 8, then i + 4, i + 2, i + 1); the sum is divided by the count. Plain
loops, SIMD of any width and a generated kernel can all follow that order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, int64, njit, types, void

from ranvier.kernels._jit import kernel

LANES = 16


def _rows(kind: Any, n: int = 2) -> Any:
    return types.Array(kind, n, "C", readonly=True)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _tree(lanes: Any, g: int) -> Any:
    """Add the 16 lanes of a group in halves; they are overwritten."""
    for i in range(8):
        lanes[g, i] += lanes[g, i + 8]
    for i in range(4):
        lanes[g, i] += lanes[g, i + 4]
    return (lanes[g, 0] + lanes[g, 2]) + (lanes[g, 1] + lanes[g, 3])


@kernel(lambda f: void(_rows(f), _rows(boolean), boolean, _rows(int64), f[:, ::1], int64[:, ::1]))
def means(x: Any, ok: Any, masked: bool, given: Any, level: Any, count: Any) -> None:
    """Write the mean of each group at each instant, and over how many channels it was taken.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`.
    given
        Stretches of neighbouring channels, rows of (group, first, after the last), in rising order.
    level, count
        Means and counts ``(n, groups)``; a mean over nothing is 0.
    """
    zero = x.dtype.type(0)
    groups = level.shape[1]
    lanes = np.zeros((groups, LANES), x.dtype)
    for t in range(len(x)):
        lanes[:] = zero
        for r in range(len(given)):
            g, first, after = given[r, 0], given[r, 1], given[r, 2]
            for base in range(first - first % LANES, after, LANES):
                a, b = max(first, base), min(after, base + LANES)
                values, lane = x[t, a:b], lanes[g, a - base :]
                if masked:
                    good = ok[t, a:b]
                    for i in range(b - a):
                        lane[i] += values[i] if good[i] else zero
                        count[t, g] += good[i]
                elif b - a == LANES:
                    for i in range(LANES):
                        lane[i] += values[i]
                else:
                    for i in range(b - a):
                        lane[i] += values[i]
            if not masked:
                count[t, g] += after - first
        for g in range(groups):
            level[t, g] = _tree(lanes, g) / x.dtype.type(max(count[t, g], 1))


@kernel(
    lambda f: void(
        _rows(f), _rows(boolean), boolean, _rows(int64), _rows(f), _rows(int64), int64, f[:, ::1], boolean[:, ::1]
    )
)
def subtract(x: Any, ok: Any, masked: bool, taken: Any, level: Any, count: Any, least: int, y: Any, w: Any) -> None:
    """Take the level of each group away from its channels.

    Parameters
    ----------
    x, ok, masked, level, count
        As in `means`.
    taken
        Stretches of channels as in `means`; group -1 is passed on as it is.
    least
        How many valid channels a level needs.
    y, w
        Result and its mask, of the shape of `x`; `w` is written only where `masked`.
    """
    zero = x.dtype.type(0)
    for t in range(len(x)):
        for r in range(len(taken)):
            g = taken[r, 0]
            v = level[t, g] if g >= 0 else zero
            a, b = taken[r, 1], taken[r, 2]
            values, result = x[t, a:b], y[t, a:b]
            if not masked:
                for i in range(len(result)):
                    result[i] = values[i] - v
                continue
            good = g < 0 or count[t, g] >= least
            fine = w[t, a:b]
            for i in range(len(result)):
                fine[i] = good and ok[t, a + i]
                result[i] = values[i] - v if fine[i] else zero
