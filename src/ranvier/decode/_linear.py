"""Linear: weights and a bias, whatever they were learned by."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Literal, final

import numpy as np

from ranvier.decode._sample import SampleStage, flat, need_array, real_dtype
from ranvier.errors import ContractError
from ranvier.stage import Contract, Tags
from ranvier.stream import Array, Channels, StreamInfo

Link = Literal["identity", "softmax", "sigmoid"]


@final
@dataclass(frozen=True, eq=False)
class Linear(SampleStage):
    """Weighted sums of the numbers of a sample, as scores, probabilities or values.

    Made by `LDA`, `LogisticRegression`, `SVM`, `Ridge`, or `from_sklearn`.

    Parameters
    ----------
    weights
        ``(n_outputs, n_inputs)``; samples of any shape are read as rows, time-major.
    bias
        ``(n_outputs,)``.
    names, units
        Of the outputs: the labels of classes with unit ``1``, or targets with theirs.
    contract
        The stream that it was fitted on.
    link
        ``identity``: the sums. ``softmax``: probabilities. ``sigmoid``: logistic function of each sum,
        scaled so that the sample adds up to 1 (one against the rest).
    kind
        ``class`` where the largest output is the decision, ``target`` where outputs are values.

    Notes
    -----
    *In*: samples of any shape. *Out*: one number an output. Delay, support, settle: none added. A sample
    with an invalid number gives an invalid one. Portable.
    """

    weights: np.ndarray
    bias: np.ndarray
    names: tuple[str, ...]
    units: tuple[str, ...]
    contract: Contract
    link: Link = "identity"
    kind: Literal["class", "target"] = "class"

    def __post_init__(self) -> None:
        n = len(self.names)
        need_array(self, "weights", (n, prod(self.contract.shape)))
        need_array(self, "bias", (n,))

    @property
    def tags(self) -> Tags:  # type: ignore[override]
        plain = self.link == "identity"
        return Tags(exactness="portable", linear=plain and not self.bias.any())

    def describe_samples(self, info: StreamInfo) -> StreamInfo:
        return info.but(shape=(len(self.names),), channels=Channels.of(self.names, self.kind, self.units))

    def design(self, info: StreamInfo) -> Any:
        from ranvier.kernels import _linear, _links

        link = None if self.link == "identity" else getattr(_links, self.link)
        kernel = _linear.linear[np.float64 if link else real_dtype(info)]
        return kernel, link, np.ascontiguousarray(self.weights.T), np.array(self.bias)

    def transform(self, design: Any, x: Array, used: Array, y: Array) -> None:
        linear, link, weights, bias = design
        if link is None:
            linear(flat(x, y.dtype), used, weights, bias, y)
            return
        scores = y if y.dtype == np.float64 else np.empty(y.shape)
        linear(flat(x, np.float64), used, weights, bias, scores)
        link(scores, used)
        if scores is not y:
            y[...] = scores

    @classmethod
    def from_sklearn(
        cls,
        estimator: Any,
        fitted_on: StreamInfo | Contract,
        *,
        names: tuple[str, ...] = (),
        units: tuple[str, ...] = (),
    ) -> Linear:
        """Unpack a fitted scikit-learn linear classifier or regressor, or a pipeline that scales before it.

        Parameters
        ----------
        estimator
            ``LogisticRegression``, ``LinearSVC``, ``SVC(kernel="linear")`` of two classes, ``SGDClassifier``,
            ``RidgeClassifier``, ``LinearDiscriminantAnalysis``, ``Ridge``, ``LinearRegression``, ``Lasso`` ...,
            or ``Pipeline`` of ``StandardScaler`` and one of them.
        fitted_on
            The stream that its rows came from, samples flattened time-major; or its contract.
        names, units
            Of a regressor's targets.

        Raises
        ------
        ContractError
            For anything else, for what was not fitted, and for another number of inputs than the stream has.
        """
        from ranvier.decode._sklearn import unpack

        contract = fitted_on if isinstance(fitted_on, Contract) else Contract.of(fitted_on)
        found = unpack(estimator, names, units)
        if found.weights.shape[1] != prod(contract.shape):
            raise ContractError(
                f"Linear.from_sklearn needs an estimator of {prod(contract.shape)} inputs for samples of shape "
                f"{contract.shape}; got one of {found.weights.shape[1]}. Name the stream that its rows came from."
            )
        return cls(found.weights, found.bias, found.names, found.units, contract, found.link, found.kind)
