"""Linear maps of samples, summed in one order whatever the block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from ranvier.kernels._jit import kernel

LANES = 8  # outputs from which on a row of weights fills a register


def _signature(real: Any) -> Any:
    samples = types.Array(real, 2, "A", readonly=True)
    used = types.Array(types.boolean, 1, "C")
    weights = types.Array(types.float64, 2, "C")
    return types.void(samples, used, weights, types.Array(types.float64, 1, "C"), types.Array(real, 2, "C"))


@kernel(_signature)
def linear(x: Any, used: Any, weights: Any, bias: Any, y: Any) -> None:
    """Write ``y[i, j] = bias[j] + sum over k of x[i, k] * weights[k, j]``, for the rows that are used.

    Sums are float64, from the first `k` to the last, each product rounded by itself: the same bits on
    every CPU. Rows that are not used become 0 and are not read.

    Parameters
    ----------
    x
        ``(n, n_inputs)`` float32 or float64, any strides.
    used
        ``(n,)`` bool.
    weights, bias
        ``(n_inputs, n_outputs)`` and ``(n_outputs,)`` float64.
    y
        ``(n, n_outputs)``, of the dtype of `x`; written.
    """
    n, n_inputs = x.shape
    n_outputs = weights.shape[1]
    total = np.empty(n_outputs)
    for i in range(n):
        if not used[i]:
            for j in range(n_outputs):
                y[i, j] = 0.0
        elif n_outputs < LANES:  # two sums in registers at a time
            for j in range(0, n_outputs, 2):
                other = min(j + 1, n_outputs - 1)
                one, two = bias[j], bias[other]
                for k in range(n_inputs):
                    value = np.float64(x[i, k])
                    one, two = one + value * weights[k, j], two + value * weights[k, other]
                y[i, j], y[i, other] = one, two
        else:
            for j in range(n_outputs):
                total[j] = bias[j]
            for k in range(n_inputs):
                value = np.float64(x[i, k])
                for j in range(n_outputs):
                    total[j] += value * weights[k, j]
            for j in range(n_outputs):
                y[i, j] = total[j]
