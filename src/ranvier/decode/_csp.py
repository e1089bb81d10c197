"""CSP: spatial filters whose power differs most between classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from ranvier.decode._sample import SampleStage, feature_channels, flat, need_array
from ranvier.decode._spd import contrast, subspace
from ranvier.decode._training import Real, classes_of, library, matrices_of, need_matrices, trial_means
from ranvier.errors import ContractError
from ranvier.stage import Contract, Estimator, Samples, Tags
from ranvier.stream import Array, StreamInfo


@final
@dataclass(frozen=True, eq=False)
class CSP(Estimator):
    """Learn common spatial patterns: log power through filters that separate the classes.

    Parameters
    ----------
    n_filters
        How many are kept at most, the most telling first.

    Notes
    -----
    *In*: covariances ``(n, n)``, from `features.Covariance`. Fitted, it is a `SpatialPower`.
    Two classes: generalised eigenvectors of the class means, ordered by how far they are from the
    middle. More: approximate joint diagonalisation (pyRiemann's, Pham's algorithm), ordered by mutual
    information. Rank-deficient covariances (after a common reference) are handled.

    References
    ----------
    Blankertz et al., IEEE Signal Process. Mag. 25(1) (2008) 41. Grosse-Wentrup & Buss, IEEE Trans.
    Biomed. Eng. 55 (2008) 1991.
    """

    n_filters: int = 6

    def fit_samples(self, info: StreamInfo, samples: Samples) -> SpatialPower:
        if self.n_filters < 1:
            raise ContractError(f"CSP needs n_filters >= 1; got {self.n_filters}. Take 6 if in doubt.")
        x = matrices_of(self, info, samples)
        classes = classes_of(self, samples)
        means = trial_means(x, samples.y, classes)
        if len(classes) == 2:
            values, vectors = contrast(means[1], means.sum(axis=0))
            filters = vectors[:, np.argsort(-np.abs(values - 0.5), kind="stable")].T
        else:
            filters = self._several(x, samples.y, subspace(means.mean(axis=0)))
        return SpatialPower(np.ascontiguousarray(filters[: self.n_filters]), Contract.of(info))

    def _several(self, x: Real, y: Array, basis: Real) -> Real:
        peer = library(self, "pyriemann.spatialfilters", "pyriemann")
        fitted = peer.CSP(nfilter=len(basis), metric="euclid").fit(basis @ x @ basis.T, y)
        return np.asarray(fitted.filters_ @ basis, dtype=np.float64)


@final
@dataclass(frozen=True, eq=False)
class SpatialPower(SampleStage):
    """Log power behind spatial filters, from covariances: ``log(w' C w)``; made by `CSP`.

    Parameters
    ----------
    filters
        One a row, ``(n_filters, n)``.
    contract
        The stream that it was fitted on.

    Notes
    -----
    *In*: covariances ``(n, n)``. *Out*: one feature a filter, plain numbers. Delay, support, settle: none
    added. A covariance with an invalid cell, or without power behind some filter, gives an invalid sample.
    Portable.
    """

    tags: ClassVar[Tags] = Tags(exactness="portable")
    filters: np.ndarray
    contract: Contract

    def __post_init__(self) -> None:
        need_array(self, "filters", (len(self.filters), self.contract.shape[-1]))

    def describe_samples(self, info: StreamInfo) -> StreamInfo:
        need_matrices(self, info)
        n = len(self.filters)
        return info.but(shape=(n,), channels=feature_channels([f"csp{i}" for i in range(n)]))

    def design(self, info: StreamInfo) -> Any:
        from ranvier.kernels import _linear, _links

        outer = self.filters[:, :, None] * self.filters[:, None, :]
        weights = np.ascontiguousarray(outer.reshape(len(self.filters), -1).T)
        return _linear.linear[np.float64], _links.logarithms, weights, np.zeros(len(self.filters))

    def transform(self, design: Any, x: Array, used: Array, y: Array) -> None:
        linear, logarithms, weights, bias = design
        power = y if y.dtype == np.float64 else np.empty(y.shape)
        linear(flat(x, np.float64), used, weights, bias, power)
        logarithms(power, used)
        if power is not y:
            y[...] = power
