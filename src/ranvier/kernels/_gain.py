"""The gain of a Kalman filter one sample later: products of small matrices, in a defined order."""

from __future__ import annotations

from typing import Any

from numba import float64, int64, types

from ranvier.kernels._jit import njit
from ranvier.kernels._part import inner
from ranvier.kernels._simd import get, get_i8, put

NOTHING = 1e-14  # part of what a hidden number shows that is left after the others by rounding alone
PRODUCT = 64  # bytes of a line that says what is multiplied


def products(d: int, p: int, at: dict[str, int]) -> list[list[int]]:
    """Return what `advance` multiplies, from the addresses of its matrices.

    A line says: how many columns, ``a``, ``b``, bytes between rows and between columns of ``b``, what ``a @ b`` is
    added to (0: nothing), its sign, and where the outcome goes.
    """
    n, half = 8 * d, at["room"]
    return [
        [d, at["move"], at["covariance"], n, 8, 0, 1, half],
        [d, half, at["move"], 8, n, at["noise"], 1, half + n * d],
        [p, at["covariance"], at["weights"], 8 * p, 8, 0, 1, at["gain"]],
        [d, at["information"], at["move"], n, 8, 0, 1, half],
        [d, at["covariance"], half, n, 8, at["move"], -1, at["carry"]],
    ]


@inner  # type: ignore[untyped-decorator]
def _hear(d: Any, information: Any, covariance: Any, half: Any, later: Any, told: Any, still: Any) -> Any:
    """Let `later` hear the channels; say whether it moved, and make it the covariance if so."""
    n = 8 * d
    for at in range(0, n * d, 8):
        put(told + at, get(information + at, 0.0))
    for k in range(d):  # what the channels tell is a sum of d squares, each of which is heard by itself
        pivot = get(told + (n + 8) * k, 0.0)
        if pivot <= NOTHING * get(information + (n + 8) * k, 0.0):
            continue
        size = 1.0
        for i in range(d):
            total = 0.0
            for j in range(k, d):
                total += get(later + n * i + 8 * j, 0.0) * get(told + n * k + 8 * j, 0.0)
            put(half + 8 * i, total)
        for j in range(k, d):
            size += get(half + 8 * j, 0.0) * get(told + n * k + 8 * j, 0.0) / pivot
        for i in range(d):
            for j in range(d):
                at = n * i + 8 * j
                put(later + at, get(later + at, 0.0) - get(half + 8 * i, 0.0) * get(half + 8 * j, 0.0) / (pivot * size))
                if i > k and j > k:
                    cross = get(told + n * k + 8 * i, 0.0) * get(told + n * k + 8 * j, 0.0) / pivot
                    put(told + at, get(told + at, 0.0) - cross)
    most = change = 0.0
    for i in range(d):
        for j in range(i + 1):
            mean = (get(later + n * i + 8 * j, 0.0) + get(later + n * j + 8 * i, 0.0)) * 0.5
            put(later + n * i + 8 * j, mean)
            put(later + n * j + 8 * i, mean)
            before = get(covariance + n * i + 8 * j, 0.0)
            most, change = max(most, abs(before)), max(change, abs(mean - before))
    moves = change > still * most
    if moves:
        for at in range(0, n * d, 8):
            put(covariance + at, get(later + at, 0.0))
    return moves


@njit(types.int64(*[types.int64] * 5, types.float64), cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def advance(d: Any, lines: Any, information: Any, covariance: Any, room: Any, still: Any) -> Any:
    """Let a covariance go on by one sample, and the gain with it; return 1, or 0 where it stays as it is.

    The covariance becomes that of ``move @ covariance @ move' + noise`` once the channels are heard; then ``gain`` is
    ``covariance @ weights`` and ``carry`` is ``move - covariance @ information @ move``.

    Parameters
    ----------
    d
        How many hidden numbers.
    lines
        Address of `products`, int64.
    information, covariance
        Addresses of what the channels tell, ``H' R^-1 H``, and of the covariance, ``(d, d)``.
    room
        Address of room for ``(3, d, d)``.
    still
        Change, over the largest number, up to which it stays.
    """
    n = 8 * d
    half, later, told = room, room + n * d, room + 2 * n * d
    moves = False
    for step in range(5):
        if step == 2:
            moves = _hear(d, information, covariance, half, later, told, still)
        line = lines + PRODUCT * step
        m, a, b = get_i8(line), get_i8(line + 8), get_i8(line + 16)
        along, across, given, out = get_i8(line + 24), get_i8(line + 32), get_i8(line + 40), get_i8(line + 56)
        sign = float64(get_i8(line + 48))
        for i in range(d):
            for j in range(m):
                total = get(given + 8 * (m * i + j), 0.0) if given else 0.0
                for k in range(d):
                    total += sign * (get(a + n * i + 8 * k, 0.0) * get(b + along * k + across * j, 0.0))
                put(out + 8 * (m * i + j), total)
    return int64(moves)
