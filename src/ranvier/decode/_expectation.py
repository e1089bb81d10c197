"""What channels that are lost would show, given the others: expectations of a normal distribution."""

from __future__ import annotations

import numpy as np

from ranvier.decode._spd import RANK
from ranvier.decode._training import Real
from ranvier.stream import Array

STEPS = 200
ENOUGH = 1e-6  # relative change of the covariance at which iterations end


def lost_given(covariance: Real, there: Array) -> tuple[Real, Real]:
    """Return what lost channels take from each of the others ``(n_there, n_lost)``, and the covariance left open."""
    cross = covariance[np.ix_(there, ~there)]
    weights = np.linalg.pinv(covariance[np.ix_(there, there)], RANK, hermitian=True) @ cross
    return np.asarray(weights), np.asarray(covariance[np.ix_(~there, ~there)] - cross.T @ weights)


def fill(matrices: Array, there: Array, weights: Real, rest: Real) -> None:
    """Write the expected cells of lost channels into covariances ``(..., n, n)``, from those of the others."""
    a, b = np.flatnonzero(there), np.flatnonzero(~there)
    shared = np.asarray(matrices[..., a[:, None], a], dtype=np.float64) @ weights
    own = weights.T @ shared + rest
    matrices[..., a[:, None], b] = shared
    matrices[..., b[:, None], a] = np.swapaxes(shared, -1, -2)
    matrices[..., b[:, None], b] = (own + np.swapaxes(own, -1, -2)) / 2


def intact(valid: Array) -> Array:
    """Return the channels of a covariance that can be read: with power, and every pair of them valid."""
    there = np.array(np.diagonal(valid))
    while (lacking := (~valid & there & there[:, None]).sum(axis=1)).any():
        there[int(np.argmax(np.where(there, lacking, 0)))] = False
    return there


def mean_covariance(matrices: Real, there: Array) -> Real:
    """Return the mean of covariances ``(k, n, n)`` of which each has some channels ``(k, n)``.

    Iterated expectation: the lost cells of each are what the mean before says. A channel that none has gets the median
    power of the others, and shares nothing with them.
    """
    power = np.where(there, np.diagonal(matrices, axis1=1, axis2=2), 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    mean, filled = np.diag(_with_median(power, there)), np.array(matrices)
    groups = _lacking(there)
    for _ in range(STEPS):
        last = mean
        for here, which in groups:
            some = filled[which]
            fill(some, here, *lost_given(last, here))
            filled[which] = some
        mean = np.asarray(filled.mean(axis=0))
        if not groups or np.abs(mean - last).max() <= ENOUGH * np.abs(mean).max():
            break
    return mean


def mean_values(x: Real, valid: Array) -> tuple[Real, Real, Real]:
    """Return the mean sample of ``(k, ..., n)``, the samples around it as rows, and what lost ones leave open.

    Iterated expectation: lost values are what mean and covariance before say. ``rows.T @ rows / len(rows) + open`` is
    the covariance; a channel that is never valid gets the median power of the others.
    """
    n, there = x.shape[-1], valid.reshape(-1, x.shape[-1])
    mean = np.where(valid, x, 0.0).sum(axis=0) / np.maximum(valid.sum(axis=0), 1)
    rows = np.where(valid, x - mean, 0.0).reshape(-1, n)
    covariance = np.diag(_with_median((rows**2).sum(axis=0) / np.maximum(there.sum(axis=0), 1), there))
    groups, left = _lacking(there), np.zeros((n, n))
    for _ in range(STEPS if groups else 0):
        last, left = covariance, np.zeros((n, n))
        for here, which in groups:
            weights, rest = lost_given(last, here)
            rows[np.ix_(which, ~here)] = rows[np.ix_(which, here)] @ weights
            left[np.ix_(~here, ~here)] += rest * (len(which) / len(rows))
        shift = rows.reshape(x.shape).mean(axis=0)
        mean, rows = mean + shift, (rows.reshape(x.shape) - shift).reshape(-1, n)
        covariance = rows.T @ rows / len(rows) + left
        if np.abs(covariance - last).max() <= ENOUGH * np.abs(covariance).max():
            break
    return mean, rows, left


def _with_median(power: Real, there: Array) -> Real:
    seen = there.any(axis=0) & (power > 0)
    return np.where(seen, power, np.median(power[seen]) if seen.any() else 1.0)


def _lacking(there: Array) -> list[tuple[Array, Array]]:
    """Return which rows lack something, by what they have."""
    out: dict[bytes, list[int]] = {}
    for i in np.flatnonzero(~there.all(axis=1)):
        out.setdefault(there[i].tobytes(), []).append(int(i))
    return [(np.frombuffer(key, bool), np.array(which)) for key, which in out.items()]
