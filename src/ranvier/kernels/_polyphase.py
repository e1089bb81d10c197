"""Filters of finite length that may change the rate: for each output one phase of the taps over the newest samples."""

from __future__ import annotations

from typing import Any

from numba import boolean, int32, int64, types

from ranvier.kernels._jit import kernel


def _rows(kind: Any, n: int = 2) -> Any:
    return types.Array(kind, n, "C", readonly=True)


@kernel(
    lambda f: int64(
        _rows(f), _rows(boolean), boolean, f[:, ::1], int32[::1], int64[::1], _rows(f), int64, int64, f[:, ::1],
        boolean[:, ::1],
    )
)  # fmt: skip
def polyphase(
    x: Any, ok: Any, masked: bool, ring: Any, run: Any, newest: Any, taps: Any, first: int, down: int, y: Any, w: Any
) -> int:
    """Filter one block and return how many of the results are not valid; those are 0.

    Output k of the block lies at place ``p = first + k * down`` of a grid that is ``up`` times as fine as
    the input, and is the sum of ``taps[p % up, j] * x[p // up - j]`` over j, in rising order.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`.
    ring, run, newest
        State: the newest samples ``(length, n_channels)``, for how many samples each channel was valid
        without a break (up to `length`), and the row of the ring that was written last.
    taps
        ``(up, length)``.
    y, w
        Results ``(n_out, n_channels)`` and their mask: valid where all `length` samples are.
    """
    up, length = taps.shape
    zero = x.dtype.type(0)
    k = bad = 0
    for t in range(len(x)):
        newest[0] = (newest[0] + 1) % length
        row, values = ring[newest[0]], x[t]
        for c in range(len(row)):
            good = not masked or ok[t, c]
            row[c] = values[c] if good else zero
            run[c] = min(run[c] + 1, length) if good else 0
        while k < len(y) and (first + k * down) // up == t:
            h = taps[(first + k * down) % up]
            out = y[k]
            out[:] = zero
            for j in range(length):
                past = ring[(newest[0] + length - j) % length]
                for c in range(len(out)):
                    out[c] += h[j] * past[c]
            for c in range(len(out)):
                w[k, c] = run[c] == length
                if not w[k, c]:
                    out[c] = zero
                    bad += 1
            k += 1
    return bad
