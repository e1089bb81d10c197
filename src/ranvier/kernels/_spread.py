"""Weighted sums over channels, faded from one set of weights to another: references and interpolation in one loop.

A few samples at a time are laid out channel by channel, so that each sum runs over time. Every number is worked out
by itself and in the order of the list, whatever block it comes in: the bits depend neither on the cut nor on the CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, int32, int64, types, void

from ranvier.kernels._jit import kernel, njit
from ranvier.kernels._simd import make_load_like, store
from ranvier.kernels._tile import TILE, hold, lay, put
from ranvier.kernels.ops import fma, like

LANES = 16
_load = make_load_like(LANES)


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
        lay(x[base : base + n], laid)
        if masked:
            hold(ok[base : base + n], laid, good, held, whole)
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
                both_sets = fading > 0 and moves[r]
                sure[r] = _enough(whole, other, weights[1], row[r], row[r + 1], least[1, r])
                if both_sets:
                    sure[r] &= _enough(whole, other, weights[0], row[r], row[r + 1], least[0, r])
                if not sure[r]:
                    fine[r] = True
                    _lack(good, whole, other, weights[1], row[r], row[r + 1], least[1, r], fine[r], n)
                    if both_sets:
                        _lack(good, whole, other, weights[0], row[r], row[r + 1], least[0, r], fine[r], fading)
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
                    known, own = r < 0 or sure[r] or fine[r, t], whole[c] or good[c, t]
                    w[base + t, c] = known and (own or (fill and r >= 0))
                    if not (known and (own or (replace and r >= 0))):
                        done[c, t] = zero
        put(done, y[base : base + n])


@njit  # type: ignore[untyped-decorator]
def _sum(laid: Any, other: Any, weight: Any, first: int, after: int, total: Any, n: int) -> None:
    """Write the weighted sum of channels, one after the other in the order of the list; a tile in registers."""
    nothing = laid.dtype.type(0)
    size, step = LANES * laid.itemsize, TILE * laid.itemsize
    x, y = laid.ctypes.data, total.ctypes.data
    zero = like(_load(y, nothing), 0.0)
    if n <= TILE // 2:
        for g in range(0, n * laid.itemsize, size):
            a = zero
            for i in range(first, after):
                a = fma(like(zero, weight[i]), _load(x + other[i] * step + g, nothing), a)
            store(y + g, a)
        return
    a, b, c, d = zero, zero, zero, zero
    for i in range(first, after):
        k, p = like(zero, weight[i]), x + other[i] * step
        a, b = fma(k, _load(p, nothing), a), fma(k, _load(p + size, nothing), b)
        c, d = fma(k, _load(p + 2 * size, nothing), c), fma(k, _load(p + 3 * size, nothing), d)
    store(y, a)
    store(y + size, b)
    store(y + 2 * size, c)
    store(y + 3 * size, d)


@njit  # type: ignore[untyped-decorator]
def _enough(whole: Any, other: Any, weight: Any, first: int, after: int, least: int) -> bool:
    """Say whether at least so many of the channels with a weight are valid throughout."""
    count, i = 0, first
    while count < least and i < after:
        count += weight[i] != 0 and whole[other[i]]
        i += 1
    return count >= least


@njit  # type: ignore[untyped-decorator]
def _lack(
    good: Any, whole: Any, other: Any, weight: Any, first: int, after: int, least: int, fine: Any, n: int
) -> None:
    """Mark where fewer than `least` of the channels with a weight are valid."""
    for t in range(n):
        count = 0
        for i in range(first, after):
            count += weight[i] != 0 and (whole[other[i]] or good[other[i], t])
        if count < least:
            fine[t] = False
