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


@njit(void(_LINE, int64, _TABLE, float64, float64, float64, _LINE), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _mean_squares(u: Any, taps: int, ears: Any, rate: float, ridge: float, loud: float, gain: Any) -> None:
    """Write the gain of least mean squares, each reference measured by its own power and what is usual for it."""
    for r in range(len(ears)):
        power = ridge + taps * loud * ears[r, 1]
        for k in range(r * taps, (r + 1) * taps):
            power += u[k] * u[k]
        for k in range(r * taps, (r + 1) * taps):
            gain[k] = rate * u[k] / (power * len(ears))


@njit(void(_LINE, float64, float64, _TABLE, _LINE), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _least_squares(u: Any, keep: float, ridge: float, inverse: Any, gain: Any) -> None:
    """Write the gain of recursive least squares and bring the inverse correlation up to date."""
    m, start = len(u), 1.0 / ridge
    power = keep
    if not u.any():  # a silence teaches nothing, and makes nothing forgotten
        gain[:] = 0.0
        return
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


@njit(float64(float64, float64, float64, float64, float64, _LINE), inline="always")  # type: ignore[untyped-decorator]
def _active(v: float, loud: float, release: float, slow: float, least: float, ear: Any) -> float:
    """Return what of a reference counts: the share of its power that is above `loud` times its usual one.

    `ear` holds its recent peak power, of which an instant rises and `release` a sample falls; the usual one, the
    running median of the former, which moves by the part `slow`, faster at first; and how many samples there were.
    """
    ear[0] = max(v * v, release * ear[0])
    ear[2] += 1.0
    part = max(slow, min(0.5, 4.0 / ear[2]))
    ear[1] = max(ear[1] * (1.0 + part) if ear[0] > ear[1] else ear[1] * (1.0 - part), least)
    return v * max(0.0, 1.0 - loud * ear[1] / ear[0]) if ear[0] > 0.0 else 0.0


def _signature(f: Any) -> Any:
    return int64(
        _rows(f), _rows(boolean), boolean, _INDEX, _INDEX, int64, float64, float64, boolean, types.UniTuple(float64, 4),
        _TABLE, _TABLE, int64[::1], _TABLE, _TABLE, _LINE, f[:, ::1], boolean[:, ::1],
    )  # fmt: skip


@kernel(_signature)
def adapt(
    x: Any, ok: Any, masked: bool, which: Any, references: Any, taps: int, rate: float, ridge: float, squares: bool,
    gate: Any, ears: Any, u: Any, gone: Any, inverse: Any, weights: Any, gain: Any, y: Any, w: Any,
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
    gate, ears
        What is asked of `_active`, nothing where the first is 0; what it remembers, ``(n_references, 3)``.
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
                if gate[0] > 0.0:
                    u[0, first] = _active(u[0, first], gate[0], gate[1], gate[2], gate[3], ears[r])
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
            _least_squares(u[1], rate, ridge, inverse, gain)
        else:
            _mean_squares(u[1], taps, ears, rate, ridge, gate[0], gain)
        for i in range(len(which)):
            if w[t, which[i]]:
                left = float64(y[t, which[i]])
                for k in range(m):
                    left -= weights[i, k] * u[1, k]
                y[t, which[i]] = left
                for k in range(m):
                    weights[i, k] += gain[k] * left
    return bad
