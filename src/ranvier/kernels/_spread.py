"""Weighted sums over channels, faded from one set of weights to another: references and interpolation in one loop.

A few samples at a time are laid out channel by channel, so that each sum runs over time. Every number is worked out
by itself and in the order of the list, whatever block it comes in: the bits depend neither on the cut nor on the CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, int32, int64, types, void

from ranvier.kernels._jit import kernel

TILE = 32


def _rows(kind: Any, n: int) -> Any:
    return types.Array(kind, n, "C", readonly=True)


@kernel(
    lambda f: void(
        _rows(f, 2), _rows(boolean, 2), boolean, boolean, f[::1], _rows(int64, 1), _rows(int64, 1), _rows(int64, 1),
        _rows(f, 2), _rows(int32, 2), int64, int64, boolean, boolean, f[:, ::1], boolean[:, ::1],
    )
)  # fmt: skip
def spread(
    x: Any, ok: Any, masked: bool, careful: bool, held: Any, row: Any, other: Any, of: Any, weights: Any, least: Any,
    first: int, fade: int, replace: bool, fill: bool, y: Any, w: Any,
) -> None:  # fmt: skip
    """Write ``x - sum`` (or the sum itself, where `replace`), the sum being that of the channel's row.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`. An invalid cell is never
        read: the last valid value of its channel stands for it.
    careful
        Whether `w` is to be written; without, all is valid.
    held
        State: the last valid value of each channel.
    row, other
        Row r sums over the channels ``other[row[r]:row[r + 1]]``.
    of
        Row of each channel; -1: the channel is passed on as it is.
    weights, least
        Of the old set (0) and the new one (1), ``(2, n_sources)``; how many valid sources with a weight other than 0
        each row needs in either, ``(2, n_rows)``.
    first, fade
        The sample at place t is ``min(1, (first + t + 1) / fade)`` of the way from old to new; old is not looked at
        once that is 1.
    replace, fill
        The sum takes the place of the channel; where also `fill`, it is valid where the channel itself is not.
    y, w
        Results and their mask, of the shape of `x`.
    """
    zero, one = x.dtype.type(0), x.dtype.type(1)
    rows, channels = len(row) - 1, x.shape[1]
    laid, good = np.empty((channels, TILE), x.dtype), np.ones((channels, TILE), np.uint8)
    sums, fine = np.empty((rows, TILE), x.dtype), np.ones((rows, TILE), np.uint8)
    old, share, counted = np.empty(TILE, x.dtype), np.empty(TILE, x.dtype), np.empty(TILE, np.int32)
    laid[:] = zero
    for base in range(0, len(x), TILE):
        n = min(TILE, len(x) - base)
        for t in range(n):
            for c in range(channels):
                if not masked or ok[base + t, c]:
                    held[c] = x[base + t, c]
                if masked:
                    good[c, t] = ok[base + t, c]
                laid[c, t] = held[c]
            share[t] = one if first + base + t + 1 >= fade else x.dtype.type((first + base + t + 1) / fade)
        for r in range(rows):
            for t in range(TILE):
                sums[r, t] = zero
            for i in range(row[r], row[r + 1]):
                c, k = other[i], weights[1, i]
                for t in range(TILE):
                    sums[r, t] += k * laid[c, t]
            if first + base + 1 < fade:
                for t in range(TILE):
                    old[t] = zero
                for i in range(row[r], row[r + 1]):
                    c, k = other[i], weights[0, i]
                    for t in range(TILE):
                        old[t] += k * laid[c, t]
                for t in range(n):
                    if share[t] < one:
                        sums[r, t] = old[t] + share[t] * (sums[r, t] - old[t])
            if careful:
                for t in range(n):
                    fine[r, t] = 1
                for which in range(2):
                    for t in range(TILE):
                        counted[t] = 0
                    for i in range(row[r], row[r + 1]):
                        if weights[which, i] != zero:
                            c = other[i]
                            for t in range(TILE):
                                counted[t] += good[c, t]
                    for t in range(n):
                        if counted[t] < least[which, r] and (which == 1 or share[t] < one):
                            fine[r, t] = 0
        for t in range(n):
            for c in range(channels):
                r = of[c]
                if r < 0:
                    y[base + t, c] = laid[c, t] if good[c, t] != 0 else zero
                    if careful:
                        w[base + t, c] = good[c, t] != 0
                    continue
                y[base + t, c] = sums[r, t] if replace else laid[c, t] - sums[r, t]
                if careful:
                    w[base + t, c] = fine[r, t] != 0 and (fill or good[c, t] != 0)
                    if fine[r, t] == 0 or (not replace and good[c, t] == 0):
                        y[base + t, c] = zero
