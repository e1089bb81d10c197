"""Threshold crossings with a running noise estimate, and who is listened to: by time, then channel, then code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from ranvier.kernels._simd import count, make_load
from ranvier.kernels.ops import both, le, lt

LANES = 16  # width of the search; LLVM splits it where registers are narrower, and no bit depends on it
_load = make_load("f4", "f4", LANES)
_X = types.Array(types.float32, 2, "C", readonly=True)
_F4 = types.float32[::1]
_I4 = types.int32[::1]
_I8 = types.int64[::1]
_U1 = types.uint8[::1]
_ROW = types.Array(types.float32, 1, "C", readonly=True)
_HEARD = types.float32[:, ::1]
_NOISE = types.boolean(_ROW, _HEARD, _I4, _I4, _F4, _F4, types.float64, types.float64)
_SEARCH = types.int64(
    _X, types.boolean, types.int64, _F4, _F4, _I8, types.int64, _U1, _I8, _HEARD, _I4, _I4, _F4, types.int64,
    types.float64, types.float64, _I8, types.int32[:, ::1], _F4,
)  # fmt: skip
SPIKE, LOST, BACK = 0, 1, 2  # codes of what is written
MEDIAN_OF_ONE_SIGMA = 0.6744897501960817  # median of |x| for a normal x with a standard deviation of 1


@njit(_NOISE, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def hear_noise(
    row: Any, heard: Any, filled: Any, estimates: Any, noise: Any, threshold: Any, factor: float, weight: float
) -> bool:
    """Take one instant into the noise estimate; a channel that has heard enough is estimated anew.

    Returns whether a channel was left without a threshold, its noise being 0.

    Parameters
    ----------
    row
        ``(n_channels,)``, nan where invalid.
    heard, filled
        Sizes heard so far ``(n_channels, m)``, and how many; negative: so many are let go by first.
    estimates
        How many each channel has had.
    noise, threshold
        Of each channel; threshold -inf where there is none.
    factor
        Threshold over noise.
    weight
        Of a new estimate against the running one, at least: until then they are averaged.
    """
    m = heard.shape[1]
    without = False
    for c in range(row.shape[0]):
        if row[c] == row[c]:
            if filled[c] >= 0:
                heard[c, filled[c]] = abs(row[c])
            filled[c] += 1
            if filled[c] == m:
                filled[c] = 0
                new = np.median(heard[c]) / MEDIAN_OF_ONE_SIGMA
                estimates[c] += 1
                part = max(weight, 1.0 / estimates[c])
                noise[c] = noise[c] + part * (new - noise[c])
                threshold[c] = -factor * noise[c] if noise[c] > 0.0 else -np.inf
                without |= threshold[c] == -np.inf
    return without


@njit(_SEARCH, cache=True, nogil=True)  # type: ignore[untyped-decorator]
def search(
    x: Any, masked: bool, start: int, before: Any, threshold: Any, free: Any, refractory: int, listened: Any,
    look: Any, heard: Any, filled: Any, estimates: Any, noise: Any, stride: int, factor: float, weight: float,
    sample: Any, who: Any, value: Any,
) -> int:  # fmt: skip
    """Write where x goes from at or above the (negative) threshold to below it, and where channels go and come.

    A channel is listened to at an instant if it is valid there and one before, and has a threshold. Returns how
    much was written.

    Parameters
    ----------
    x
        Block ``(n, n_channels)``; nan where nothing is known.
    masked
        Whether x may hold nan.
    start
        Index of row 0.
    before
        The row before row 0; -inf where nothing is known; becomes the last row.
    threshold
        Of each channel.
    free
        Index from which each channel may be heard again.
    refractory
        For how long it may not [samples].
    listened
        Whether each channel is listened to (0, 1).
    look
        Not 0: somebody is not listened to, or may not be at the next row. Where it is 0 and nothing is masked,
        no row needs a look for who goes and comes.
    heard, filled, estimates, noise, factor, weight
        As for `hear_noise`, which is called after each row whose index is a multiple of `stride`.
    sample, who, value
        Where events are written; `who` are channel and code ``(2, room)``.
    """
    n = x.shape[1]
    wide = n - n % LANES
    found = 0
    x_at, before_at, threshold_at = x.ctypes.data, before.ctypes.data, threshold.ctypes.data
    for t in range(x.shape[0]):
        row = x_at + t * n * 4
        earlier = before_at if t == 0 else row - n * 4
        changed = False
        if masked or look[0] != 0:
            away = 0
            for c in range(n):
                last_value = before[c] if t == 0 else x[t - 1, c]
                now = x[t, c] == x[t, c] and last_value > -np.inf and threshold[c] > -np.inf
                away += not now
                changed |= now != (listened[c] != 0)
            look[0] = away
        c = 0
        while c < n:
            last = c + LANES
            if c < wide and not changed:
                limits = _load(threshold_at + c * 4)
                if count(both(lt(_load(row + c * 4), limits), le(limits, _load(earlier + c * 4)))) == 0:
                    c = last
                    continue
            else:
                last = n
            while c < last:
                limit = threshold[c]
                last_value = before[c] if t == 0 else x[t - 1, c]
                if x[t, c] < limit and last_value >= limit and free[c] <= start + t:
                    free[c] = start + t + refractory
                    sample[found] = start + t
                    who[0, found] = c
                    who[1, found] = SPIKE
                    value[found] = x[t, c]
                    found += 1
                if changed:
                    now = x[t, c] == x[t, c] and last_value > -np.inf and limit > -np.inf
                    if now != (listened[c] != 0):
                        listened[c] = now
                        sample[found] = start + t
                        who[0, found] = c
                        who[1, found] = BACK if now else LOST
                        value[found] = 0.0
                        found += 1
                c += 1
        if (start + t) % stride == 0:
            without = hear_noise(x[t], heard, filled, estimates, noise, threshold, factor, weight)
            if without and look[0] == 0:
                look[0] = 1
    if x.shape[0]:
        for c in range(n):
            v = x[x.shape[0] - 1, c]
            before[c] = v if v == v else -np.inf
    return found
