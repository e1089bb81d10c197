"""Weighted sums over channels, faded from one set of weights to another: references and interpolation in one loop.

A few samples at a time are laid out channel by channel, so that each sum runs over time. Every number is worked out
by itself and in the order of the list, whatever block it comes in: the bits depend neither on the cut nor on the CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, int32, int64, types, void

from ranvier.kernels._jit import kernel, njit

TILE = 64  # samples at a time


def _rows(kind: Any, n: int) -> Any:
    return types.Array(kind, n, "C", readonly=True)


@kernel(
    lambda f: void(
        _rows(f, 2), _rows(boolean, 2), boolean, boolean, f[::1], _rows(int64, 1), _rows(int64, 1), _rows(int64, 1),
        _rows(f, 2), _rows(int32, 2), _rows(boolean, 1), int64, int64, boolean, boolean, f[:, :, ::1],
        boolean[:, :, ::1], f[:, ::1], boolean[:, ::1],
    )
)  # fmt: skip
def spread(
    x: Any, ok: Any, masked: bool, careful: bool, held: Any, row: Any, other: Any, of: Any, weights: Any, least: Any,
    moves: Any, first: int, fade: int, replace: bool, fill: bool, room: Any, flags: Any, y: Any, w: Any,
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
    moves
        Whether old and new differ for a row; where they do not, fading would give the same bits.
    first, fade
        The sample at place t is ``min(1, (first + t + 1) / fade)`` of the way from old to new; old is not looked at
        once that is 1.
    replace, fill
        The sum takes the place of the channel; where also `fill`, it is valid where the channel itself is not.
    room, flags
        Scratch memory, ``(3, n_channels, TILE)`` and ``(2, n_channels, TILE)``; there are at most `n_channels` rows.
    y, w
        Results and their mask, of the shape of `x`.
    """
    zero, one = x.dtype.type(0), x.dtype.type(1)
    rows, channels = len(row) - 1, x.shape[1]
    laid, done, sums, good, fine = room[0], room[1], room[2], flags[0], flags[1]
    whole, sure = np.ones(channels, np.bool_), np.ones(rows, np.bool_)
    old, share = np.zeros(TILE, x.dtype), np.ones(TILE, x.dtype)
    for base in range(0, len(x), TILE):
        n = min(TILE, len(x) - base)
        _lay(x[base : base + n], laid)
        if masked:
            _hold(ok[base : base + n], laid, good, held, whole)
        else:
            held[:] = x[base + n - 1]
        for t in range(n):
            share[t] = min(one, x.dtype.type((first + base + t + 1) / max(fade, 1)))
        fading = min(n, fade - 1 - first - base)  # so many are not all the way
        for r in range(rows):
            _sum(laid, other, weights[1], row[r], row[r + 1], sums[r], n)
            if fading > 0 and moves[r]:
                _sum(laid, other, weights[0], row[r], row[r + 1], old, fading)
                for t in range(fading):
                    sums[r, t] = old[t] + share[t] * (sums[r, t] - old[t])
            if careful:
                for t in range(n):
                    fine[r, t] = True
                sure[r] = _count(good, whole, other, weights[1], row[r], row[r + 1], least[1, r], fine[r], n)
                if fading > 0 and moves[r]:
                    sure[r] &= _count(good, whole, other, weights[0], row[r], row[r + 1], least[0, r], fine[r], fading)
        if careful:
            w[base : base + n] = True
        for c in range(channels):
            r = of[c]
            if r < 0:
                for t in range(n):
                    done[c, t] = laid[c, t]
            elif replace:
                for t in range(n):
                    done[c, t] = sums[r, t]
            else:
                for t in range(n):
                    done[c, t] = laid[c, t] - sums[r, t]
            if careful and not (whole[c] and (r < 0 or sure[r])):
                for t in range(n):
                    known = r < 0 or fine[r, t]
                    w[base + t, c] = known and (good[c, t] or (fill and r >= 0))
                    if not (known and (good[c, t] or (replace and r >= 0))):
                        done[c, t] = zero
        _put(done, y[base : base + n])


@njit  # type: ignore[untyped-decorator]
def _lay(x: Any, laid: Any) -> None:
    """Lay samples out channel by channel; four at a time, which costs a third of one at a time."""
    n = len(x)
    for t in range(0, n - 3, 4):
        for c in range(x.shape[1]):
            laid[c, t], laid[c, t + 1], laid[c, t + 2], laid[c, t + 3] = x[t, c], x[t + 1, c], x[t + 2, c], x[t + 3, c]
    for t in range(n - n % 4, n):
        for c in range(x.shape[1]):
            laid[c, t] = x[t, c]


@njit  # type: ignore[untyped-decorator]
def _put(done: Any, y: Any) -> None:
    """Lay channels out sample by sample: the way back."""
    n = len(y)
    for t in range(0, n - 3, 4):
        for c in range(y.shape[1]):
            y[t, c], y[t + 1, c], y[t + 2, c], y[t + 3, c] = done[c, t], done[c, t + 1], done[c, t + 2], done[c, t + 3]
    for t in range(n - n % 4, n):
        for c in range(y.shape[1]):
            y[t, c] = done[c, t]


@njit  # type: ignore[untyped-decorator]
def _hold(ok: Any, laid: Any, good: Any, held: Any, whole: Any) -> None:
    """Put the last valid value of each channel in the place of those that are invalid."""
    n = len(ok)
    whole[:] = True
    for t in range(n):
        for c in range(len(held)):
            whole[c] &= ok[t, c]
    for c in range(len(held)):
        if whole[c]:
            for t in range(n):
                good[c, t] = True
            held[c] = laid[c, n - 1]
            continue
        for t in range(n):
            good[c, t] = ok[t, c]
            if good[c, t]:
                held[c] = laid[c, t]
            else:
                laid[c, t] = held[c]


@njit  # type: ignore[untyped-decorator]
def _sum(laid: Any, other: Any, weight: Any, first: int, after: int, total: Any, n: int) -> None:
    """Write the weighted sum of channels, one after the other in the order of the list; four in one pass."""
    for t in range(n):
        total[t] = 0
    i = first
    while i + 4 <= after:
        a, b, c, d = laid[other[i]], laid[other[i + 1]], laid[other[i + 2]], laid[other[i + 3]]
        p, q, u, v = weight[i], weight[i + 1], weight[i + 2], weight[i + 3]
        for t in range(n):
            total[t] = (((total[t] + p * a[t]) + q * b[t]) + u * c[t]) + v * d[t]
        i += 4
    while i < after:
        a, p = laid[other[i]], weight[i]
        for t in range(n):
            total[t] += p * a[t]
        i += 1


@njit  # type: ignore[untyped-decorator]
def _count(
    good: Any, whole: Any, other: Any, weight: Any, first: int, after: int, least: int, fine: Any, n: int
) -> bool:
    """Mark where fewer than `least` of the channels with a weight are valid; say whether that is nowhere."""
    sure = 0
    for i in range(first, after):
        sure += weight[i] != 0 and whole[other[i]]
    if sure >= least:
        return True
    never = True
    for t in range(n):
        count = 0
        for i in range(first, after):
            count += weight[i] != 0 and good[other[i], t]
        if count < least:
            fine[t] = never = False
    return never
