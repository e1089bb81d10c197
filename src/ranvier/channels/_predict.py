"""Prediction of each channel from random subsets of the others, through their positions on the head."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ranvier.stream import Array, Channels

SUBSET = 0.25  # share of the channels in a subset
LEAST = 16  # channels that it takes
ORDER, TERMS = 4, 50  # of the spline, and of its series
ROUND = 0.15  # how far from a sphere positions may lie, in radii
REGULAR = 1e-5


class Predictors(NamedTuple):
    """Subsets of channels, and the weights with which each predicts every judged channel."""

    chosen: Array  # (m,)
    subsets: Array  # (k, s), places in `chosen`
    weights: Array  # (k, m, s)
    within: Array  # (k, m): is in the subset
    middle: Array  # (m,): place of the median of those without it


def predictors(channels: Channels, chosen: list[int], k: int, seed: int) -> Predictors | None:
    """Draw subsets and work out their weights; None where electrodes are few or do not lie on a head.

    Perrin et al., Electroencephalography and Clinical Neurophysiology 72, 184-187 (1989): spherical splines.
    """
    where = [channels.positions[i] for i in chosen]
    if not k or len(chosen) < LEAST or any(p is None for p in where):
        return None
    p = np.array(where, float)
    a = np.column_stack([2 * p, np.ones(len(p))])
    centre, *_ = np.linalg.lstsq(a, (p**2).sum(1), rcond=None)
    out = p - centre[:3]
    radius = np.linalg.norm(out, axis=1)
    if np.linalg.matrix_rank(a) < 4 or np.ptp(radius) > 2 * ROUND * radius.mean():
        return None
    unit = out / radius[:, None]
    g = _spline(np.clip(unit @ unit.T, -1, 1))
    rng = np.random.default_rng(seed)
    size = max(4, round(SUBSET * len(chosen)))
    subsets = np.array([np.sort(rng.choice(len(chosen), size, replace=False)) for _ in range(k)])
    within = np.array([np.isin(np.arange(len(chosen)), s) for s in subsets])
    middle = np.maximum(k - within.sum(0) - 1, 0) // 2
    return Predictors(np.array(chosen), subsets, np.array([_weights(g, s) for s in subsets]), within, middle)


def _spline(cosine: Array) -> Array:
    n = np.arange(1, TERMS + 1)
    series = np.concatenate([[0], (2 * n + 1) / (n * (n + 1.0)) ** (ORDER) / (4 * np.pi)])
    return np.polynomial.legendre.legval(cosine, series)


def _weights(g: Array, subset: Array) -> Array:
    """Return how the channels of a subset add up to every channel."""
    s = len(subset)
    a = np.ones((s + 1, s + 1))
    a[:s, :s] = g[np.ix_(subset, subset)] + REGULAR * np.eye(s)
    a[s, s] = 0
    b = np.column_stack([g[:, subset], np.ones(len(g))])
    return np.asarray(np.linalg.solve(a, b.T).T[:, :s])


def predicted(p: Predictors, product: Array, n: int) -> Array:
    """Return the median, over the subsets without it, of each channel's correlation with its prediction."""
    c = np.triu(product[p.chosen[:, None], p.chosen])
    c += np.triu(c, 1).T
    inside = c[p.subsets[:, :, None], p.subsets[:, None, :]]
    with_all = np.einsum("kms,ksm->km", p.weights, c[p.subsets])
    own = np.einsum("kms,kms->km", np.matmul(p.weights, inside), p.weights)
    r = with_all / np.sqrt(own * np.diag(c))
    r[p.within] = np.nan  # sorted last
    out = np.full(n, np.nan)
    out[p.chosen] = np.sort(r, axis=0)[p.middle, np.arange(len(c))]
    return out
