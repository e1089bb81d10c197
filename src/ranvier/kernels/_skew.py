"""Filters of finite length, one of its own for each channel: the delays of a multiplexer taken back."""

from __future__ import annotations

from typing import Any

from numba import boolean, int32, int64, types

from ranvier.kernels._jit import kernel


def _rows(kind: Any, n: int = 2) -> Any:
    return types.Array(kind, n, "C", readonly=True)


@kernel(
    lambda f: int64(
        _rows(f), _rows(boolean), boolean, f[:, ::1], int32[::1], int64[::1], _rows(f), f[:, ::1], boolean[:, ::1]
    )
)
def skew(x: Any, ok: Any, masked: bool, ring: Any, run: Any, newest: Any, taps: Any, y: Any, w: Any) -> int:
    """Filter one block and return how many of the results are not valid; those are 0.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`.
    ring, run, newest
        State: the newest samples twice over, ``(2 * length, n_channels)``, so that they always lie in one piece;
        for how many samples each channel was valid without a break (up to `length`); the row written last.
    taps
        ``(length, n_channels)``; result k is the sum of ``taps[j] * x[k - j]`` over j, in rising order.
    y, w
        Results ``(n, n_channels)`` and their mask: valid where all `length` samples are.
    """
    length, channels = taps.shape
    zero = x.dtype.type(0)
    bad = 0
    for t in range(len(x)):
        newest[0] = (newest[0] + 1) % length
        here = newest[0] + length
        for c in range(channels):
            good = not masked or ok[t, c]
            value = x[t, c] if good else zero
            ring[here, c] = value
            ring[here - length, c] = value
            run[c] = min(run[c] + 1, length) if good else 0
            y[t, c] = zero
        for j in range(length):
            for c in range(channels):
                y[t, c] += taps[j, c] * ring[here - j, c]
        for c in range(channels):
            w[t, c] = run[c] == length
            if not w[t, c]:
                y[t, c] = zero
                bad += 1
    return bad
