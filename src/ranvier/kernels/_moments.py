"""Sums over time, channel by channel: powers and variances, the same bits for every cut of the stream."""

from __future__ import annotations

from typing import Any

from numba import njit, types

_F8 = types.float64[::1]
_MASK = types.Array(types.boolean, 2, "C", readonly=True)
_X = [types.Array(t, 2, "C", readonly=True) for t in (types.float32, types.float64)]
_CLEAN = [types.void(x, types.boolean, _F8) for x in _X]
_MASKED = [types.void(x, _MASK, types.boolean, _F8, types.int64[::1]) for x in _X]
_SPREAD = [types.void(x, _F8) for x in _X]
_SPREAD_MASKED = [types.void(x, _MASK, _F8, types.int64[::1]) for x in _X]


@njit(_CLEAN, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_power(x: Any, square: bool, total: Any) -> None:
    """Add every ``x[t, c]``, squared or its size, to ``total[c]`` in float64."""
    for t in range(x.shape[0]):
        row = x[t]
        if square:
            for c in range(x.shape[1]):
                v = types.float64(row[c])
                total[c] = total[c] + v * v
        else:
            for c in range(x.shape[1]):
                total[c] = total[c] + abs(types.float64(row[c]))


@njit(_MASKED, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_power_masked(x: Any, valid: Any, square: bool, total: Any, count: Any) -> None:
    """Do the same for valid cells only, and count them."""
    for t in range(x.shape[0]):
        for c in range(x.shape[1]):
            if valid[t, c]:
                v = types.float64(x[t, c])
                total[c] = total[c] + (v * v if square else abs(v))
                count[c] += 1


@njit(_SPREAD, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def variance(x: Any, out: Any) -> None:
    """Write the variance of each column, its mean taken off, divided by the number of rows."""
    n_time, n = x.shape
    mean = out * 0.0
    for t in range(n_time):
        for c in range(n):
            mean[c] = mean[c] + types.float64(x[t, c])
    for c in range(n):
        mean[c] = mean[c] / n_time
        out[c] = 0.0
    for t in range(n_time):
        for c in range(n):
            d = types.float64(x[t, c]) - mean[c]
            out[c] = out[c] + d * d
    for c in range(n):
        out[c] = out[c] / n_time


@njit(_SPREAD_MASKED, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def variance_masked(x: Any, valid: Any, out: Any, count: Any) -> None:
    """Do the same for valid cells only, and count them; 0 where there is none."""
    n_time, n = x.shape
    for c in range(n):
        mean, m = 0.0, 0
        for t in range(n_time):
            if valid[t, c]:
                mean += types.float64(x[t, c])
                m += 1
        count[c] = m
        out[c] = 0.0
        if m:
            mean = mean / m
            for t in range(n_time):
                if valid[t, c]:
                    d = types.float64(x[t, c]) - mean
                    out[c] = out[c] + d * d
            out[c] = out[c] / m
