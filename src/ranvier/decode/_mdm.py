"""MDM: the class whose mean covariance is nearest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np

from ranvier.decode._sample import SampleStage, class_channels, need_array
from ranvier.decode._spd import compress, mean_of, whitener
from ranvier.decode._training import classes_of, matrices_of, need_matrices
from ranvier.stage import Contract, Estimator, Samples, Tags
from ranvier.stream import Array, StreamInfo


@final
@dataclass(frozen=True, eq=False)
class MDM(Estimator):
    """Learn the mean covariance of each class: minimum distance to mean.

    Parameters
    ----------
    metric
        Which mean: ``riemann`` (affine-invariant) or ``euclid``; distances are Riemannian either way.

    Notes
    -----
    *In*: covariances ``(n, n)``. Fitted, it is a `ClassDistances`.

    References
    ----------
    Barachant, Bonnet, Congedo, Jutten, IEEE Trans. Biomed. Eng. 59 (2012) 920.
    """

    metric: Literal["riemann", "euclid"] = "riemann"

    def fit_samples(self, info: StreamInfo, samples: Samples) -> ClassDistances:
        classes = classes_of(self, samples)
        small, basis = compress(self, matrices_of(self, info, samples))
        means = [mean_of(self, small[samples.y == c], self.metric) for c in classes]
        return ClassDistances(np.stack([whitener(m) @ basis for m in means]), classes, Contract.of(info))


@final
@dataclass(frozen=True, eq=False)
class ClassDistances(SampleStage):
    """Riemannian distance of covariances to class means, as probabilities; made by `MDM`.

    Parameters
    ----------
    whitenings
        ``(n_classes, rank, n)``: each makes the mean of its class the identity.
    classes
        Their labels.
    contract
        The stream that it was fitted on.

    Notes
    -----
    *In*: covariances ``(n, n)``. *Out*: one number a class, ``softmax(-distance**2)``. Delay, support,
    settle: none added. A covariance with an invalid cell, or that is not positive definite, to within rounding (see
    `TangentProjection`), gives an invalid sample. Portable.

    References
    ----------
    Barachant, Bonnet, Congedo, Jutten, IEEE Trans. Biomed. Eng. 59 (2012) 920.
    """

    tags: ClassVar[Tags] = Tags(exactness="portable")
    whitenings: np.ndarray
    classes: tuple[str, ...]
    contract: Contract

    def __post_init__(self) -> None:
        rank = self.whitenings.shape[1] if self.whitenings.ndim == 3 else 0
        need_array(self, "whitenings", (len(self.classes), rank, self.contract.shape[-1]))

    def describe_samples(self, info: StreamInfo) -> StreamInfo:
        need_matrices(self, info)
        return info.but(shape=(len(self.classes),), channels=class_channels(self.classes))

    def design(self, info: StreamInfo) -> Any:
        from ranvier.kernels import _links, _spd

        _, rank, n = self.whitenings.shape
        return _spd.distances, _links.softmax, _spd.turned(self.whitenings), rank, _spd.room(n, rank)

    def transform(self, design: Any, x: Array, used: Array, y: Array) -> None:
        distances, softmax, whites, rank, room = design
        scores = y if y.dtype == np.float64 else np.empty(y.shape)
        distances(np.ascontiguousarray(x, dtype=np.float64), used, whites, rank, room, scores)
        np.negative(scores, out=scores)
        softmax(scores, used)
        if scores is not y:
            y[used] = scores[used]
