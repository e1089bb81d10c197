"""Sums of products of two sets of columns, eight columns at a time: what covariances and congruences are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from ranvier.kernels._jit import njit
from ranvier.kernels._simd import make_load, make_splat, store
from ranvier.kernels.ops import add, fma, like

LANES = 8  # LLVM splits vectors where registers are narrower; no bit depends on it
load = make_load("f8", "f8", LANES)
splat = make_splat("f8", LANES)
MATRIX = types.float64[:, ::1]


def padded(*shape: int) -> Any:
    """Return zeros with room for `shape` in whole vectors of rows and columns; no stride is a power of two."""
    *more, rows, columns = shape
    return np.zeros((*more, -(-rows // LANES) * LANES, -(-columns // LANES) * LANES + LANES))


@njit(types.void(MATRIX, MATRIX, types.int64, MATRIX, types.int64, types.int64, types.boolean, types.boolean),
      cache=True, nogil=True)  # type: ignore[untyped-decorator]  # fmt: skip
def add_products(a: Any, b: Any, n: int, total: Any, rows: int, columns: int, upper: bool, fresh: bool) -> None:
    """Add ``a[t, i] * b[t, j]`` to ``total[i, j]``, one instant after the other, each product fused with its sum.

    Parameters
    ----------
    a, b, total
        As from `padded`.
    n
        How many instants.
    rows, columns
        Of the total; up to whole vectors more are written, which are 0 where `a` and `b` are.
    upper
        Leave out most of what lies below the diagonal.
    fresh
        Begin at 0.
    """
    step_a, step_b, step = a.shape[1] * 8, b.shape[1] * 8, total.shape[1] * 8
    a_at, b_at, total_at = a.ctypes.data, b.ctypes.data, total.ctypes.data
    zero = like(load(b_at), 0.0)
    for j in range(0, columns, 2 * LANES):
        two = j + LANES < columns
        for i in range(0, min(rows, j + 2 * LANES) if upper else rows, 4):
            p, q = a_at + i * 8, b_at + j * 8
            r0 = total_at + i * step + j * 8
            r1, r2, r3 = r0 + step, r0 + 2 * step, r0 + 3 * step
            if fresh:
                s00, s10, s20, s30 = zero, zero, zero, zero
                s01, s11, s21, s31 = zero, zero, zero, zero
            else:
                s00, s10, s20, s30 = load(r0), load(r1), load(r2), load(r3)
                s01, s11, s21, s31 = load(r0 + 64), load(r1 + 64), load(r2 + 64), load(r3 + 64)
            for _ in range(n):
                x0, x1, x2, x3 = splat(p), splat(p + 8), splat(p + 16), splat(p + 24)
                y0, y1 = load(q), load(q + 64)
                s00, s10, s20, s30 = fma(x0, y0, s00), fma(x1, y0, s10), fma(x2, y0, s20), fma(x3, y0, s30)
                s01, s11, s21, s31 = fma(x0, y1, s01), fma(x1, y1, s11), fma(x2, y1, s21), fma(x3, y1, s31)
                p += step_a
                q += step_b
            store(r0, s00)
            store(r1, s10)
            store(r2, s20)
            store(r3, s30)
            if two:
                store(r0 + 64, s01)
                store(r1 + 64, s11)
                store(r2 + 64, s21)
                store(r3 + 64, s31)


@njit(types.void(MATRIX, types.int64, types.float64[::1]), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def add_rows(x: Any, n: int, total: Any) -> None:
    """Add ``x[t, i]`` to ``total[i]``, one instant after the other; both as from `padded`."""
    step, x_at, total_at = x.shape[1] * 8, x.ctypes.data, total.ctypes.data
    for i in range(0, total.shape[0], LANES):
        p = x_at + i * 8
        s = load(total_at + i * 8)
        for _ in range(n):
            s = add(s, load(p))
            p += step
        store(total_at + i * 8, s)
