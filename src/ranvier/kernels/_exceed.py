"""Whether a window of a signal exceeds a threshold in any direction, from the products of its hops."""

from __future__ import annotations

from math import isfinite, sqrt
from typing import Any

import numpy as np
from numba import boolean, float64, int64, njit


@njit(
    boolean(
        float64[:, :, ::1], int64[:, ::1], int64, int64, float64[:, ::1], float64[:, ::1], boolean[::1], float64[:, ::1]
    ),
    cache=True, nogil=True,
)  # type: ignore[untyped-decorator]  # fmt: skip
def within(
    products: Any, counts: Any, oldest: int, need: int, threshold: Any, covariance: Any, inside: Any, room: Any
) -> bool:
    """Write the covariance of a window; say whether no direction at all exceeds the threshold.

    That is so where threshold less covariance is positive definite: a Cholesky factor exists. Products are divided
    by the root of both counts, so that the matrix stays one of a Gram kind whatever the mask.

    Parameters
    ----------
    products, counts
        Of each hop, the first being number `oldest`.
    need
        Samples that a channel must have to be looked at.
    threshold, covariance
        ``(n, n)``; the latter is written.
    inside
        Which channels are looked at, written.
    room
        ``(n, n)``.
    """
    hops, n = counts.shape
    for i in range(n):
        total, seen = 0.0, 0
        for h in range(hops):
            total += products[(oldest + h) % hops, i, i]
            seen += counts[(oldest + h) % hops, i]
        inside[i] = seen >= need and isfinite(total)
        room[0, i] = 1.0 / sqrt(float64(seen)) if inside[i] else 0.0
    for i in range(n):
        for j in range(i, n):
            covariance[i, j] = 0.0
        for h in range(hops):
            r = (oldest + h) % hops
            if inside[i]:
                for j in range(i, n):
                    covariance[i, j] += products[r, i, j]
        for j in range(i, n):
            covariance[i, j] = covariance[i, j] * (room[0, i] * room[0, j]) if inside[i] and inside[j] else 0.0
            covariance[j, i] = covariance[i, j]
    for j in range(n):  # Cholesky, a row of the upper factor at a time
        if not inside[j]:
            room[j, j:] = 0.0
            continue
        for k in range(j, n):
            room[j, k] = threshold[j, k] - covariance[j, k] if inside[k] else 0.0
        for i in range(j):
            a = room[i, j]
            if a != 0.0:
                for k in range(j, n):
                    room[j, k] -= a * room[i, k]
        pivot = room[j, j]
        if not pivot > 0.0:
            return False
        pivot = 1.0 / sqrt(pivot)
        for k in range(j, n):
            room[j, k] *= pivot
    return True


def rings(hops: int, n: int) -> tuple[Any, Any]:
    """Return empty products and counts of each hop of a window."""
    return np.zeros((hops, n, n)), np.zeros((hops, n), np.int64)
