"""TangentSpace: covariances as plain vectors, seen from their mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np

from ranvier.decode._sample import SampleStage, feature_channels, need_array
from ranvier.decode._spd import compress, mean_of, whitener
from ranvier.decode._training import matrices_of, need_matrices
from ranvier.stage import Contract, Estimator, Samples, Tags
from ranvier.stream import Array, StreamInfo


@final
@dataclass(frozen=True, eq=False)
class TangentSpace(Estimator):
    """Learn the mean of the covariances, to project later ones into the tangent space there.

    Parameters
    ----------
    metric
        Which mean: ``riemann`` (affine-invariant) or ``euclid``.

    Notes
    -----
    *In*: covariances ``(n, n)``. Fitted, it is a `TangentProjection`. Labels are not used. Directions in
    which the covariances have no power but rounding (after a common reference) are left out.

    References
    ----------
    Barachant, Bonnet, Congedo, Jutten, IEEE Trans. Biomed. Eng. 59 (2012) 920.
    """

    metric: Literal["riemann", "euclid"] = "riemann"

    def fit_samples(self, info: StreamInfo, samples: Samples) -> TangentProjection:
        small, basis = compress(self, matrices_of(self, info, samples))
        white = whitener(mean_of(self, small, self.metric)) @ basis
        return TangentProjection(np.ascontiguousarray(white), Contract.of(info))


@final
@dataclass(frozen=True, eq=False)
class TangentProjection(SampleStage):
    """Logarithm of whitened covariances, as vectors; made by `TangentSpace`.

    Parameters
    ----------
    whitening
        ``(rank, n)``: makes the mean covariance the identity.
    contract
        The stream that it was fitted on.

    Notes
    -----
    *In*: covariances ``(n, n)``. *Out*: the upper triangle, row by row, ``rank * (rank + 1) / 2`` plain
    numbers, those off the diagonal times sqrt(2), so that the length of the vector is the Riemannian
    distance to the mean. Delay, support, settle: none added. A covariance with an invalid cell, or that is
    not positive definite, gives an invalid sample. Exact (LAPACK inside).

    References
    ----------
    Barachant, Bonnet, Congedo, Jutten, IEEE Trans. Biomed. Eng. 59 (2012) 920.
    """

    tags: ClassVar[Tags] = Tags(exactness="exact")
    whitening: np.ndarray
    contract: Contract

    def __post_init__(self) -> None:
        need_array(self, "whitening", (len(self.whitening), self.contract.shape[-1]))

    def describe_samples(self, info: StreamInfo) -> StreamInfo:
        need_matrices(self, info)
        rank = len(self.whitening)
        names = info.channels.names if rank == info.n_channels else [f"axis{i}" for i in range(rank)]
        pairs = [f"{names[i]}~{names[j]}" for i, j in zip(*np.triu_indices(rank), strict=True)]
        return info.but(shape=(len(pairs),), channels=feature_channels(pairs))

    def design(self, info: StreamInfo) -> Any:
        rows, columns = np.triu_indices(len(self.whitening))
        return Whitened(self.whitening), (rows, columns), np.where(rows == columns, 1.0, np.sqrt(2.0))

    def transform(self, design: Any, x: Array, used: Array, y: Array) -> None:
        white, upper, scale = design
        for i in np.flatnonzero(used):
            a = white(x[i])
            if a is None:
                used[i] = False
                continue
            values, vectors = np.linalg.eigh(a)
            if not values[0] > 0:
                used[i] = False
                continue
            y[i] = ((vectors * np.log(values)) @ vectors.T)[upper] * scale


class Whitened:
    """``W C W'`` in memory of its own, always through the same calls."""

    def __init__(self, whitening: Array) -> None:
        rank, n = whitening.shape
        self._white = np.array(whitening, order="C")
        self._back = np.array(whitening.T, order="C")
        self._full, self._half, self._small = np.zeros((n, n)), np.zeros((rank, n)), np.zeros((rank, rank))

    def __call__(self, covariance: Array) -> Array | None:
        """Return the whitened covariance, until the next call; None where it is not finite."""
        self._full[...] = covariance
        np.dot(self._white, self._full, out=self._half)
        np.dot(self._half, self._back, out=self._small)
        return self._small if np.isfinite(self._small).all() else None
