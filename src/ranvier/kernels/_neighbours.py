"""Weighted sums of a few channels each, at every instant, in the order of a list."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, float64, int64, types, void

from ranvier.kernels._jit import kernel


def _rows(kind: Any) -> Any:
    return types.Array(kind, 2, "C", readonly=True)


@kernel(lambda f: void(_rows(f), _rows(boolean), boolean, _rows(int64), _rows(float64), f[:, ::1]))
def neighbours(x: Any, ok: Any, masked: bool, other: Any, weight: Any, y: Any) -> None:
    """Write ``y[t, r] = sum over i of weight[i, r] * x[t, other[i, r]]``, float64, from the first `i` to the last.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`: invalid ones count as 0.
    other, weight
        ``(most, n_results)``: which channels each result is made of, and how.
    y
        ``(n, n_results)``; written.
    """
    most, n_results = other.shape
    total = np.empty(n_results)
    row = np.empty(x.shape[1])
    for t in range(len(x)):
        for c in range(x.shape[1]):
            row[c] = float64(x[t, c]) if not masked or ok[t, c] else 0.0
        total[:] = 0.0
        for i in range(most):
            for r in range(n_results):
                total[r] += weight[i, r] * row[other[i, r]]
        for r in range(n_results):
            y[t, r] = total[r]
