"""Imputation: what a channel that is lost would have shown, as far as the others tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from ranvier.decode._imputer import Imputer, are_covariances
from ranvier.decode._lda import shrunk
from ranvier.decode._training import Real
from ranvier.errors import ContractError
from ranvier.stage import Contract, Estimator, Samples
from ranvier.stream import Array, StreamInfo


@final
@dataclass(frozen=True, eq=False)
class Imputation(Estimator):
    """Learn how channels vary together, to fill in those that are lost later.

    Put it in front of what needs whole samples: `TangentSpace`, `CSP`, `MDM`, `LDA`, `Xdawn`, `Wiener`. `Kalman` does
    without, it leaves lost channels out.

    Parameters
    ----------
    least
        Share of the channels that must be valid; with fewer a sample stays invalid.

    Notes
    -----
    *In*: covariances ``(n, n)``, windows ``(length, n)``, or one number a channel ``(n,)``. Fitted, it is an `Imputer`.
    Labels are not used. What is invalid in training is left out, cell by cell; a channel that never is valid is taken
    for one that tells nothing, with the median power of the others. Covariances are averaged; of values the covariance
    around the mean sample is taken over all instants, shrunk as by `LDA`.

    References
    ----------
    Dempster, Laird, Rubin, J. R. Stat. Soc. B 39 (1977) 1, section 4.1.3: the expectation step for a normal
    distribution with values that are missing.
    """

    least: float = 0.5

    whole: ClassVar[bool] = False

    def fit_samples(self, info: StreamInfo, samples: Samples) -> Imputer:
        if len(info.shape) > 2:
            raise ContractError(
                f"Imputation needs values, windows or covariances of channels; got samples of shape {info.shape}. "
                "Put it before what makes that shape."
            )
        valid = np.ones(samples.x.shape, bool) if samples.valid is None else samples.valid
        x = np.where(valid, samples.x, 0.0)
        mean = x.sum(axis=0) / np.maximum(valid.sum(axis=0), 1)
        if are_covariances(info):
            return Imputer(np.zeros_like(mean), _complete(mean), Contract.of(info), float(self.least))
        rows, there = (np.where(valid, x - mean, 0.0)).reshape(-1, info.shape[-1]), valid.reshape(-1, info.shape[-1])
        return Imputer(mean, _complete(_shared(rows, there)), Contract.of(info), float(self.least))


def _shared(rows: Real, there: Array) -> Real:
    """Return the shrunk covariance of rows that are 0 where they are not there, as if these were there too."""
    seen = there.astype(np.float64)
    both = seen.T @ seen / len(rows)
    return np.asarray(shrunk(rows) / np.where(both > 0, both, 1.0))


def _complete(covariance: Real) -> Real:
    """Return a covariance in which channels without power have the median one, and none is impossible."""
    silent = np.diag(covariance) <= 0
    out = np.array(covariance)
    out[silent], out[:, silent] = 0.0, 0.0
    out[silent, silent] = np.median(np.diag(covariance)[~silent]) if not silent.all() else 1.0
    values, vectors = np.linalg.eigh(out)
    if values[0] >= 0:
        return out
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)
