"""Variances over time, channel by channel, the same bits for every cut of the stream."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

_F8 = types.float64[::1]
_MASK = types.Array(types.boolean, 2, "C", readonly=True)
_X = [types.Array(t, 2, "C", readonly=True) for t in (types.float32, types.float64)]
_SPREAD = [types.void(x, _F8) for x in _X]
_SPREAD_MASKED = [types.void(x, _MASK, _F8, types.int64[::1]) for x in _X]


@njit(_SPREAD, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def variance(x: Any, out: Any) -> None:
    """Write the variance of each column, its mean taken off, divided by the number of rows."""
    n_time, n = x.shape
    mean = np.zeros(n)
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
