"""Scores: what decisions are worth, one number each; and how sure that number is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log2, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ConfigError

Real = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
LEVEL = 0.95
Z = 1.959963984540054  # standard normal quantile at 0.975


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """What was decided, beside what was meant.

    Parameters
    ----------
    names
        Classes, or names of the continuous targets.
    truth
        Class of each trial ``(n,)``; for continuous targets their values ``(n, n_values)``.
    scores
        ``(n, n_classes)``, NaN where nothing could be decided; or the decoded values ``(n, n_values)``.
    fold
        In which fold each was tested, ``(n,)``.
    place
        Which trial (or source sample) each is, ``(n,)``.
    """

    names: tuple[str, ...]
    truth: npt.NDArray[Any]
    scores: Real
    fold: Index
    place: Index

    @property
    def continuous(self) -> bool:
        return self.truth.ndim == 2

    @property
    def n(self) -> int:
        return len(self.truth)

    def take(self, index: Index | npt.NDArray[np.bool_]) -> Outcome:
        """Return some of the trials or samples."""
        return Outcome(
            names=self.names, truth=self.truth[index], scores=self.scores[index], fold=self.fold[index],
            place=self.place[index],
        )  # fmt: skip


def decided(outcome: Outcome) -> Index:
    """Return the class with the highest score, the first of equals; -1 where nothing could be decided."""
    blank: npt.NDArray[np.bool_] = np.asarray(np.isnan(outcome.scores).any(axis=1))
    winner = np.argmax(np.where(blank[:, None], 0.0, outcome.scores), axis=1)
    return np.asarray(np.where(blank, -1, winner), dtype=np.int64)


def accuracy(o: Outcome) -> float:
    """Share of right decisions; a trial without one counts as wrong."""
    return float(np.mean(decided(o) == o.truth))


def balanced_accuracy(o: Outcome) -> float:
    """Mean over classes of the share of right decisions."""
    right: npt.NDArray[np.bool_] = np.equal(decided(o), o.truth)
    return float(np.mean([np.mean(right[o.truth == c]) for c in np.unique(o.truth)]))


def roc_auc(o: Outcome) -> float:
    """Area under the ROC curve; of several classes, the mean of each against the rest.

    Undecided trials are left out. NaN where a class does not occur.
    """
    good = ~np.isnan(o.scores).any(axis=1)
    truth, scores = o.truth[good], o.scores[good]
    if len(o.names) == 2:
        return _auc(truth == 1, scores[:, 1] - scores[:, 0])
    return float(np.mean([_auc(truth == c, scores[:, c]) for c in range(len(o.names))]))


def _auc(positive: npt.NDArray[np.bool_], score: Real) -> float:
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]  # the mean rank of equals
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * m))


def wolpaw(p: float, n_classes: int) -> float:
    """Return the bits of one decision among `n_classes`, right with probability `p`; 0 at chance and below.

    References
    ----------
    Wolpaw et al., IEEE Trans. Rehabil. Eng. 8 (2000) 164.
    """
    if n_classes < 2 or p <= 1 / n_classes:
        return 0.0
    if p >= 1:
        return log2(n_classes)
    return log2(n_classes) + p * log2(p) + (1 - p) * log2((1 - p) / (n_classes - 1))


def r2(o: Outcome) -> float:
    """Share of variance that is explained, mean over the targets."""
    rest = np.square(o.truth - o.scores).sum(axis=0)
    return float(np.mean(1 - rest / np.square(o.truth - o.truth.mean(axis=0)).sum(axis=0)))


def nrmse(o: Outcome) -> float:
    """Root mean square error over the root mean square of the targets, all of them together."""
    return float(sqrt(np.square(o.truth - o.scores).sum() / np.square(o.truth).sum()))


METRICS: dict[str, Callable[[Outcome], float]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "roc_auc": roc_auc,
    "r2": r2,
    "nrmse": nrmse,
}
CONTINUOUS = ("r2", "nrmse")
LOWER_IS_BETTER = ("nrmse",)
LIMITS = {"accuracy": (0.0, 1.0), "balanced_accuracy": (0.0, 1.0), "roc_auc": (0.0, 1.0), "r2": (-inf, 1.0),
          "nrmse": (0.0, inf)}  # fmt: skip


def metrics_for(continuous: bool) -> tuple[str, ...]:
    """Return the metrics that make sense."""
    return tuple(m for m in METRICS if (m in CONTINUOUS) == continuous)


def score(o: Outcome, metric: str) -> float:
    """Return a metric as the mean over the folds."""
    if metric not in METRICS:
        raise ConfigError(f"metric needs one of {', '.join(METRICS)}; got {metric!r}. Mend the name.")
    if (metric in CONTINUOUS) != o.continuous:
        what = "continuous targets" if o.continuous else "trials"
        raise ConfigError(f"metric {metric!r} does not fit {what}; take one of {', '.join(metrics_for(o.continuous))}.")
    per_fold = [METRICS[metric](o.take(o.fold == f)) for f in np.unique(o.fold)]
    known = [s for s in per_fold if not np.isnan(s)]
    return float(np.mean(known)) if known else float("nan")


def chance(o: Outcome, metric: str) -> float | None:
    """Return what the metric gives to somebody who cannot see the signal."""
    if metric == "accuracy":
        return float(np.bincount(o.truth.astype(np.int64)).max() / o.n)
    return {"balanced_accuracy": 1 / max(1, len(o.names)), "roc_auc": 0.5, "r2": 0.0, "nrmse": 1.0}[metric]
