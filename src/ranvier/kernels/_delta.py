"""From time first to channel first with differences, and back: what makes whole numbers easy to compress."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from ranvier.kernels._jit import kernel

KINDS = (types.int16, types.int32, types.int64)
_TILE = 64  # samples and channels that are turned at a time
_ROW = _TILE + 8  # of the place where they are turned, so that a column does not fall into one set of the cache


def _turn(kind: Any) -> Any:
    return types.void(types.Array(kind, 2, "C", readonly=True), types.Array(kind, 2, "C"))


@kernel(_turn, KINDS)
def turn(x: Any, out: Any) -> None:
    """Write each channel's differences in a row, each number less the one before it in memory; they wrap.

    Parameters
    ----------
    x
        ``(n, n_channels)``.
    out
        ``(n_channels, n)``; the first of a channel is its first number less the last one of the channel before.
    """
    n, width = x.shape
    tile = np.empty((_TILE, _ROW), x.dtype)
    for c in range(width):
        out[c, 0] = x[0, c] - (x[n - 1, c - 1] if c else 0)
    for t0 in range(1, n, _TILE):
        t1 = min(t0 + _TILE, n)
        for c0 in range(0, width, _TILE):
            c1 = min(c0 + _TILE, width)
            for t in range(t0, t1):
                for c in range(c0, c1):
                    tile[t - t0, c - c0] = x[t, c] - x[t - 1, c]
            for c in range(c0, c1):
                for t in range(t0, t1):
                    out[c, t] = tile[t - t0, c - c0]


@kernel(_turn, KINDS)
def turn_back(x: Any, out: Any) -> None:
    """Undo `turn`: `x` is ``(n_channels, n)``, `out` is ``(n, n_channels)``."""
    width, n = x.shape
    tile = np.empty((_TILE, _ROW), x.dtype)
    for c in range(width):
        value = x[c, 0]
        if c:
            value += out[0, c - 1]
            for t in range(1, n):
                value += x[c - 1, t]
        out[0, c] = value
    for t0 in range(1, n, _TILE):
        t1 = min(t0 + _TILE, n)
        for c0 in range(0, width, _TILE):
            c1 = min(c0 + _TILE, width)
            for c in range(c0, c1):
                for t in range(t0, t1):
                    tile[t - t0, c - c0] = x[c, t]
            for t in range(t0, t1):
                for c in range(c0, c1):
                    out[t, c] = out[t - 1, c] + tile[t - t0, c - c0]
