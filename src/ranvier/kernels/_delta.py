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
        m = min(_TILE, n - t0)
        for c0 in range(0, width, _TILE):
            w = min(_TILE, width - c0)
            for t in range(m):  # slices, so that a loop knows that its index is never negative
                now, before, row = x[t0 + t, c0 : c0 + w], x[t0 + t - 1, c0 : c0 + w], tile[t]
                for c in range(w):
                    row[c] = now[c] - before[c]
            for c in range(w):
                row, column = out[c0 + c, t0 : t0 + m], tile[:, c]
                for t in range(m):
                    row[t] = column[t]


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
        m = min(_TILE, n - t0)
        for c0 in range(0, width, _TILE):
            w = min(_TILE, width - c0)
            for c in range(w):
                row, column = x[c0 + c, t0 : t0 + m], tile[:, c]
                for t in range(m):
                    column[t] = row[t]
            for t in range(m):
                now, before, step = out[t0 + t, c0 : c0 + w], out[t0 + t - 1, c0 : c0 + w], tile[t]
                for c in range(w):
                    now[c] = before[c] + step[c]
