"""LDA: classes with one covariance, shrunk so that few trials are enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from ranvier.decode._linear import Linear
from ranvier.decode._training import Real, classes_of, rows_of, trial_means
from ranvier.errors import ContractError
from ranvier.stage import Contract, Estimator, Samples
from ranvier.stream import StreamInfo


@final
@dataclass(frozen=True, eq=False)
class LDA(Estimator):
    """Learn linear discriminant analysis with a shrunk covariance.

    Parameters
    ----------
    shrinkage
        ``auto``: Ledoit-Wolf, on standardised features. A number from 0 (none) to 1 (a multiple of the
        identity).

    Notes
    -----
    *In*: samples of any shape, read as rows, time-major. Fitted, it is a `Linear` that gives probabilities;
    classes count as often as they occur in training.

    References
    ----------
    Blankertz, Lemm, Treder, Haufe, Mueller, NeuroImage 56 (2011) 814. Ledoit & Wolf, J. Multivar. Anal.
    88 (2004) 365.
    """

    shrinkage: float | Literal["auto"] = "auto"

    def fit_samples(self, info: StreamInfo, samples: Samples) -> Linear:
        if self.shrinkage != "auto" and not 0 <= self.shrinkage <= 1:
            raise ContractError(f"LDA needs 0 <= shrinkage <= 1 or 'auto'; got {self.shrinkage:g}. Take 'auto'.")
        classes = classes_of(self, samples)
        x, y = rows_of(samples), samples.y
        means = trial_means(x, y, classes)
        priors = np.array([(y == c).mean() for c in classes])
        covariance = sum(p * self._covariance(x[y == c]) for p, c in zip(priors, classes, strict=True))
        weights = np.linalg.lstsq(np.asarray(covariance), means.T, rcond=None)[0].T
        bias = np.log(priors) - (weights * means).sum(axis=1) / 2
        return Linear(weights, bias, classes, ("1",) * len(classes), Contract.of(info), "softmax")

    def _covariance(self, x: Real) -> Real:
        centred = x - x.mean(axis=0)
        if self.shrinkage != "auto":
            return _mix(centred.T @ centred / len(x), self.shrinkage)
        return shrunk(centred)


def shrunk(centred: Real) -> Real:
    """Return the covariance of centred rows, shrunk as Ledoit and Wolf do once features have a deviation of one."""
    scale = centred.std(axis=0)
    scale[scale == 0] = 1
    plain = centred / scale
    return _mix(plain.T @ plain / len(plain), ledoit_wolf(plain)) * np.outer(scale, scale)


def _mix(covariance: Real, shrinkage: float) -> Real:
    middle = np.trace(covariance) / len(covariance)
    return np.asarray((1 - shrinkage) * covariance + shrinkage * middle * np.eye(len(covariance)))


def ledoit_wolf(centred: Real) -> float:
    """Return how much to shrink the covariance of centred rows, 0 to 1.

    References
    ----------
    Ledoit & Wolf, J. Multivar. Anal. 88 (2004) 365, section 3.3.
    """
    n, p = centred.shape
    covariance = centred.T @ centred / n
    size = float(np.square(covariance).sum())
    spread = (size - float(np.trace(covariance)) ** 2 / p) / p
    noise = (float(np.square(np.square(centred).sum(axis=1)).sum()) / n - size) / (n * p)
    return min(noise, spread) / spread if spread > 0 and noise > 0 else 0.0
