"""What each channel does in a hop: level, mains, fast and slow part, extremes; sixteen channels at a time.

A row of memory a quantity, a lane a channel: the registers hold a whole group while its samples go by. Each product and
sum is rounded once, in the order of time: the same bits for every cut of the stream, on every CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from ranvier.kernels._jit import njit
from ranvier.kernels._simd import make_load, make_load_mask, make_splat, store
from ranvier.kernels.ops import add, as_f8, both, eq, fma, like, lt, mul, select, sub

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
def _filters(v: Any, m: Any, p1: Any, p2: Any, l1: Any, l2: Any, u1: Any, u2: Any, k: int) -> Any:
    """Take the mean off, then split into mains, slow and fast part: the filters' states, and what came out."""
    m = fma(_splat(k), sub(v, m), m)
    h = sub(v, m)
    b = mul(_splat(k + 4), h)
    p = add(b, p1)
    p1 = sub(p2, mul(_splat(k + 8), p))
    p2 = sub(sub(like(b, 0.0), b), mul(_splat(k + 12), p))
    z = sub(h, p)
    slow = fma(_splat(k + 16), z, l1)
    l1 = sub(fma(_splat(k + 20), z, l2), mul(_splat(k + 28), slow))
    l2 = sub(mul(_splat(k + 24), z), mul(_splat(k + 32), slow))
    fast = fma(_splat(k + 36), z, u1)
    u1 = sub(fma(_splat(k + 40), z, u2), mul(_splat(k + 48), fast))
    u2 = sub(mul(_splat(k + 44), z), mul(_splat(k + 52), fast))
    return m, p1, p2, l1, l2, u1, u2, h, p, slow, fast


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
        Coefficients: of the mean; b0 a1 a2 of mains; b0 b1 b2 a1 a2 of the slow and of the fast part.
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
        zero_at = _load(anchor.ctypes.data + g * _ROW)
        zero, one = like(zero_at, 0.0), like(zero_at, 1.0)
        m, p1, p2, l1, l2 = _load(s), _load(s + _ROW), _load(s + 2 * _ROW), _load(s + 3 * _ROW), _load(s + 4 * _ROW)
        u1, u2, away, sv = _load(s + 5 * _ROW), _load(s + 6 * _ROW), _load(s + 7 * _ROW), _load(s + 8 * _ROW)
        sh, sp, su, top = _load(s + 9 * _ROW), _load(s + 10 * _ROW), _load(s + 11 * _ROW), _load(s + 12 * _ROW)
        tops, bottom, bottoms = _load(s + 13 * _ROW), _load(s + 14 * _ROW), _load(s + 15 * _ROW)
        count = _load(s + 16 * _ROW)
        left = (stride - at % stride) % stride
        out = slow.ctypes.data + (at + left) // stride * slow_step + g * 8 * LANES
        for t in range(n):
            v = sub(_load(xp), zero_at)
            if masked or t == 0:  # at the first, because channels may have been away until then
                good = _load_mask(okp) if masked else eq(one, one)
                first = both(good, lt(zero, away))
                away = select(good, zero, one)
                old = (m, p1, p2, l1, l2, u1, u2)
                a, b, c = select(first, v, m), select(first, zero, p1), select(first, zero, p2)
                d, e = select(first, zero, l1), select(first, zero, l2)
                f, q = select(first, zero, u1), select(first, zero, u2)
                a, b, c, d, e, f, q, h, p, low, fast = _filters(v, a, b, c, d, e, f, q, k_at)
                m, p1, p2, l1 = (
                    select(good, a, old[0]), select(good, b, old[1]), select(good, c, old[2]), select(good, d, old[3])
                )  # fmt: skip
                l2, u1, u2 = select(good, e, old[4]), select(good, f, old[5]), select(good, q, old[6])
                sv, sh = select(good, add(sv, v), sv), select(good, fma(h, h, sh), sh)
                sp, su = select(good, fma(p, p, sp), sp), select(good, fma(fast, fast, su), su)
                count = select(good, add(count, one), count)
                top, tops = _extreme(both(good, lt(top, v)), both(good, eq(top, v)), v, top, tops)
                bottom, bottoms = _extreme(both(good, lt(v, bottom)), both(good, eq(v, bottom)), v, bottom, bottoms)
                low = select(good, low, zero)
                okp += wide
            else:
                m, p1, p2, l1, l2, u1, u2, h, p, low, fast = _filters(v, m, p1, p2, l1, l2, u1, u2, k_at)
                sv, sh, sp = add(sv, v), fma(h, h, sh), fma(p, p, sp)
                su, count = fma(fast, fast, su), add(count, one)
                top, tops = _extreme(lt(top, v), eq(top, v), v, top, tops)
                bottom, bottoms = _extreme(lt(v, bottom), eq(v, bottom), v, bottom, bottoms)
            if left == 0:
                store(out, as_f8(low))
                out += slow_step
                left = stride
            left -= 1
            xp += step
        store(s, m)
        store(s + _ROW, p1)
        store(s + 2 * _ROW, p2)
        store(s + 3 * _ROW, l1)
        store(s + 4 * _ROW, l2)
        store(s + 5 * _ROW, u1)
        store(s + 6 * _ROW, u2)
        store(s + 7 * _ROW, away)
        store(s + 8 * _ROW, sv)
        store(s + 9 * _ROW, sh)
        store(s + 10 * _ROW, sp)
        store(s + 11 * _ROW, su)
        store(s + 12 * _ROW, top)
        store(s + 13 * _ROW, tops)
        store(s + 14 * _ROW, bottom)
        store(s + 15 * _ROW, bottoms)
        store(s + 16 * _ROW, count)


@njit("void(float64[:,::1], boolean[::1], float64[::1])", cache=True, nogil=True)  # type: ignore[untyped-decorator]
def nearest(product: Any, usable: Any, out: Any) -> None:
    """Write the power of each usable channel's difference to the one that it is most alike; infinity for none.

    Of `product`, sums of products, the upper half is read.
    """
    n = len(usable)
    out[:] = np.inf
    for i in range(n):
        if usable[i]:
            for j in range(i + 1, n):
                if usable[j]:
                    d = product[i, i] + product[j, j] - 2.0 * product[i, j]
                    out[i], out[j] = min(out[i], d), min(out[j], d)


@njit("void(float64[:,::1], boolean[::1], boolean[:,::1], float64[::1], float64[::1])",
      cache=True, nogil=True)  # type: ignore[untyped-decorator]  # fmt: skip
def correlated(product: Any, vouch: Any, near: Any, top: Any, out: Any) -> None:
    """Write the k-th largest correlation, whatever its sign, of each channel with those near it that may vouch.

    Fewer than k: the smallest of them; none: -1. `top` is room for k numbers.
    """
    n = len(vouch)
    for i in range(n):
        top[:] = -1.0
        found = 0
        for j in range(n):
            if near[i, j] and vouch[j] and i != j:
                power = product[i, i] * product[j, j]
                r = abs(product[min(i, j), max(i, j)]) / np.sqrt(power) if power > 0.0 else 0.0
                found += 1
                place = len(top)
                while place > 0 and r > top[place - 1]:
                    if place < len(top):
                        top[place] = top[place - 1]
                    place -= 1
                if place < len(top):
                    top[place] = r
        out[i] = top[min(found, len(top)) - 1] if found else -1.0
