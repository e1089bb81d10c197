"""Sums of products over time, for covariances: the same order of additions for every cut of the stream."""

from __future__ import annotations

from typing import Any

from numba import types

from ranvier.kernels._jit import kernel, njit
from ranvier.kernels._products import LANES, MATRIX, add_products, add_rows, load, padded, splat
from ranvier.kernels._simd import store
from ranvier.kernels.ops import add, div, like, mul, sub

__all__ = [
    "add_hops", "add_products", "add_rows", "centre", "clean_step", "mean_fourth", "padded", "shrink"
]  # fmt: skip

_CUBE = types.float64[:, :, ::1]
_I8 = types.int64
_HOPS = types.void(_CUBE, _I8, MATRIX, _I8, types.boolean)
_CLEAN = types.void(_CUBE, MATRIX, _I8, _I8, MATRIX, MATRIX, _CUBE, _I8)
KINDS = (types.float32, types.float64, types.int16, types.int32)
_CENTRE = "void(float64[:,::1], float64[:,::1], float64[:,::1], float64, float64[:,::1], boolean[:,::1])"
_FOURTH = "float64(float64[:,::1], boolean[:,::1], int64, float64[:,::1], float64[:,::1], boolean[:,::1])"
_SHRINK = "float64(float64[:,::1], boolean[:,::1], float64[:,::1], float64)"


