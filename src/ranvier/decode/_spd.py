"""Symmetric positive definite matrices: means, whitening, generalised eigenvectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ranvier.decode._training import Real
from ranvier.errors import ContractError

TOLERANCE = 1e-9  # Frobenius norm of the tangent step at which the mean has converged
ROUNDING = 1e-6  # norm below which a step that no longer shrinks is rounding
STEPS = 200
RANK = 1e-9  # of a correlation's largest eigenvalue: what is below is rounding, not brain


def powers(matrices: Real, function: Any) -> Real:
    """Apply a function to the eigenvalues of symmetric matrices ``(..., n, n)``."""
    values, vectors = np.linalg.eigh(matrices)
    return np.asarray((vectors * function(values)[..., None, :]) @ np.swapaxes(vectors, -1, -2))


def subspace(matrix: Real) -> Real:
    """Return a basis ``(rank, n)`` of what a covariance spans; the identity if that is all.

    After a common reference one direction has no power but rounding, and its logarithm would be noise.
    """
    basis = spanned(matrix)
    return np.eye(len(matrix)) if len(basis) == len(matrix) else basis


def spanned(matrix: Real) -> Real:
    """Return a basis ``(rank, n)`` in which a covariance is the identity; gains of channels do not matter."""
    power = np.diag(matrix)
    scale = np.where(power > 0, 1 / np.sqrt(np.where(power > 0, power, 1.0)), 0.0)
    values, vectors = np.linalg.eigh(matrix * np.outer(scale, scale))
    kept = values > RANK * values[-1]
    return np.ascontiguousarray((vectors[:, kept] * scale[:, None] / np.sqrt(values[kept])).T)


def compress(who: Any, matrices: Real) -> tuple[Real, Real]:
    """Return covariances on the subspace that their mean spans, and its basis; refuse those singular there."""
    basis = subspace(matrices.mean(axis=0))
    small = basis @ matrices @ basis.T
    lowest = np.linalg.eigvalsh(small)[:, 0] if basis.size else np.zeros(1)
    if not lowest.min() > 0:
        raise ContractError(
            f"{type(who).__name__} needs positive definite covariances; got {int((lowest <= 0).sum())} of "
            f"{len(matrices)} that are singular. Lengthen the window, or shrink them: Covariance(estimator='oas'). "
            "Where channels are lost within windows, take Covariance(min_valid=1)."
        )
    return small, basis


def riemannian_mean(who: Any, matrices: Real) -> Real:
    """Return the mean of positive definite matrices for the affine-invariant metric.

    References
    ----------
    Bini & Iannazzo, Linear Algebra and its Applications 438 (2013) 1700: gradient descent whose step follows
    from the spread of the eigenvalues.
    """
    mean: Real = matrices.mean(axis=0)
    last = np.inf
    for _ in range(STEPS):
        root, inverse = powers(mean, np.sqrt), powers(mean, lambda v: 1 / np.sqrt(v))
        values, vectors = np.linalg.eigh(inverse @ matrices @ inverse)
        tangent = ((vectors * np.log(values)[..., None, :]) @ np.swapaxes(vectors, -1, -2)).mean(axis=0)
        size = float(np.linalg.norm(tangent))
        if size <= TOLERANCE or (size >= last and size <= ROUNDING):  # converged, or as far as rounding lets it
            return mean
        last = size
        spread = np.maximum(values[:, -1] / values[:, 0], 1 + 1e-9)
        step = 2 / (1 + np.mean((spread + 1) / (spread - 1) * np.log(spread)) / 2)
        mean = root @ powers(step * tangent, np.exp) @ root
        mean = (mean + mean.T) / 2
    raise ContractError(
        f"{type(who).__name__} needs covariances whose mean converges; got a step of {last:g} after {STEPS} "
        "iterations. Shrink them: Covariance(estimator='oas')."
    )


def mean_of(who: Any, matrices: Real, metric: str) -> Real:
    """Return the mean of covariances: ``riemann`` or ``euclid``."""
    return riemannian_mean(who, matrices) if metric == "riemann" else np.asarray(matrices.mean(axis=0))


def whitener(matrix: Real) -> Real:
    """Return the symmetric inverse square root."""
    return powers(matrix, lambda v: 1 / np.sqrt(v))


def contrast(a: Real, b: Real) -> tuple[Real, Real]:
    """Solve ``a v = value b v`` where b is positive semidefinite, on the subspace that it spans.

    Returns
    -------
    Values in falling order ``(rank,)`` and vectors ``(n, rank)``, with ``v' b v = 1``.
    """
    white = spanned(b)
    values, vectors = np.linalg.eigh(white @ a @ white.T)
    return values[::-1], white.T @ vectors[:, ::-1]
