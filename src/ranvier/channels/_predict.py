"""Prediction of each channel from random subsets of the others, through their positions on the head."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ranvier.stream import Array, Channels

SUBSET = 0.25  # share of the channels in a subset
LEAST = 32  # channels that it takes: a quarter of 16 does not tell the others of a clean head apart
FEWEST = 5  # predictions that a median is taken of
ORDER, TERMS = 4, 50  # of the spline, and of its series
ROUND = 0.15  # how far from a sphere positions may lie, in radii
REGULAR = 1e-5


class Predictors(NamedTuple):
    """Subsets of channels, and the weights with which each predicts every judged channel."""

    chosen: Array  # (m,)
    subsets: Array  # (k, s), places in `chosen`
    weights: Array  # (k, m, s)
    within: Array  # (k, m): is in the subset


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
    return Predictors(np.array(chosen), subsets, np.array([_weights(g, s) for s in subsets]), within)


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


def predicted(p: Predictors, product: Array, vouch: Array) -> Array:
    """Return the median of each channel's correlations with its predictions; NaN where too few can be made.

    By the subsets without it, whose channels all vouch. Of `product`, sums of products, the upper half is read.
    """
    out = np.full(len(vouch), np.nan)
    told = vouch[p.chosen][p.subsets].all(1)
    if told.sum() < FEWEST:
        return out
    c = np.triu(product[p.chosen[:, None], p.chosen])
    c += np.triu(c, 1).T
    subsets, weights = p.subsets[told], p.weights[told]
    inside = c[subsets[:, :, None], subsets[:, None, :]]
    with_all = (weights * c[:, subsets].transpose(1, 0, 2)).sum(2)
    own = (np.matmul(weights, inside) * weights).sum(2)
    r = np.where(p.within[told], np.nan, with_all / np.sqrt(own * np.diag(c)))
    n = (~p.within[told]).sum(0)
    r = np.sort(r, axis=0)[np.maximum(n - 1, 0) // 2, np.arange(len(c))]  # what is not a number comes last
    out[p.chosen] = np.where(n < FEWEST, np.nan, r)
    return out
