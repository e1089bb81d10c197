"""One channel minus the weighted mean of others: bipolar, any reference, Laplacian, in one loop."""

from __future__ import annotations

from typing import Any

from numba import boolean, int64, types, void

from ranvier.kernels._jit import kernel


def _rows(kind: Any, n: int) -> Any:
    return types.Array(kind, n, "C", readonly=True)


@kernel(
    lambda f: void(
        _rows(f, 2), _rows(boolean, 2), boolean, _rows(int64, 1), _rows(int64, 1), _rows(int64, 1), _rows(f, 1),
        boolean, f[:, ::1], boolean[:, ::1],
    )
)  # fmt: skip
def mix(
    x: Any, ok: Any, masked: bool, keep: Any, row: Any, other: Any, weight: Any, need_all: bool, y: Any, w: Any
) -> None:
    """Write ``y[r] = x[keep[r]] - sum(weight * x[other]) / sum(weight)``, sums in the order of the list.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`.
    keep
        Channel that each result starts from.
    row, other, weight
        Result r takes away ``other[row[r]:row[r + 1]]`` with those weights; nothing where that is empty.
    need_all
        A result is valid only where all others are; else where at least one is, the invalid left out.
    y, w
        Results ``(n, len(keep))`` and their mask; `w` is written only where `masked`.
    """
    zero = x.dtype.type(0)
    for t in range(len(x)):
        for r in range(len(keep)):
            total, weights = zero, zero
            good = not masked or ok[t, keep[r]]
            for i in range(row[r], row[r + 1]):
                if not masked or ok[t, other[i]]:
                    total += weight[i] * x[t, other[i]]
                    weights += weight[i]
                elif need_all:
                    good = False
            none = row[r] == row[r + 1]
            good = good and (none or weights > 0)
            if none:
                y[t, r] = x[t, keep[r]] if good else zero
            else:
                y[t, r] = x[t, keep[r]] - total / weights if good else zero
            if masked:
                w[t, r] = good