@njit(_HOPS, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_hops(hops: Any, oldest: int, total: Any, n: int, upper: bool) -> None:
    """Set `total` to the sum of the matrices in a ring, oldest first; as from `padded`, with `n` rows and columns."""
    n_hops, step = len(hops), hops.shape[2] * 8
    whole, row = hops.shape[1] * step, total.ctypes.data
    for h in range(0, n_hops, 2):
        one = hops.ctypes.data + (oldest + h) % n_hops * whole
        two = hops.ctypes.data + (oldest + h + 1) % n_hops * whole - one
        for i in range(n):
            for j in range(i // LANES * 64 if upper else 0, n * 8, 64):
                at = one + i * step + j
                s = add(load(row + i * step + j), load(at)) if h else load(at)
                store(row + i * step + j, add(s, load(at + two)) if h + 1 < n_hops else s)


@njit(_CLEAN, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def clean_window(
    products: Any, plain: Any, oldest: int, length: int, total: Any, sums: Any, out: Any, which: int
) -> None:
    """Write the covariance of a window in which everything is valid; what `centre` would make of it.

    Parameters
    ----------
    products, plain
        Rings of sums of x_i * x_j and of x_i, one entry a hop.
    oldest, length
        Place of the first hop, and the samples in all of them.
    total, sums
        Working memory: one entry of `products`, and of `plain` as one row.
    out, which
        Covariances ``(k, n, n)``, and which one is written.
    """
    n = out.shape[1]
    add_hops(products, oldest, total, n, True)
    for i in range(n):
        sums[0, i] = plain[oldest, i]
    for h in range(1, len(plain)):
        for i in range(n):
            sums[0, i] = sums[0, i] + plain[(oldest + h) % len(plain), i]
    for i in range(n):
        sums[0, i] = sums[0, i] / length
    row, step = total.ctypes.data, total.shape[1] * 8
    samples = like(load(row), float(length))
    for i in range(n):
        mean = splat(sums.ctypes.data + i * 8)
        for j in range(i // LANES * 64, n * 8, 64):
            value = sub(div(load(row + j), samples), mul(mean, load(sums.ctypes.data + j)))
            store(row + j, value)
        for j in range(i, n):
            out[which, i, j] = total[i, j]
            out[which, j, i] = total[i, j]
        row += step


@kernel(
    lambda kind: types.UniTuple(_I8, 2)(
        types.Array(kind, 2, "C", readonly=True), _I8, _I8, _I8, _I8[::1], types.boolean[::1], _CUBE, MATRIX, MATRIX,
        _CUBE, _CUBE
    ),
    KINDS,
)  # fmt: skip
def clean_step(
    x: Any, start: int, length: int, hop: int, seen: Any, clean: Any, products: Any, plain: Any, wide: Any, total: Any,
    out: Any,
) -> Any:  # fmt: skip
    """Hear samples that are all valid, and write the covariances of the windows that end with them.

    Returns the index of the first window that is written, or of the next, and how many are written; -1 in place of
    the latter, and nothing is done, where some hop in the ring is not clean.

    Parameters
    ----------
    x, start
        Samples ``(n, n_channels)`` and the index of the first.
    length, hop
        Of the windows [samples].
    seen
        Where this segment began, and up to where it was heard (see `Grid.next`).
    clean, products, plain
        Rings of hops.
    wide, total
        Working memory: as many samples as are taken at a time, three entries of `products`.
    out
        Covariances ``(k, n_channels, n_channels)``.
    """
    n, stop, done = x.shape[1], start + len(x), 0
    begin = seen[0] if seen[1] == start else start
    first = max(-(-begin // hop), (start - length) // hop + 1)
    for h in range(len(clean)):
        if not clean[h]:
            return first, -1
    if len(x):
        seen[0], seen[1] = begin, stop
    at = max(start, first * hop)
    while at < stop:
        m = min((at // hop + 1) * hop, stop, at + len(wide)) - at
        place = at // hop % len(plain)
        if at % hop == 0:
            plain[place] = 0.0
        for t in range(m):
            for i in range(n):
                wide[t, i] = x[at - start + t, i]
        add_products(wide, wide, m, products[place], n, n, True, at % hop == 0)
        add_rows(wide, m, plain[place])
        at += m
        if at % hop == 0 and at >= first * hop + length:
            clean_window(products, plain, (place + 1) % len(plain), length, total[0], total[1], out, done)
            done += 1
    return first, done


@njit(_CENTRE, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def centre(products: Any, sums: Any, counts: Any, need: float, out: Any, valid: Any) -> None:
    """Make covariances of sums of products: each pair of channels over the instants at which both are valid.

    Parameters
    ----------
    products, counts
        Sum of x_i * x_j over these instants, and how many they are; the upper halves are read.
    sums
        Sum of x_i over the instants at which channel j is valid too.
    need
        Instants that a cell needs to be valid, at least 1; other cells become 0.
    """
    n = out.shape[0]
    for i in range(n):
        for j in range(i, n):
            m = counts[i, j]
            good = m >= need
            value = products[i, j] / m - (sums[i, j] / m) * (sums[j, i] / m) if good else 0.0
            out[i, j] = value
            out[j, i] = value
            valid[i, j] = good
            valid[j, i] = good


@njit(_FOURTH, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def mean_fourth(x: Any, seen: Any, oldest: int, sums: Any, counts: Any, valid: Any) -> float:
    """Return the mean over time of the fourth power of the distance from the mean.

    Where some channels are invalid at an instant, the squared distance is scaled up from the others.

    Parameters
    ----------
    x, seen
        Ring of samples and their mask; `oldest` is the place of the first.
    sums, counts, valid
        As for `centre`, after it.
    """
    n_time, n = x.shape
    usable = 0
    for i in range(n):
        usable += valid[i, i]
    total, instants = 0.0, 0
    for h in range(n_time):
        t = (oldest + h) % n_time
        distance, m = 0.0, 0
        for i in range(n):
            if valid[i, i] and seen[t, i]:
                d = x[t, i] - sums[i, i] / counts[i, i]
                distance = distance + d * d
                m += 1
        if m:
            distance = distance * usable / m
            total = total + distance * distance
            instants += 1
    return total / instants if instants else 0.0


@njit(_SHRINK, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def shrink(covariance: Any, valid: Any, counts: Any, fourth: float) -> float:
    """Pull a covariance towards a multiple of the identity and return how far, 0 to 1.

    Parameters
    ----------
    covariance, valid, counts
        From `centre`; the covariance is changed in place.
    fourth
        From `mean_fourth` for Ledoit-Wolf; negative for the oracle approximation.
    """
    n = covariance.shape[0]
    channels, cells, trace, square, samples = 0, 0, 0.0, 0.0, 0.0
    for i in range(n):
        if valid[i, i]:
            channels += 1
            trace = trace + covariance[i, i]
        for j in range(n):
            if valid[i, j]:
                cells += 1
                square = square + covariance[i, j] * covariance[i, j]
                samples = samples + (counts[i, j] if j >= i else counts[j, i])
    if channels < 2:
        return 0.0
    mean = trace / channels
    square = square / cells
    samples = samples / cells
    if fourth < 0.0:
        above = square + mean * mean
        below = (samples + 1.0) * (square - mean * mean / channels)
    else:
        below = (square * channels * channels - channels * mean * mean) / channels
        above = (fourth - square * channels * channels) / (channels * samples)
    part = 1.0 if above >= below else max(above, 0.0) / below
    for i in range(n):
        for j in range(n):
            covariance[i, j] = covariance[i, j] * (1.0 - part)
        if valid[i, i]:
            covariance[i, i] = covariance[i, i] + part * mean
    return part
