"""Weights that estimate a lost electrode from the others: spherical splines for the scalp, a kernel for probes."""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.polynomial.legendre import legval

from ranvier.errors import ContractError
from ranvier.stream import Array

TERMS = 50  # of the series of Perrin et al., eq. (3); they took 7, MNE takes 50


def sphere(places: Array) -> Array:
    """Return the centre [m] of the sphere that fits places ``(n, 3)`` best (algebraic least squares).

    Raises
    ------
    ContractError
        There are fewer than four, or they lie in a plane.
    """
    middle = places.mean(axis=0)
    centred = places - middle
    rank = int(np.linalg.matrix_rank(centred, tol=1e-3 * float(np.abs(centred).max(initial=1e-12))))
    if len(places) < 4 or rank < 3:
        raise ContractError(
            f"A spline needs electrodes around a head to fit a sphere to; got {len(places)} that do not span a "
            'volume. Give the centre, or take method="gaussian" for probes and flat grids.'
        )
    design = np.column_stack([2 * centred, np.ones(len(places))])
    return np.asarray(middle + np.linalg.lstsq(design, (centred**2).sum(axis=1), rcond=None)[0][:3])


def spline_kernel(places: Array, centre: Array, order: int) -> Array:
    """Return g of Perrin et al., eq. (3), between places ``(n, 3)`` seen from the sphere's centre: ``(n, n)``.

    Parameters
    ----------
    order
        m of the paper: 4 in MNE and EEGLAB.
    """
    seen = places - centre
    seen = seen / np.linalg.norm(seen, axis=1, keepdims=True)
    n = np.arange(1, TERMS + 1, dtype=float)
    cosines = np.clip((seen[:, None, :] * seen[None, :, :]).sum(axis=2), -1, 1)
    return np.asarray(legval(cosines, np.concatenate([[0.0], (2 * n + 1) / (4 * pi * (n * (n + 1)) ** order)])))


def spline(g: Array, there: Array, smoothing: float) -> Array:
    """Return the weights ``(lost, valid)`` that estimate lost electrodes from valid ones, for `spline_kernel`'s g.

    Of eq. (1) and (2): coefficients c of the valid ones, which sum to 0, and a constant, `smoothing` added to g's
    diagonal.
    """
    inside, lost = np.flatnonzero(there), np.flatnonzero(~there)
    n = len(inside)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = g[np.ix_(inside, inside)]
    system[np.arange(n), np.arange(n)] += smoothing
    system[n, n] = 0.0
    seen = np.ones((len(lost), n + 1))
    seen[:, :n] = g[np.ix_(lost, inside)]
    return np.asarray(np.linalg.solve(system, seen.T)[:n].T)  # the system is symmetric


def gaussian_kernel(distance: Array, sigma: float, exponent: float, least: float) -> Array:
    """Return ``exp(-(distance / sigma) ** exponent)``, 0 where it is below `least`: the kernel of the IBL pipeline."""
    k = np.exp(-((distance / sigma) ** exponent))
    return np.where(k < least, 0.0, k)


def gaussian(kernel: Array, there: Array, least: float) -> Array:
    """Return the weights ``(lost, valid)`` of `gaussian_kernel`: brought to a sum of 1, then 0 where below `least`."""
    w = kernel[np.ix_(~there, there)]
    total = w.sum(axis=1, keepdims=True)
    w = w / np.where(total > 0, total, 1.0)
    return np.where(w < least, 0.0, w)
