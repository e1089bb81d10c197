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
    distance to the mean. Delay, support, settle: none added. A covariance with an invalid cell, or that is not
    positive definite when whitened, to within rounding (its smallest eigenvalue about 1e-12 of the largest), gives an
    invalid sample. Rounding moves a logarithm by up to the condition number of the whitened covariance times 1e-15,
    as with any algorithm in float64, the one used here by 5e-13 more. Portable.

    References
    ----------
    Barachant, Bonnet, Congedo, Jutten, IEEE Trans. Biomed. Eng. 59 (2012) 920.
    """

    tags: ClassVar[Tags] = Tags(exactness="portable")
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
        from ranvier.kernels import _spd

        rank, n = self.whitening.shape
        return _spd.log_vectors, _spd.turned(self.whitening), rank, _spd.room(n, rank)

    def transform(self, design: Any, x: Array, used: Array, y: Array) -> None:
        logs, white, rank, room = design
        found = y if y.dtype == np.float64 else np.empty(y.shape)
        logs(np.ascontiguousarray(x, dtype=np.float64), used, white, rank, room, found)
        if found is not y:
            y[used] = found[used]
