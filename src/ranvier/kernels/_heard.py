"""What each channel does in a hop: level, mains, fast and slow part, extremes; sixteen channels at a time.

A row of memory a quantity, a lane a channel: the registers hold a whole group while its samples go by. Each product and
sum is rounded once, in the order of time: the same bits for every cut of the stream, on every CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from ranvier.kernels._jit import njit
from ranvier.kernels._simd import count, make_load, make_load_mask, make_splat, prefetch, store
from ranvier.kernels.ops import add, as_f8, both, eq, fma, like, lt, mul, neg, select, sub

LANES = 16
TILE = 128  # samples of one group at a time: what a core's cache holds of hundreds of channels
ROWS = ("mean", "p1", "p2", "l1", "l2", "u1", "u2", "away", "sum", "all", "mains", "fast", "top", "tops",
        "bottom", "bottoms", "count")  # fmt: skip
SUMS = ROWS.index("sum")  # from here on, what is begun anew at every hop
_ROW = 4 * LANES
_GROUP = _ROW * len(ROWS)
_load = make_load("f4", "f4", LANES)
_load_mask = make_load_mask(LANES)
_splat = make_splat("f4", LANES)


def groups(n_channels: int) -> int:
    """Return how many times sixteen channels there are, the last ones perhaps not all in use."""
    return -(-n_channels // LANES)


def memory(n_channels: int) -> Any:
    """Return the rows of every group, at a fresh start."""
    rows = np.zeros((groups(n_channels), len(ROWS), LANES), np.float32)
    begin(rows, True)
    return rows


def named(rows: Any, n_channels: int) -> Any:
    """Return each row by its name, one number a channel."""
    return dict(zip(ROWS, rows.transpose(1, 0, 2).reshape(len(ROWS), -1)[:, :n_channels].astype(float), strict=True))


def begin(rows: Any, anew: bool) -> None:
    """Begin a hop, and the filters anew or not."""
    if anew:
        rows[:, ROWS.index("away")] = 1
    rows[:, SUMS:] = 0
    rows[:, ROWS.index("top")] = np.finfo(np.float32).min
    rows[:, ROWS.index("bottom")] = np.finfo(np.float32).max


@njit(inline="always")  # type: ignore[untyped-decorator]
def _filters(v: Any, z: Any, k: int) -> Any:
    """Take the mean off, then split into mains, slow and fast part: the filters' states, and what came out."""
    m, p1, p2, l1, l2, u1, u2 = z
    m = fma(_splat(k), sub(v, m), m)
    h = sub(v, m)
    b = mul(_splat(k + 4), h)
    p = add(b, p1)
    rest = sub(h, p)
    slow = fma(_splat(k + 16), rest, l1)
    fast = fma(_splat(k + 36), rest, u1)
    z = (
        m, fma(_splat(k + 8), p, p2), fma(_splat(k + 12), p, neg(b)),
        fma(_splat(k + 28), slow, fma(_splat(k + 20), rest, l2)), fma(_splat(k + 32), slow, mul(_splat(k + 24), rest)),
        fma(_splat(k + 48), fast, fma(_splat(k + 40), rest, u2)), fma(_splat(k + 52), fast, mul(_splat(k + 44), rest)),
    )  # fmt: skip
    return z, (h, p, fast), slow


@njit(inline="always")  # type: ignore[untyped-decorator]
def _primed(first: Any, v: Any, z: Any) -> Any:
    """Begin the filters anew where `first`, as if the channel had always been what it is."""
    m, p1, p2, l1, l2, u1, u2 = z
    zero = like(v, 0.0)
    return (
        select(first, v, m), select(first, zero, p1), select(first, zero, p2), select(first, zero, l1),
        select(first, zero, l2), select(first, zero, u1), select(first, zero, u2),
    )  # fmt: skip


@njit(inline="always")  # type: ignore[untyped-decorator]
def _held(good: Any, z: Any, old: Any) -> Any:
    """Keep the filters as they were where a sample is not good."""
    m, p1, p2, l1, l2, u1, u2 = z
    a, b, c, d, e, f, g = old
    return (
        select(good, m, a), select(good, p1, b), select(good, p2, c), select(good, l1, d), select(good, l2, e),
        select(good, u1, f), select(good, u2, g),
    )  # fmt: skip


@njit(inline="always")  # type: ignore[untyped-decorator]
def _extreme(beyond: Any, at: Any, v: Any, most: Any, times: Any) -> Any:
    """Return the extreme so far and how often it was reached."""
    one = like(v, 1.0)
    return select(beyond, v, most), select(beyond, one, select(at, add(times, one), times))


