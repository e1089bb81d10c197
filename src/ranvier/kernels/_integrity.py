"""What cannot be trusted in a raw signal, channel by channel, and the last value held instead."""

from __future__ import annotations

from typing import Any

from numba import boolean, float32, float64, int32, int64, njit, types


def _rows(kind: Any, n: int) -> Any:
    return types.Array(kind, n, "C", readonly=True)


@njit(
    [
        int64(_rows(f, 2), _rows(boolean, 2), boolean, _rows(boolean, 1), f, f, int64, f[::1], f[::1], int32[::1],
              f[:, ::1], boolean[:, ::1])
        for f in (float32, float64)
    ],
    cache=True,
    nogil=True,
)  # type: ignore[untyped-decorator]  # fmt: skip
def integrity(
    x: Any, ok: Any, masked: bool, judged: Any, top: float, rail: float, flat: int, held: Any, last: Any, run: Any,
    y: Any, w: Any,
) -> int:  # fmt: skip
    """Copy what can be trusted and hold the last such value elsewhere; return how many cells cannot.

    Parameters
    ----------
    x, ok, masked
        Raw samples ``(n, n_channels)``, whatever they are; their mask, which is looked at only where `masked`.
    judged
        Channels for which `rail` and `flat` count.
    top, rail, flat
        Largest finite number; magnitude from which on a sample is clipped; how many equal samples are
        flat, 0 for never.
    held, last, run
        State of each channel: last trusted value, last value read, and how often that came in a row
        (up to `flat`).
    y, w
        Result and its mask, of the shape of `x`.
    """
    bad = 0
    for t in range(len(x)):
        for c in range(len(held)):
            v = x[t, c]
            good = (not masked or ok[t, c]) and abs(v) <= top
            if good and judged[c]:
                if flat > 0:
                    if run[c] == 0 or v != last[c]:
                        run[c] = 0
                        last[c] = v
                    run[c] = min(run[c] + 1, flat)
                    good = run[c] < flat
                good = good and abs(v) < rail
            if good:
                held[c] = v
            else:
                bad += 1
            y[t, c] = held[c]
            w[t, c] = good
    return bad
