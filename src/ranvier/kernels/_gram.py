"""Sums of products over time, for covariances: the same order of additions for every cut of the stream."""

from __future__ import annotations

from typing import Any

from ranvier.kernels._jit import njit

_SUMS = "void(float64[:,::1], float64[:,::1], float64[:,::1], boolean)"
_HOPS = "void(float64[:,:,::1], int64, float64[:,::1])"
_CENTRE = "void(float64[:,::1], float64[:,::1], float64[:,::1], float64, float64[:,::1], boolean[:,::1])"
_FOURTH = "float64(float64[:,::1], boolean[:,::1], int64, float64[:,::1], float64[:,::1], boolean[:,::1])"
_SHRINK = "float64(float64[:,::1], boolean[:,::1], float64[:,::1], float64)"


@njit(_SUMS, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_products(a: Any, b: Any, total: Any, upper: bool) -> None:
    """Add ``a[t, i] * b[t, j]`` to ``total[i, j]``, one instant after the other; where `upper`, for j >= i only.

    Four instants are taken at a time, which saves memory traffic and changes no addition.
    """
    n_time, n = a.shape
    whole = n_time - n_time % 4
    for t in range(0, whole, 4):
        b0, b1, b2, b3 = b[t], b[t + 1], b[t + 2], b[t + 3]
        for i in range(n):
            a0, a1, a2, a3 = a[t, i], a[t + 1, i], a[t + 2, i], a[t + 3, i]
            row = total[i]
            for j in range(i if upper else 0, n):
                row[j] = (((row[j] + a0 * b0[j]) + a1 * b1[j]) + a2 * b2[j]) + a3 * b3[j]
    for t in range(whole, n_time):
        b0 = b[t]
        for i in range(n):
            a0 = a[t, i]
            row = total[i]
            for j in range(i if upper else 0, n):
                row[j] = row[j] + a0 * b0[j]


@njit("void(float64[:,::1], float64[::1])", cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_rows(x: Any, total: Any) -> None:
    """Add ``x[t, i]`` to ``total[i]``, one instant after the other."""
    for t in range(x.shape[0]):
        row = x[t]
        for i in range(x.shape[1]):
            total[i] = total[i] + row[i]


@njit(_HOPS, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_hops(hops: Any, oldest: int, total: Any) -> None:
    """Set `total` to the sum of the matrices in a ring, oldest first."""
    n_hops, rows, columns = hops.shape
    total[:] = 0.0
    for h in range(n_hops):
        one = hops[(oldest + h) % n_hops]
        for i in range(rows):
            for j in range(columns):
                total[i, j] = total[i, j] + one[i, j]


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
    n = products.shape[0]
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
