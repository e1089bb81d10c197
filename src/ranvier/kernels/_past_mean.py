"""The mean of a few past samples of each channel, taken away from the present one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, float64, int64, types

from ranvier.kernels._jit import kernel


def _rows(kind: Any, n: int) -> Any:
    return types.Array(kind, n, "C", readonly=True)


@kernel(
    lambda f: int64(
        _rows(f, 2), _rows(boolean, 2), boolean, _rows(int64, 1), int64, f[:, ::1], boolean[:, ::1], int64[::1],
        f[:, ::1], boolean[:, ::1],
    )
)  # fmt: skip
def past_mean(
    x: Any, ok: Any, masked: bool, lags: Any, least: int, ring: Any, good: Any, where: Any, y: Any, w: Any
) -> int:
    """Write ``x[t] - mean of the valid x[t - lags]`` and return how many results are not valid; those are 0.

    Sums are float64, in the order of `lags`, each channel for itself.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`.
    lags
        How far back, ascending, the last less than the length of the ring.
    least
        How many of them have to be valid.
    ring, good, where
        State: the past, 0 where it is not good; row of the next sample, and how many cells are not good.
    y, w
        Result and its mask, of the shape of `x`.
    """
    room, n_channels = ring.shape
    total = np.empty(n_channels)
    count = np.empty(n_channels, np.int64)
    bad = 0
    row, missing = where[0], where[1]
    for t in range(len(x)):
        total[:] = 0.0
        count[:] = 0 if missing else len(lags)
        for lag in lags:
            past = row - lag
            if past < 0:
                past += room
            for c in range(n_channels):
                total[c] += float64(ring[past, c])
            if missing:
                for c in range(n_channels):
                    count[c] += good[past, c]
        for c in range(n_channels):
            fine = not masked or ok[t, c]
            missing += np.int64(good[row, c]) - np.int64(fine)
            good[row, c] = fine
            ring[row, c] = x[t, c] if fine else 0.0
            w[t, c] = fine and count[c] >= least
            if w[t, c]:
                y[t, c] = float64(x[t, c]) - total[c] / count[c]
            else:
                y[t, c] = 0.0
                bad += 1
        row = row + 1 if row + 1 < room else 0
    where[0], where[1] = row, missing
    return bad
