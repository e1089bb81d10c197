"""Canonical correlation of a window with many sets of waves at once, eight sets in the lanes of a vector.

The window is made white by a pivoted Cholesky factor; the squared correlations with a set of orthonormal waves are then
eigenvalues of a small matrix, of which the largest is found by bisection: a value lies above all eigenvalues of a
tridiagonal matrix where no pivot of what is left is positive or 0 (Sturm).

References
----------
Bjorck & Golub, Mathematics of Computation 27 (1973) 579. Golub & Van Loan, Matrix Computations (4th ed. 2013), 4.2.8,
8.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from ranvier.kernels._jit import njit
from ranvier.kernels._products import LANES, MATRIX, add_products, add_rows, load, padded
from ranvier.kernels._simd import store
from ranvier.kernels.ops import absv, add, div, either, fma, le, like, lt, mul, neg, select, sqrt, sub

HALVINGS = 46  # of the interval from 0 to 1: 1.4e-14
NOTHING = 1e-280  # squared length below which there is nothing to reflect

RANK = 1e-9  # of a channel's power: what others leave of it below this is rounding
SANE = 1e150  # numbers beyond it are no signal, and their squares overflow

_STACK = types.float64[:, :, ::1]
_ROOM = types.Tuple((MATRIX, MATRIX, MATRIX, MATRIX, MATRIX, _STACK))


def room(length: int, n: int, waves: Any, apart: int) -> tuple[Any, ...]:
    """Return working memory for windows ``(length, n)`` against waves from `in_lanes`."""
    most = min(n, waves.shape[1] // apart)
    return (
        padded(length, n),  # the window, which the caller writes
        padded(n, n),  # correlations of channels
        padded(n, n),  # their factor
        padded(n, waves.shape[1] - LANES),  # the window's products with waves
        padded(3, n),  # means; scales; channels in the order of the factor
        np.zeros((most + 2, most, LANES)),  # small matrices of eight sets; beside the diagonal; products
    )


def in_lanes(waves: Any) -> tuple[Any, int]:
    """Return sets of waves ``(n_sets, length, n_waves)`` as columns, wave by wave, and the columns a wave takes."""
    n_sets, length, n_waves = waves.shape
    apart = -(-n_sets // LANES) * LANES
    out = padded(length, n_waves * apart)
    for k in range(n_waves):
        out[:length, k * apart : k * apart + n_sets] = waves[:, :, k].T
    return out, apart


@njit(types.void(types.float64[:, ::1]), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def orthonormal(waves: Any) -> None:
    """Make the rows of a matrix orthogonal to 1 and to each other, of unit length (0 where nothing is left)."""
    for i in range(len(waves)):
        row, before = waves[i], 0.0
        for again in range(2):  # twice is enough (Kahan; Parlett, The Symmetric Eigenvalue Problem, 6.9)
            total = 0.0
            for t in range(len(row)):
                total += row[t]
            for t in range(len(row)):
                row[t] -= total / len(row)
            for j in range(i):
                total = 0.0
                for t in range(len(row)):
                    total += waves[j, t] * row[t]
                for t in range(len(row)):
                    row[t] -= total * waves[j, t]
            total = 0.0
            for t in range(len(row)):
                total += row[t] * row[t]
            size = np.sqrt(total)
            before = before if again else size
            for t in range(len(row)):
                row[t] = row[t] / size if size > RANK * before else 0.0


@njit(types.int64(MATRIX, MATRIX, MATRIX, types.int64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _factor(matrix: Any, lower: Any, line: Any, n: int) -> int:
    """Factor a correlation matrix, the channel that most is left of first; return how many were worth it."""
    free = np.ones(n, np.bool_)
    for r in range(n):
        p, most = 0, -1.0
        for i in range(n):
            if free[i] and matrix[i, i] > most:
                p, most = i, matrix[i, i]
        if not most > RANK:
            return r
        free[p] = False
        line[2, r] = p
        root = np.sqrt(most)
        for i in range(n):
            lower[i, r] = matrix[i, p] / root
        for i in range(n):
            for j in range(n):
                matrix[i, j] = matrix[i, j] - lower[i, r] * lower[j, r]
    return n


@njit(types.void(_STACK, types.int64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _to_tridiagonal(stack: Any, m: int) -> None:
    """Make eight symmetric matrices tridiagonal by reflections; squares beside the diagonal go to the last row but one.

    As `ranvier.kernels._spd` does with a single large one.
    """
    step = stack.shape[1] * 64
    s = stack.ctypes.data
    beside, p = s + (stack.shape[0] - 2) * step, s + (stack.shape[0] - 1) * step
    zero = like(load(s), 0.0)
    one, tiny = like(zero, 1.0), like(zero, NOTHING)
    for k in range(m - 1, 0, -1):
        v = s + k * step
        rest = zero
        for j in range(0, (k - 1) * 64, 64):
            rest = fma(load(v + j), load(v + j), rest)
        last = v + (k - 1) * 64
        pivot = load(last)
        square = fma(pivot, pivot, rest)
        norm = sqrt(square)
        store(beside + (k - 1) * 64, square)
        store(last, add(pivot, select(lt(pivot, zero), neg(norm), norm)))
        length = fma(norm, absv(pivot), square)
        size = select(le(length, tiny), zero, div(one, length))
        both = zero
        for i in range(k):
            total = zero
            for j in range(0, k * 64, 64):
                total = fma(load(s + i * step + j), load(v + j), total)
            total = mul(size, total)
            store(p + i * 64, total)
            both = fma(total, load(v + i * 64), both)
        both = mul(mul(like(zero, -0.5), size), both)
        for i in range(0, k * 64, 64):
            store(p + i, fma(both, load(v + i), load(p + i)))
        for i in range(k):
            vi, wi = neg(load(v + i * 64)), neg(load(p + i * 64))
            for j in range(0, k * 64, 64):
                at = s + i * step + j
                store(at, fma(vi, load(p + j), fma(wi, load(v + j), load(at))))


@njit(types.void(_STACK, types.int64, types.int64, types.float64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_largest(stack: Any, m: int, scores: int, weight: float) -> None:
    """Add the largest eigenvalue of eight tridiagonal matrices, which lies between 0 and 1, times a weight."""
    step = stack.shape[1] * 64
    s = stack.ctypes.data
    beside = s + (stack.shape[0] - 2) * step
    zero = like(load(s), 0.0)
    half, low, high = like(zero, 0.5), zero, like(zero, 1.0)
    for _ in range(HALVINGS):
        middle = mul(half, add(low, high))
        left = sub(load(s), middle)
        above = le(zero, left)
        for i in range(1, m):
            left = sub(sub(load(s + i * (step + 64)), middle), div(load(beside + i * 64 - 64), left))
            above = either(above, le(zero, left))
        low, high = select(above, middle, low), select(above, high, middle)
    store(scores, fma(like(zero, weight), mul(half, add(low, high)), load(scores)))


@njit(types.void(MATRIX, MATRIX, types.int64, types.int64, types.int64, types.int64, _STACK),
      cache=True, nogil=True)  # type: ignore[untyped-decorator]  # fmt: skip
def _small(cross: Any, line: Any, rank: int, n_waves: int, apart: int, column: int, stack: Any) -> None:
    """Write the products of eight sets with themselves: of channels or of waves, whichever are fewer."""
    zero = like(load(cross.ctypes.data), 0.0)
    step, wave = cross.shape[1] * 8, apart * 8
    begin = cross.ctypes.data + column * 8
    m = min(rank, n_waves)
    for a in range(m):
        for b in range(a + 1):
            total = zero
            if rank <= n_waves:
                p, q = begin + int(line[2, a]) * step, begin + int(line[2, b]) * step
                for k in range(0, n_waves * wave, wave):
                    total = fma(load(p + k), load(q + k), total)
            else:
                for r in range(rank):
                    p = begin + int(line[2, r]) * step
                    total = fma(load(p + a * wave), load(p + b * wave), total)
            store(stack.ctypes.data + (a * stack.shape[1] + b) * 64, total)
            store(stack.ctypes.data + (b * stack.shape[1] + a) * 64, total)


@njit(types.boolean(types.int64, types.int64, MATRIX, types.int64, _ROOM, types.float64, types.float64[::1]),
      cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]  # fmt: skip
def correlate(length: int, n: int, waves: Any, apart: int, rooms: Any, weight: float, scores: Any) -> bool:
    """Add the largest squared canonical correlation with each set of waves, times a weight; False for no signal.

    Parameters
    ----------
    length, n
        Of the window in the first of the rooms, from which the mean is taken.
    waves, apart
        From `in_lanes`; those of a set orthonormal and without a mean, or 0.
    rooms
        From `room`.
    scores
        One a set, with room up to the next eighth.
    """
    window, matrix, lower, cross, line, stack = rooms
    line[:] = 0.0
    add_rows(window, length, line[0])
    for i in range(n):
        line[0, i] = line[0, i] / length
    for t in range(length):
        for i in range(n):
            window[t, i] = window[t, i] - line[0, i]
    add_products(window, window, length, matrix, n, n, True, True)
    most = 0.0
    for i in range(n):
        if not matrix[i, i] < SANE:
            return False
        most = max(most, matrix[i, i])
        line[1, i] = 1.0 / np.sqrt(matrix[i, i]) if matrix[i, i] > 0.0 else 0.0
    if not most > 0.0:
        return False
    for i in range(n):
        for j in range(i, n):
            matrix[i, j] = matrix[i, j] * (line[1, i] * line[1, j])
            matrix[j, i] = matrix[i, j]
    rank = _factor(matrix, lower, line, n)
    columns = waves.shape[1] - LANES
    add_products(window, waves, length, cross, n, columns, False, True)
    for r in range(rank):
        p = int(line[2, r])
        row = cross[p]
        for j in range(columns):
            row[j] = row[j] * line[1, p]
        for k in range(r):
            part, other = lower[p, k], cross[int(line[2, k])]
            for j in range(columns):
                row[j] = row[j] - part * other[j]
        for j in range(columns):
            row[j] = row[j] / lower[p, r]
    n_waves = columns // apart
    for c in range(0, apart, LANES):
        _small(cross, line, rank, n_waves, apart, c, stack)
        _to_tridiagonal(stack, min(rank, n_waves))
        _add_largest(stack, min(rank, n_waves), scores.ctypes.data + c * 8, weight)
    return True
