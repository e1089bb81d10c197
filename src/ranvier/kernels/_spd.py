"""Logarithms of symmetric positive definite matrices without eigenvectors: the same bits on every CPU.

A covariance is whitened (``A = W C W'``) and made tridiagonal by reflections (``A = Q T Q'``). The logarithm of T is
the sum of simple fractions of `_log_rule`, each of them a tridiagonal inverse, whose entries follow from its factors;
then the reflections are undone. Sums run in eight lanes in a defined order; there is nothing but ``+ - * /``, fma and
square roots.

References
----------
Golub & Van Loan, Matrix Computations (4th ed. 2013), 8.3.1. Takahashi, Fagan & Chin, Proc. 8th PICA Conf. (1973) 63:
entries of an inverse from the factors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from ranvier.kernels._jit import njit
from ranvier.kernels._log_rule import CONSTANT, FRACTIONS, LOWEST
from ranvier.kernels._products import LANES, MATRIX, add_products, load, padded, splat
from ranvier.kernels._simd import make_tree, store
from ranvier.kernels.ops import add, div, fma, like, mul, neg

TERMS = len(FRACTIONS)
LOG_2 = 0.6931471805599453
ROOT_2 = 1.4142135623730951
SANE = 1e150  # numbers beyond it are not covariances of anything, and their squares overflow

_tree = make_tree("f8", LANES)
_POLES = np.array([p for p, _ in FRACTIONS])
_WEIGHTS = np.array([w for _, w in FRACTIONS])
_UNITS = np.eye(LANES)

_CUBE = types.Array(types.float64, 3, "C", readonly=True)
_USED = types.boolean[::1]
_ROOM = types.UniTuple(MATRIX, 7)


def room(n: int, rank: int) -> tuple[Any, ...]:
    """Return working memory for covariances ``(n, n)`` whitened to `rank`."""
    return (
        padded(n, n),  # the covariance
        padded(n, rank),  # half whitened
        padded(rank, rank),  # whitened; then what is left of it, then the logarithm
        padded(rank, rank),  # reflections, one a row
        padded(6, rank),  # diagonal, beside it, sizes of reflections; products now and before; nothing
        np.zeros((rank + LANES, TERMS)),  # of each inverse: what an entry is to the one below it
        np.zeros((rank + LANES, TERMS)),  # of each inverse: the diagonal, times the weight
    )


def turned(whitening: Any) -> Any:
    """Return whitenings ``(..., rank, n)`` with their rows as columns, in padded memory."""
    *more, rank, n = whitening.shape
    out = padded(*more, n, rank)
    out[..., :n, :rank] = np.swapaxes(whitening, -1, -2)
    return out


@njit(types.void(_CUBE, types.int64, MATRIX, types.int64, _ROOM), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def whiten(x: Any, which: int, white: Any, rank: int, rooms: Any) -> None:
    """Write ``W C W'`` of covariance `which` into the third room, both halves."""
    full, half, small = rooms[0], rooms[1], rooms[2]
    n = x.shape[1]
    for i in range(n):
        for j in range(n):
            full[i, j] = x[which, i, j]
    add_products(full, white, n, half, n, rank, False, True)
    add_products(half, white, n, small, rank, rank, True, True)
    for i in range(rank):
        for j in range(i):
            small[i, j] = small[j, i]


