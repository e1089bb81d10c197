"""Running mean and standard deviation of each channel, and what a sample is in those terms."""

from __future__ import annotations

from math import sqrt
from typing import Any

from numba import boolean, float64, int64, types

from ranvier.kernels._jit import kernel


def _rows(kind: Any) -> Any:
    return types.Array(kind, 2, "C", readonly=True)


@kernel(
    lambda f: int64(
        _rows(f), _rows(boolean), boolean, float64, int64, float64[::1], float64[::1], int64[::1], f[:, ::1],
        boolean[:, ::1],
    )
)  # fmt: skip
def standardise(
    x: Any, ok: Any, masked: bool, memory: float, settle: int, mean: Any, variance: Any, count: Any, y: Any, w: Any
) -> int:
    """Write ``(x - mean) / sd`` and return how many results are not valid; those are 0.

    Each valid sample moves the mean by ``1 / n`` of its distance, n being how many there were, at most
    `memory`; an invalid one moves nothing, and with a `memory` of 0 none does.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`.
    memory, settle
        Time constant, and how many valid samples it takes until the results are valid [samples].
    mean, variance, count
        State of each channel; `count` goes up to the larger of `memory` and `settle`.
    y, w
        Result and its mask, of the shape of `x`.
    """
    bad = 0
    most = max(int(memory) + 1, settle)
    for t in range(len(x)):
        for c in range(len(mean)):
            good = not masked or ok[t, c]
            z = 0.0
            if good:
                v = float64(x[t, c])
                count[c] = min(count[c] + 1, most)
                if memory > 0.0:
                    part = 1.0 / min(float64(count[c]), memory)
                    away = v - mean[c]
                    mean[c] += part * away
                    variance[c] = (1.0 - part) * (variance[c] + part * away * away)
                good = count[c] >= settle
                if good and variance[c] > 0.0:
                    z = (v - mean[c]) / sqrt(variance[c])
            if not good:
                bad += 1
            y[t, c] = z
            w[t, c] = good
    return bad
