"""From fitted scikit-learn estimators to plain arrays; scikit-learn itself is not imported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ranvier.decode._training import Real
from ranvier.errors import ContractError

CLASSIFIERS = {
    "LinearDiscriminantAnalysis", "LinearSVC", "LogisticRegression", "LogisticRegressionCV", "Perceptron",
    "RidgeClassifier", "RidgeClassifierCV", "SGDClassifier", "SVC",
}  # fmt: skip
REGRESSORS = {
    "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lasso", "LassoCV", "LassoLars",
    "LinearRegression", "LinearSVR", "MultiTaskElasticNet", "MultiTaskLasso", "OrthogonalMatchingPursuit",
    "Ridge", "RidgeCV", "SGDRegressor", "TheilSenRegressor",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Unpacked:
    """What a linear estimator amounts to."""

    weights: Real
    bias: Real
    names: tuple[str, ...]
    units: tuple[str, ...]
    link: Literal["identity", "softmax", "sigmoid"]
    kind: Literal["class", "target"]


def unpack(estimator: Any, names: tuple[str, ...] = (), units: tuple[str, ...] = ()) -> Unpacked:
    """Return weights, bias and link of a fitted linear estimator, scaling before it folded in."""
    name = _name(estimator)
    if name == "Pipeline":
        *before, (_, last) = estimator.steps
        found = unpack(last, names, units)
        for _, step in reversed(before):
            found = _fold(step, found)
        return found
    if name not in CLASSIFIERS | REGRESSORS:
        raise _refused(estimator, "is not a linear estimator that it knows")
    if not hasattr(estimator, "coef_"):
        raise _refused(estimator, "has no coef_: it was not fitted, or its kernel is not linear")
    coef = estimator.coef_.toarray() if hasattr(estimator.coef_, "toarray") else estimator.coef_
    weights = np.atleast_2d(np.asarray(coef, dtype=np.float64))
    bias = np.broadcast_to(np.asarray(estimator.intercept_, dtype=np.float64), len(weights))
    if name in CLASSIFIERS:
        return _classifier(estimator, name, weights, bias)
    return _regressor(weights, bias, names, units)


def _name(estimator: Any) -> str:
    cls = type(estimator)
    return cls.__name__ if cls.__module__.split(".")[0] == "sklearn" else ""


def _refused(estimator: Any, why: str) -> ContractError:
    return ContractError(
        f"Linear.from_sklearn needs a fitted scikit-learn linear classifier or regressor, or a Pipeline of "
        f"StandardScaler and one of them; got {type(estimator).__name__}, which {why}. Fit one of those."
    )


def _classifier(estimator: Any, name: str, weights: Real, bias: Real) -> Unpacked:
    classes = np.asarray(estimator.classes_)
    if classes.ndim != 1 or (weights.shape[0] != len(classes) and len(classes) != 2):
        raise _refused(estimator, f"has {len(weights)} rows of weights for {len(classes)} classes (one against one?)")
    if name == "SVC" and len(classes) > 2:
        raise _refused(estimator, "decides one class against one; take LinearSVC or decode.SVM")
    two = len(weights) == 1
    if two:
        weights, bias = np.concatenate([-weights, weights]), np.concatenate([-bias, bias])
    probable = name in ("LinearDiscriminantAnalysis", "LogisticRegression", "LogisticRegressionCV")
    link: Literal["identity", "softmax", "sigmoid"] = "softmax" if probable else "identity"
    rest = getattr(estimator, "multi_class", "") == "ovr" or getattr(estimator, "solver", "") == "liblinear"
    if (probable and (two or rest)) or getattr(estimator, "loss", "") == "log_loss":
        link = "sigmoid"
    labels = tuple(str(c) for c in classes)
    return Unpacked(np.array(weights), np.array(bias), labels, ("1",) * len(labels), link, "class")


def _regressor(weights: Real, bias: Real, names: tuple[str, ...], units: tuple[str, ...]) -> Unpacked:
    n = len(weights)
    names = names or tuple(f"target{i}" for i in range(n))
    units = units or ("1",) * n
    if len(names) != n or len(units) != n:
        raise ContractError(
            f"Linear.from_sklearn needs a name and a unit for each of {n} targets; got {len(names)} and {len(units)}. "
            "Give one each."
        )
    return Unpacked(np.array(weights), np.array(bias), names, units, "identity", "target")


def _fold(step: Any, after: Unpacked) -> Unpacked:
    """Put ``(x - mean) / scale`` into the weights that follow."""
    if step is None or step == "passthrough":
        return after
    if _name(step) != "StandardScaler" or not hasattr(step, "n_features_in_"):
        raise _refused(step, "cannot stand before it")
    scale = np.ones(step.n_features_in_) if step.scale_ is None else step.scale_
    mean = np.zeros(step.n_features_in_) if not step.with_mean else step.mean_
    weights = after.weights / scale
    return replace(after, weights=weights, bias=after.bias - weights @ mean)