@njit(types.float64(types.int64, types.int64, types.int64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _dot(a_at: int, b_at: int, n: int) -> float:
    """Return the sum of products of n numbers; those up to the next sixteenth are read and have to be 0 in `a`."""
    s0 = like(load(a_at), 0.0)
    s1 = s0
    for c in range(0, n * 8, 128):
        s0 = fma(load(a_at + c), load(b_at + c), s0)
        s1 = fma(load(a_at + c + 64), load(b_at + c + 64), s1)
    return _tree((s0, s1))  # type: ignore[no-any-return]


@njit(types.void(MATRIX, *[types.int64] * 6), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _update(matrix: Any, rows: int, columns: int, v: int, w: int, u: int, p: int) -> None:
    """Take ``v w' + w v'`` off the first rows of a matrix, and write ``matrix' u`` of what is left to p.

    v, w, u and p are addresses; u is 0 from `rows` on.
    """
    step = matrix.shape[1] * 8
    for c in range(0, columns * 8, 128):
        at = matrix.ctypes.data + c
        v0, v1, w0, w1 = load(v + c), load(v + c + 64), load(w + c), load(w + c + 64)
        v0, v1, w0, w1 = neg(v0), neg(v1), neg(w0), neg(w1)
        p0 = like(v0, 0.0)
        p1 = p0
        for i in range(rows):
            vi, wi, ui = splat(v + i * 8), splat(w + i * 8), splat(u + i * 8)
            a0 = fma(vi, w0, fma(wi, v0, load(at)))
            a1 = fma(vi, w1, fma(wi, v1, load(at + 64)))
            store(at, a0)
            store(at + 64, a1)
            p0, p1 = fma(ui, a0, p0), fma(ui, a1, p1)
            at += step
        store(p + c, p0)
        store(p + c + 64, p1)


@njit(types.void(*[types.int64] * 5, types.float64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _product_to_step(v: int, p: int, w: int, n: int, columns: int, size: float) -> None:
    """Write w so that ``A - v w' - w v'`` is the reflected A, from ``p = A v``."""
    part = like(load(v), -0.5 * size * size * _dot(v, p, n))
    wide = like(load(v), size)
    for c in range(0, columns * 8, 128):
        store(w + c, fma(part, load(v + c), mul(wide, load(p + c))))
        store(w + c + 64, fma(part, load(v + c + 64), mul(wide, load(p + c + 64))))


@njit(types.void(MATRIX, MATRIX, MATRIX, types.int64), cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _to_tridiagonal(a: Any, reflections: Any, lines: Any, n: int) -> None:
    """Make a symmetric matrix tridiagonal, from the last row up; what was done goes into `reflections`.

    Reflection k is ``I - size v v'`` with v in row k, 0 from column k on. Each takes the one before it off the matrix
    in the same sweep in which it is multiplied by it.
    """
    step = lines.shape[1] * 8
    line, end = lines.ctypes.data, lines.shape[1]
    p, w = line + 3 * step, line + 4 * step
    lines[:] = 0.0
    v = line + 5 * step
    for k in range(n - 1, 0, -1):
        row, u = a.ctypes.data + k * step, reflections.ctypes.data + k * step
        vk, wk = neg(splat(v + k * 8)), neg(splat(w + k * 8))
        for c in range(0, (k + 1) * 8, 64):
            store(u + c, fma(vk, load(w + c), fma(wk, load(v + c), load(row + c))))
        lines[0, k] = reflections[k, k]
        pivot = reflections[k, k - 1]
        for j in range(k - 1, end):
            reflections[k, j] = 0.0
        rest = _dot(u, u, k - 1)
        size = 0.0
        lines[1, k - 1] = pivot
        if rest > 0.0:
            norm = np.sqrt(pivot * pivot + rest)
            long = norm if pivot >= 0.0 else -norm
            reflections[k, k - 1] = pivot + long
            lines[1, k - 1] = -long
            size = 1.0 / (norm * (norm + abs(pivot)))
        else:
            for j in range(k - 1):
                reflections[k, j] = 0.0
        lines[2, k] = size
        _update(a, k, k, v, w, u, p)
        for j in range(k, end):
            lines[3, j] = 0.0
        _product_to_step(u, p, w, k, k, size)
        v = u
    lines[0, 0] = a[0, 0]


@njit(types.void(MATRIX, MATRIX, MATRIX, types.int64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _turn_back(f: Any, reflections: Any, lines: Any, n: int) -> None:
    """Undo the reflections: ``Q F Q'`` of a symmetric F whose upper half is given; the upper half is right then."""
    step = lines.shape[1] * 8
    line = lines.ctypes.data
    p, w, v, none = line + 3 * step, line + 4 * step, line + 5 * step, line + 5 * step
    lines[3:] = 0.0
    for k in range(2, n):
        u = reflections.ctypes.data + k * step
        _update(f, k - 1, n, v, w, u, p)
        for j in range(k - 1):
            f[k - 1, j] = f[j, k - 1]
        row, last = f.ctypes.data + (k - 1) * step, splat(u + (k - 1) * 8)
        for c in range(0, n * 8, 64):
            store(p + c, fma(last, load(row + c), load(p + c)))
        _product_to_step(u, p, w, k, n, lines[2, k])
        v = u
    _update(f, n - 1, n, v, w, none, p)


@njit(types.void(MATRIX, types.int64, MATRIX, MATRIX), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _inverses(lines: Any, n: int, ratio: Any, inverse: Any) -> None:
    """Write of ``(T + pole)**-1``, for each pole: what an entry is to the one below it; the diagonal, weighted."""
    d, e = lines.ctypes.data, lines.ctypes.data + lines.shape[1] * 8
    poles, weights, step = _POLES.ctypes.data, _WEIGHTS.ctypes.data, TERMS * 8
    r, g = ratio.ctypes.data, inverse.ctypes.data
    one = like(load(poles), 1.0)
    for i in range(n):
        for c in range(0, step, 64):
            pivot = add(splat(d + i * 8), load(poles + c))
            if i:
                pivot = fma(splat(e + i * 8 - 8), load(r + c - step), pivot)
            part = div(one, pivot)
            store(g + c, part)
            store(r + c, neg(mul(splat(e + i * 8), part)))
        r += step
        g += step
    for i in range(n - 1, -1, -1):
        r -= step
        g -= step
        for c in range(0, step, 64):
            part = mul(load(weights + c), load(g + c))
            if i < n - 1:
                by = load(r + c)
                part = fma(mul(by, by), load(g + c + step), part)
            store(g + c, part)


@njit(types.void(MATRIX, MATRIX, MATRIX, types.int64, types.int64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add_columns(ratio: Any, inverse: Any, out: Any, column: int, term: int) -> None:
    """Add eight terms to eight columns of a sum of inverses, from the diagonal up; the first terms begin it."""
    step, down = TERMS * 8, out.shape[1] * 8
    row = column + LANES - 1
    r, g = ratio.ctypes.data + row * step + term * 8, inverse.ctypes.data + row * step + term * 8
    at, unit = out.ctypes.data + row * down + column * 8, _UNITS.ctypes.data + (LANES - 1) * 64
    zero = like(load(unit), 0.0)
    v0, v1, v2, v3, v4, v5, v6, v7 = zero, zero, zero, zero, zero, zero, zero, zero
    for i in range(row, -1, -1):
        v0, v1, v2, v3 = mul(splat(r), v0), mul(splat(r + 8), v1), mul(splat(r + 16), v2), mul(splat(r + 24), v3)
        v4, v5 = mul(splat(r + 32), v4), mul(splat(r + 40), v5)
        v6, v7 = mul(splat(r + 48), v6), mul(splat(r + 56), v7)
        if i >= column:
            one = load(unit)
            v0, v1 = fma(one, splat(g), v0), fma(one, splat(g + 8), v1)
            v2, v3 = fma(one, splat(g + 16), v2), fma(one, splat(g + 24), v3)
            v4, v5 = fma(one, splat(g + 32), v4), fma(one, splat(g + 40), v5)
            v6, v7 = fma(one, splat(g + 48), v6), fma(one, splat(g + 56), v7)
            unit -= 64
            g -= step
        total = add(add(add(v0, v1), add(v2, v3)), add(add(v4, v5), add(v6, v7)))
        store(at, add(load(at), total) if term else total)
        r -= step
        at -= down


@njit(types.boolean(MATRIX, types.int64, MATRIX, MATRIX, MATRIX), cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _log_tridiagonal(lines: Any, n: int, ratio: Any, inverse: Any, out: Any) -> bool:
    """Write the upper half of the logarithm of a tridiagonal matrix; False where it is not positive definite."""
    d, e = lines[0], lines[1]
    most = 0.0
    for i in range(n):
        most = max(most, abs(d[i]) + abs(e[i]) + (abs(e[i - 1]) if i else 0.0))
        if not (d[i] > 0.0 and abs(e[i]) < SANE):
            return False
    if not 1.0 / SANE < most < SANE:
        return False
    scale, power = 1.0, 0.0  # most is made at most 1 by a power of two, which is exact
    while most * scale > 1.0:
        scale, power = scale * 0.5, power + 1.0
    while most * scale <= 0.5:
        scale, power = scale * 2.0, power - 1.0
    pivot = 1.0
    for i in range(n):
        d[i] *= scale
        e[i] *= scale
        pivot = d[i] - LOWEST - (e[i - 1] * (e[i - 1] / pivot) if i else 0.0)
        if not pivot > 0.0:
            return False
    _inverses(lines, n, ratio, inverse)
    constant = CONSTANT + power * LOG_2
    for c in range(0, n, LANES):
        for k in range(0, TERMS, 8):
            _add_columns(ratio, inverse, out, c, k)
    for i in range(n):
        out[i, i] = constant - out[i, i]
        for j in range(i + 1, n):
            out[i, j] = -out[i, j]
    return True


@njit(types.boolean(_CUBE, types.int64, MATRIX, types.int64, _ROOM), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _log_whitened(x: Any, which: int, white: Any, rank: int, rooms: Any) -> bool:
    """Write into the third room the upper half of the logarithm of what the reflections make tridiagonal."""
    _, _, small, reflections, lines, ratio, inverse = rooms
    whiten(x, which, white, rank, rooms)
    _to_tridiagonal(small, reflections, lines, rank)
    good: bool = _log_tridiagonal(lines, rank, ratio, inverse, small)
    if not good:
        small[:] = 0.0  # numbers that are not finite would stay beside the matrix
    return good


@njit(types.float64(MATRIX, types.int64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _square(upper: Any, n: int) -> float:
    """Return the sum of the squares of a symmetric matrix whose upper half is given."""
    beside, diagonal = 0.0, 0.0
    for i in range(n):
        diagonal = diagonal + upper[i, i] * upper[i, i]
        for j in range(i + 1, n):
            beside = beside + upper[i, j] * upper[i, j]
    return diagonal + 2.0 * beside


@njit(types.void(_CUBE, _USED, MATRIX, types.int64, _ROOM, MATRIX), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def log_vectors(x: Any, used: Any, white: Any, rank: int, rooms: Any, y: Any) -> None:
    """Write the upper triangle of the logarithm of each whitened covariance, those off the diagonal times sqrt(2).

    Parameters
    ----------
    x
        Covariances ``(n_samples, n, n)``.
    used
        Which are looked at; becomes False where one is not positive definite.
    white, rank, rooms
        From `turned` and `room`.
    y
        ``(n_samples, rank * (rank + 1) / 2)``; rows that are not used are not written.
    """
    small, reflections, lines = rooms[2], rooms[3], rooms[4]
    for t in range(len(used)):
        if used[t]:
            used[t] = _log_whitened(x, t, white, rank, rooms)
            if used[t]:
                _turn_back(small, reflections, lines, rank)
                at = 0
                for i in range(rank):
                    y[t, at] = small[i, i]
                    for j in range(i + 1, rank):
                        y[t, at + j - i] = small[i, j] * ROOT_2
                    at += rank - i


@njit(types.void(_CUBE, _USED, types.float64[:, :, ::1], types.int64, _ROOM, MATRIX), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def distances(x: Any, used: Any, whites: Any, rank: int, rooms: Any, y: Any) -> None:
    """Write the squared Riemannian distances of each covariance to those that the whitenings make the identity.

    Parameters
    ----------
    x, used, rank, rooms
        As for `log_vectors`.
    whites
        One after the other, from `turned`.
    y
        ``(n_samples, n_whitenings)``; rows that are not used hold anything.
    """
    for t in range(len(used)):
        for w in range(len(whites)):
            if used[t]:
                used[t] = _log_whitened(x, t, whites[w], rank, rooms)
                y[t, w] = _square(rooms[2], rank) if used[t] else 0.0
