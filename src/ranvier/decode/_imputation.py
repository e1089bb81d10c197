"""Imputation: what a channel that is lost would have shown, as far as the others tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from ranvier.decode._expectation import intact, mean_covariance, mean_values
from ranvier.decode._imputer import Imputer, are_covariances
from ranvier.decode._lda import shrunk
from ranvier.errors import ContractError
from ranvier.stage import Contract, Estimator, Samples
from ranvier.stream import Array, StreamInfo


@final
@dataclass(frozen=True, eq=False)
class Imputation(Estimator):
    """Learn how channels vary together, to fill in those that are lost later.

    Put it in front of what needs whole samples: `TangentSpace`, `CSP`, `MDM`, `LDA`, `Xdawn`, `Wiener`; covariances
    before it with ``min_valid=1``, so that a channel is there for a whole window or not at all, and the rest stays
    positive definite. `Kalman` does without, it leaves lost channels out.

    Parameters
    ----------
    least
        Share of the channels that must be valid; with fewer a sample stays invalid.

    Notes
    -----
    *In*: covariances ``(n, n)``, windows ``(length, n)``, or one number a channel ``(n,)``. Fitted, it is an `Imputer`.
    Labels are not used. Samples with something invalid in them are used too, by iterated expectation; a channel that
    never is valid is taken for one of median power that tells nothing. Covariances are averaged; of values the
    covariance around the mean sample is taken over all instants, shrunk as by `LDA`.

    References
    ----------
    Dempster, Laird, Rubin, J. R. Stat. Soc. B 39 (1977) 1, section 4.1.3: a normal distribution with
    values that are missing.
    """

    least: float = 0.5

    whole: ClassVar[bool] = False

    def fit_samples(self, info: StreamInfo, samples: Samples) -> Imputer:
        if len(info.shape) > 2:
            raise ContractError(
                f"Imputation needs values, windows or covariances of channels; got samples of shape {info.shape}. "
                "Put it before what makes that shape."
            )
        x = np.asarray(samples.x, dtype=np.float64)
        valid = np.ones(x.shape, bool) if samples.valid is None else samples.valid
        if are_covariances(info):
            there = np.array([intact(v) for v in valid])
            kept = self._kept(there)
            mean = mean_covariance(x[kept], there[kept])
            return Imputer(np.zeros_like(mean), mean, Contract.of(info), float(self.least))
        kept = self._kept(valid.reshape(len(x), -1))
        mean, rows, left = mean_values(x[kept], valid[kept])
        return Imputer(mean, shrunk(rows) + left, Contract.of(info), float(self.least))

    def _kept(self, there: Array) -> Array:
        """Return the samples of which enough is valid."""
        kept = np.asarray(there.mean(axis=1) >= self.least)
        if not kept.any():
            raise ContractError(
                f"Imputation needs samples with {self.least:.0%} of their channels valid; got none of {len(kept)}. "
                "Lower least, or look why so much is invalid."
            )
        return kept