@njit(
    types.void(
        types.Array(types.float32, 2, "C", readonly=True), types.Array(types.boolean, 2, "C", readonly=True),
        types.boolean, types.int64, types.int64, types.float32[::1], types.float32[::1], types.float32[:, :, ::1],
        types.float64[:, ::1],
    ),
    cache=True, nogil=True,
)  # type: ignore[untyped-decorator]  # fmt: skip
def hear(x: Any, ok: Any, masked: bool, place: int, stride: int, anchor: Any, k: Any, rows: Any, slow: Any) -> None:
    """Go on with samples of one hop. A channel's filters are held while it is invalid and primed when it is back.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, channels)``, whole groups; their mask, which is looked at only where `masked`.
    place, stride
        Place of the first sample in its hop; every `stride`-th place the slow part is noted down.
    anchor
        What is taken off every sample, one a channel.
    k
        Coefficients: of the mean; b0 -a1 -a2 of mains; b0 b1 b2 -a1 -a2 of the slow and of the fast part.
    rows
        As from `memory`.
    slow
        The slow part, one row a `stride`; 0 where invalid.
    """
    wide = x.shape[1]
    step, k_at, slow_step = wide * 4, k.ctypes.data, slow.shape[1] * 8
    for i in range(len(rows) * (-(-len(x) // TILE))):
        begun, g = i // len(rows) * TILE, i % len(rows)
        n, at = min(TILE, len(x) - begun), place + begun
        s = rows.ctypes.data + g * _GROUP
        xp, okp = x.ctypes.data + begun * step + g * _ROW, ok.ctypes.data + begun * wide + g * LANES
        anchored = _load(anchor.ctypes.data + g * _ROW)
        zero, one = like(anchored, 0.0), like(anchored, 1.0)
        z = (
            _load(s), _load(s + _ROW), _load(s + 2 * _ROW), _load(s + 3 * _ROW), _load(s + 4 * _ROW),
            _load(s + 5 * _ROW), _load(s + 6 * _ROW),
        )  # fmt: skip
        away, sv = _load(s + 7 * _ROW), _load(s + 8 * _ROW)
        sh, sp, su, top = _load(s + 9 * _ROW), _load(s + 10 * _ROW), _load(s + 11 * _ROW), _load(s + 12 * _ROW)
        tops, bottom, bottoms = _load(s + 13 * _ROW), _load(s + 14 * _ROW), _load(s + 15 * _ROW)
        heard = _load(s + 16 * _ROW)
        left = (stride - at % stride) % stride
        out = slow.ctypes.data + (at + left) // stride * slow_step + g * 8 * LANES
        ahead = x.ctypes.data + (begun + TILE) * step + g * n * 64
        sure = eq(one, one)
        if masked:
            for t in range(n):
                sure = both(sure, _load_mask(okp + t * wide))
        if count(sure) == LANES:
            z, away = _primed(lt(zero, away), sub(_load(xp), anchored), z), zero
            heard = add(heard, like(zero, n))
            for _ in range(n):
                v = sub(_load(xp), anchored)
                z, (h, p, fast), low = _filters(v, z, k_at)
                sv, sh, sp, su = add(sv, v), fma(h, h, sh), fma(p, p, sp), fma(fast, fast, su)
                top, tops = _extreme(lt(top, v), eq(top, v), v, top, tops)
                bottom, bottoms = _extreme(lt(v, bottom), eq(v, bottom), v, bottom, bottoms)
                if left == 0:
                    store(out, as_f8(low))
                    out += slow_step
                    left = stride
                left -= 1
                prefetch(ahead)
                ahead += 64
                xp += step
        else:
            for _ in range(n):
                v, good = sub(_load(xp), anchored), _load_mask(okp)
                old, z = z, _primed(both(good, lt(zero, away)), v, z)
                z, (h, p, fast), low = _filters(v, z, k_at)
                z, away = _held(good, z, old), select(good, zero, one)
                sv, sh = select(good, add(sv, v), sv), select(good, fma(h, h, sh), sh)
                sp, su = select(good, fma(p, p, sp), sp), select(good, fma(fast, fast, su), su)
                heard = select(good, add(heard, one), heard)
                top, tops = _extreme(both(good, lt(top, v)), both(good, eq(top, v)), v, top, tops)
                bottom, bottoms = _extreme(both(good, lt(v, bottom)), both(good, eq(v, bottom)), v, bottom, bottoms)
                if left == 0:
                    store(out, as_f8(select(good, low, zero)))
                    out += slow_step
                    left = stride
                left -= 1
                xp += step
                okp += wide
        m, p1, p2, l1, l2, u1, u2 = z
        for r, value in enumerate((m, p1, p2, l1, l2, u1, u2, away, sv, sh, sp, su, top, tops, bottom, bottoms, heard)):
            store(s + r * _ROW, value)
