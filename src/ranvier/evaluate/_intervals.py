"""Intervals: how far a score may lie from what more data would give, 95 % everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from ranvier.evaluate._scores import LEVEL, Index, Outcome, Real, Z, decided, score

DRAWS = 1000
PIECE = 50  # samples of a continuous target that are drawn together, because neighbours resemble each other
FEW = 5  # below so many subjects, the trials are drawn instead of the subjects


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return the Wilson score interval of a share.

    >>> [round(v, 3) for v in wilson(50, 64)]
    [0.666, 0.865]

    References
    ----------
    Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
    """
    p, d = right / n, 1 + Z * Z / n
    middle, half = (p + Z * Z / (2 * n)) / d, Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / d
    return max(0.0, middle - half), min(1.0, middle + half)


def draw(o: Outcome, rng: np.random.Generator) -> Index:
    """Draw places with replacement, within each fold; of continuous targets, pieces of neighbours."""
    out = []
    for f in np.unique(o.fold):
        mine = np.flatnonzero(o.fold == f)
        if not o.continuous:
            out.append(rng.choice(mine, len(mine)))
            continue
        piece = min(PIECE, len(mine))
        begins = rng.integers(0, len(mine) - piece + 1, -(-len(mine) // piece))
        out.append(mine[(begins[:, None] + np.arange(piece)).ravel()[: len(mine)]])
    return np.concatenate(out)


def _percentiles(values: Sequence[float] | Real) -> tuple[float, float]:
    known = np.asarray(values)[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def of_row(o: Outcome, metric: str, seed: int) -> tuple[float, float, str]:
    """Return the interval of one subject and session, and how it was made."""
    if metric == "accuracy":
        low, high = wilson(int((decided(o) == o.truth).sum()), o.n)
        return low, high, f"Wilson, {o.n} trials"
    rng = np.random.default_rng(seed)
    values = [score(o.take(draw(o, rng)), metric) for _ in range(DRAWS)]
    what = f"pieces of {PIECE} samples" if o.continuous else "trials within folds"
    return *_percentiles(values), f"bootstrap of {what}, {DRAWS} draws, seed {seed}"


def of_mean(values: Sequence[float]) -> tuple[float, float, str]:
    """Return the t interval of a mean over subjects."""
    from scipy.stats import t

    x = np.asarray(values, dtype=np.float64)
    half = float(t.ppf((1 + LEVEL) / 2, len(x) - 1) * x.std(ddof=1) / sqrt(len(x)))
    return float(x.mean() - half), float(x.mean() + half), f"t over {len(x)} subjects"


def of_mean_by_trials(rows: Sequence[Outcome], metric: str, seed: int) -> tuple[float, float, str]:
    """Return the interval of a mean over few subjects: these subjects, other trials."""
    rng = np.random.default_rng(seed)
    values = [np.mean([score(o.take(draw(o, rng)), metric) for o in rows]) for _ in range(DRAWS)]
    return *_percentiles(np.asarray(values)), f"bootstrap within {len(rows)} row(s), {DRAWS} draws, seed {seed}"


def of_difference(
    ours: Sequence[Outcome], theirs: Sequence[Outcome], metric: str, seed: int
) -> tuple[float, float, str]:
    """Return the interval of a mean paired difference: the same trials drawn for both."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(DRAWS):
        each = []
        for a, b in zip(ours, theirs, strict=True):
            index = draw(a, rng)
            each.append(score(a.take(index), metric) - score(b.take(index), metric))
        values.append(np.mean(each))
    return *_percentiles(np.asarray(values)), f"paired bootstrap within {len(ours)} row(s), {DRAWS} draws, seed {seed}"
