"""One channel minus the mean of others: bipolar, and any named reference, in one loop."""

from __future__ import annotations

from typing import Any

from numba import boolean, int64, types, void

from ranvier.kernels._jit import kernel


def _rows(kind: Any, n: int) -> Any:
    return types.Array(kind, n, "C", readonly=True)


@kernel(
    lambda f: void(
        _rows(f, 2), _rows(boolean, 2), boolean, _rows(int64, 1), _rows(int64, 1), _rows(int64, 1), f[:, ::1],
        boolean[:, ::1],
    )
)  # fmt: skip
def mix(x: Any, ok: Any, masked: bool, keep: Any, row: Any, other: Any, y: Any, w: Any) -> None:
    """Write ``y[r] = x[keep[r]] - mean(x[other])``, summed in the order of the list; valid where all of it is.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`.
    keep
        Channel that each result starts from.
    row, other
        Result r takes away the mean of ``other[row[r]:row[r + 1]]``; nothing where that is empty.
    y, w
        Results ``(n, len(keep))`` and their mask; `w` is written only where `masked`.
    """
    zero = x.dtype.type(0)
    for t in range(len(x)):
        for r in range(len(keep)):
            n = row[r + 1] - row[r]
            total, good = zero, not masked or ok[t, keep[r]]
            for i in range(row[r], row[r + 1]):
                good = good and (not masked or ok[t, other[i]])
                total += x[t, other[i]]
            if not good:
                y[t, r] = zero
            elif n == 0:
                y[t, r] = x[t, keep[r]]
            else:
                y[t, r] = x[t, keep[r]] - total / x.dtype.type(n)
            if masked:
                w[t, r] = good
