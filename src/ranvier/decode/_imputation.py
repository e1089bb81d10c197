"""Imputation: what a channel that is lost would have shown, as far as the others tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from ranvier.decode._imputer import Imputer, are_covariances
from ranvier.decode._lda import shrunk
from ranvier.errors import ContractError
from ranvier.stage import Contract, Estimator, Samples
from ranvier.stream import StreamInfo


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
    *In*: covariances ``(n, n)``, windows ``(length, n)``, or one number a channel ``(n,)``; what is invalid in training
    is left out. Fitted, it is an `Imputer`. Labels are not used. Covariances are averaged; of values the covariance
    around the mean sample is taken over all instants, shrunk as by `LDA`.

    References
    ----------
    Dempster, Laird, Rubin, J. R. Stat. Soc. B 39 (1977) 1, section 4.1.3: the expectation step for a normal
    distribution with values that are missing.
    """

    least: float = 0.5

    def fit_samples(self, info: StreamInfo, samples: Samples) -> Imputer:
        x = np.asarray(samples.x, dtype=np.float64)
        if len(info.shape) > 2:
            raise ContractError(
                f"Imputation needs values, windows or covariances of channels; got samples of shape {info.shape}. "
                "Put it before what makes that shape."
            )
        mean = x.mean(axis=0)
        if are_covariances(info):
            return Imputer(np.zeros_like(mean), mean, Contract.of(info), float(self.least))
        return Imputer(mean, shrunk((x - mean).reshape(-1, info.shape[-1])), Contract.of(info), float(self.least))
