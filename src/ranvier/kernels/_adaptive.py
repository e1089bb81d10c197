"""Adaptive filters: channels predicted from the past of references, by least squares or mean squares."""

from __future__ import annotations

from math import isfinite, sqrt
from typing import Any

from numba import boolean, float64, int64, njit, types, void

from ranvier.kernels._jit import kernel

_INDEX = types.Array(int64, 1, "C", readonly=True)
_LINE = float64[::1]
_TABLE = float64[:, ::1]


def _rows(kind: Any) -> Any:
    return types.Array(kind, 2, "C", readonly=True)


@njit(void(_LINE, int64, int64[::1], float64, float64, _TABLE, _LINE), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mean_squares(u: Any, taps: int, gone: Any, rate: float, ridge: float, inverse: Any, gain: Any) -> None:
    """Write the gain of least mean squares, each reference measured by its own power."""
    for r in range(len(gone)):
        power = ridge
        for k in range(r * taps, (r + 1) * taps):
            power += u[k] * u[k]
        for k in range(r * taps, (r + 1) * taps):
            gain[k] = rate * u[k] / (power * len(gone))


@njit(void(_LINE, int64, int64[::1], float64, float64, _TABLE, _LINE), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _least_squares(u: Any, taps: int, gone: Any, keep: float, ridge: float, inverse: Any, gain: Any) -> None:
    """Write the gain of recursive least squares and bring the inverse correlation up to date."""
    m, start = len(u), 1.0 / ridge
    power = keep
    for i in range(m):
        total = 0.0
        for j in range(m):
            total += inverse[i, j] * u[j]
        gain[i] = total
        power += u[i] * total
    if not (power > 0.0 and isfinite(power)):  # rounding has eaten it: begin again, the weights stay
        for i in range(m):
            gain[i] = 0.0
            for j in range(m):
                inverse[i, j] = start if i == j else 0.0
        return
    for i in range(m):
        for j in range(i, m):
            v = inverse[i, j] - gain[i] * gain[j] / power
            inverse[i, j] = v
            inverse[j, i] = v
    for i in range(m):
        gain[i] /= power
        if inverse[i, i] <= keep * start:  # what is not heard is not forgotten: it would grow for ever
            root = 1.0 / sqrt(keep)
            for j in range(m):
                inverse[i, j] *= root
                inverse[j, i] *= root


def _signature(f: Any) -> Any:
    return int64(
        _rows(f), _rows(boolean), boolean, _INDEX, _INDEX, int64, float64, float64, boolean, _TABLE, int64[::1],
        _TABLE, _TABLE, _LINE, f[:, ::1], boolean[:, ::1],
    )  # fmt: skip


@kernel(_signature)
def adapt(
    x: Any, ok: Any, masked: bool, which: Any, references: Any, taps: int, rate: float, ridge: float, squares: bool,
    u: Any, gone: Any, inverse: Any, weights: Any, gain: Any, y: Any, w: Any,
) -> int:  # fmt: skip
    """Take off what the references predict, then learn from what is left; return how many results are invalid.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`.
    which, references, taps
        Columns that are cleaned; columns of the references; how many of their last samples are used.
    rate, ridge, squares
        Forgetting factor of recursive least squares, or step of least mean squares; energy of a reference that
        counts as nothing; whether it is the former.
    u, gone
        ``(2, n_references * taps)``: last samples, newest first, and those of whole references alone; for how many
        samples more a reference is not whole.
    inverse, weights, gain
        ``(m, m)`` inverse correlation, ``(m, n)`` weights, ``(m,)`` room.
    y, w
        Result and its mask.
    """
    m, bad = u.shape[1], 0
    for t in range(len(x)):
        for c in range(x.shape[1]):
            w[t, c] = not masked or ok[t, c]
            y[t, c] = x[t, c] if w[t, c] else x.dtype.type(0)
            bad += not w[t, c]
        for r in range(len(references)):
            first = r * taps
            for k in range(first + taps - 1, first, -1):
                u[0, k] = u[0, k - 1]
            u[0, first] = float64(y[t, references[r]])
            if w[t, references[r]]:
                gone[r] = max(gone[r] - 1, 0)
            else:
                gone[r] = taps
                for k in range(first, first + taps):  # the others go on without it
                    for j in range(m):
                        inverse[k, j] = 0.0
                        inverse[j, k] = 0.0
                    inverse[k, k] = 1.0 / ridge
            for k in range(first, first + taps):
                u[1, k] = 0.0 if gone[r] else u[0, k]
        if squares:
            _least_squares(u[1], taps, gone, rate, ridge, inverse, gain)
        else:
            _mean_squares(u[1], taps, gone, rate, ridge, inverse, gain)
        for i in range(len(which)):
            if w[t, which[i]]:
                left = float64(y[t, which[i]])
                for k in range(m):
                    left -= weights[i, k] * u[1, k]
                y[t, which[i]] = left
                for k in range(m):
                    weights[i, k] += gain[k] * left
    return bad
