"""Means of covariances that few bad ones do not move: geometric median, Riemannian mean."""

from __future__ import annotations

import numpy as np

from ranvier.stream import Array

RIDGE = 1e-6  # part of the mean variance that is added, so that a common reference leaves no hole


def geometric_median(matrices: Array, rounds: int = 200, close: float = 1e-9) -> Array:
    """Return the matrix whose summed distance to all others is least (Weiszfeld's iteration)."""
    x = matrices.reshape(len(matrices), -1)
    y = np.median(x, axis=0)
    for _ in range(rounds):
        distance = np.sqrt(((x - y) ** 2).sum(axis=1))
        weight = 1 / np.maximum(distance, 1e-12 * (distance.max() or 1.0))
        before, y = y, weight @ x / weight.sum()
        if np.abs(y - before).max() <= close * np.abs(y).max():
            break
    mean: Array = y.reshape(matrices.shape[1:])
    return (mean + mean.T) / 2


def karcher_mean(matrices: Array, rounds: int = 50, close: float = 1e-9) -> Array:
    """Return the Riemannian mean of positive definite matrices, each first lifted off zero by a trace."""
    n = matrices.shape[-1]
    lifted = matrices + RIDGE * np.trace(matrices, axis1=1, axis2=2)[:, None, None] / n * np.eye(n)
    mean: Array = lifted.mean(axis=0)
    for _ in range(rounds):
        half, inverse = power(mean, 0.5), power(mean, -0.5)
        values, vectors = np.linalg.eigh(inverse @ lifted @ inverse)
        step = ((vectors * np.log(values)[:, None, :]) @ vectors.swapaxes(1, 2)).mean(axis=0)
        values, vectors = np.linalg.eigh(step)
        mean = half @ ((vectors * np.exp(values)) @ vectors.T) @ half
        mean = (mean + mean.T) / 2
        if np.linalg.norm(step) <= close * n:
            break
    return mean


def power(matrix: Array, exponent: float) -> Array:
    """Return a power of a positive definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    out: Array = (vectors * values**exponent) @ vectors.T
    return out
