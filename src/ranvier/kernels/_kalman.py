"""The Kalman filter in information form: its cost grows with the number of channels, not with its cube."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

from ranvier.kernels._jit import kernel

_matrix = types.Array(types.float64, 2, "C")
_vector = types.Array(types.float64, 1, "C")


def _signature(real: Any) -> Any:
    samples = types.Array(real, 2, "A", readonly=True)
    used = types.Array(types.boolean, 1, "C")
    model = [_matrix] * 5
    return types.void(samples, used, *model, _vector, _vector, _matrix, types.Array(real, 2, "C"), _vector)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _solve(a: Any, b: Any) -> None:
    """Replace `b` by the solution of ``a x = b``; Gaussian elimination with row exchange; `a` is used up."""
    n = a.shape[0]
    for k in range(n):
        p = k
        for i in range(k + 1, n):
            if abs(a[i, k]) > abs(a[p, k]):
                p = i
        for j in range(n):
            a[k, j], a[p, j] = a[p, j], a[k, j]
            b[k, j], b[p, j] = b[p, j], b[k, j]
        for i in range(k + 1, n):
            f = a[i, k] / a[k, k]
            for j in range(k + 1, n):
                a[i, j] -= f * a[k, j]
            for j in range(n):
                b[i, j] -= f * b[k, j]
    for j in range(n):
        for k in range(n - 1, -1, -1):
            total = b[k, j]
            for i in range(k + 1, n):
                total -= a[k, i] * b[i, j]
            b[k, j] = total / a[k, k]


@kernel(_signature)
def kalman(
    x: Any, used: Any, transition: Any, noise: Any, observation: Any, gain: Any, information: Any, centre: Any,
    mean: Any, covariance: Any, y: Any, offset: Any,
) -> None:  # fmt: skip
    """Predict and update for each row of `x`, with the same channels used in all of them.

    Parameters
    ----------
    x
        ``(n, n_inputs)`` float32 or float64, any strides.
    used
        ``(n_inputs,)`` bool: channels that are read.
    transition, noise
        ``(d, d)``: how the hidden state goes on, and its covariance.
    observation
        ``(n_inputs, d)``: what each channel should show.
    gain, information
        ``observation' R^-1`` ``(d, n_inputs)`` and that times ``observation`` ``(d, d)``, for the channels used.
    centre, offset
        What is taken off the channels ``(n_inputs,)`` and added to the outputs ``(n_outputs,)``.
    mean, covariance
        Of the hidden state ``(d,)`` and ``(d, d)``: read and written.
    y
        ``(n, n_outputs)``, of the dtype of `x`: the first numbers of the hidden state; written.
    """
    n, n_inputs = x.shape
    d = transition.shape[0]
    ahead = np.empty(d)
    push = np.empty(d)
    half = np.empty((d, d))
    wide = np.empty((d, d))
    system = np.empty((d, d))
    for t in range(n):
        for i in range(d):
            total = 0.0
            for j in range(d):
                total += transition[i, j] * mean[j]
            ahead[i] = total
            push[i] = 0.0
            for j in range(d):
                total = 0.0
                for k in range(d):
                    total += transition[i, k] * covariance[k, j]
                half[i, j] = total
        for i in range(d):
            for j in range(d):
                total = noise[i, j]
                for k in range(d):
                    total += half[i, k] * transition[j, k]
                wide[i, j] = total
        for i in range(d):
            for j in range(d):
                total = 1.0 if i == j else 0.0
                for k in range(d):
                    total += wide[i, k] * information[k, j]
                system[i, j] = total
        _solve(system, wide)
        for i in range(d):
            for j in range(d):
                covariance[i, j] = (wide[i, j] + wide[j, i]) * 0.5
        for c in range(n_inputs):
            if used[c]:
                error = np.float64(x[t, c]) - centre[c]
                for j in range(d):
                    error -= observation[c, j] * ahead[j]
                for j in range(d):
                    push[j] += gain[j, c] * error
        for i in range(d):
            total = ahead[i]
            for j in range(d):
                total += covariance[i, j] * push[j]
            mean[i] = total
        for i in range(y.shape[1]):
            y[t, i] = mean[i] + offset[i]
