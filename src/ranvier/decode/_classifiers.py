"""LogisticRegression and SVM: trained by scikit-learn, run as `Linear`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ranvier.decode._linear import Linear
from ranvier.decode._training import Real, classes_of, library, rows_of
from ranvier.errors import ContractError
from ranvier.stage import Contract, Estimator, Samples
from ranvier.stream import Array, StreamInfo

TOLERANCE = 1e-6  # of the optimiser: far below what a change of fold does to the weights
ITERATIONS = {"LogisticRegression": 10_000, "SVC": 1_000_000}


@final
@dataclass(frozen=True, eq=False)
class LogisticRegression(Estimator):
    """Learn logistic regression with a quadratic penalty (multinomial for several classes).

    Parameters
    ----------
    C
        Inverse of the penalty's weight, > 0; the bias is not penalised.
    balanced
        Let every class count the same, however often it occurs.
    standardise
        Give every feature variance 1 before, so that its unit does not matter; folded into the weights.
        Not for tangent vectors, whose directions are comparable as they are.

    Notes
    -----
    *In*: samples of any shape, read as rows, time-major. Fitted, it is a `Linear` that gives probabilities.
    Training uses scikit-learn (``pip install 'ranvier[decode]'``).

    References
    ----------
    Bishop, Pattern Recognition and Machine Learning, section 4.3.
    """

    C: float = 1.0
    balanced: bool = False
    standardise: bool = False

    def fit_samples(self, info: StreamInfo, samples: Samples) -> Linear:
        classes_of(self, samples)
        peer = library(self, "sklearn.linear_model", "scikit-learn").LogisticRegression
        return _fit(self, peer, rows_of(samples), samples.y, Contract.of(info), tol=TOLERANCE)


@final
@dataclass(frozen=True, eq=False)
class SVM(Estimator):
    """Learn a linear support vector machine, each class against the rest.

    Parameters
    ----------
    C
        Inverse of the penalty's weight, > 0.
    balanced
        Let every class count the same, however often it occurs.
    standardise
        Give every feature variance 1 before, so that its unit does not matter; folded into the weights.
        Not for tangent vectors, whose directions are comparable as they are.

    Notes
    -----
    *In*: samples of any shape, read as rows, time-major. Fitted, it is a `Linear` that gives margins: one
    number a class, the largest is the decision. Training uses scikit-learn
    (``pip install 'ranvier[decode]'``).

    References
    ----------
    Cortes & Vapnik, Machine Learning 20 (1995) 273.
    """

    C: float = 1.0
    balanced: bool = False
    standardise: bool = False

    def fit_samples(self, info: StreamInfo, samples: Samples) -> Linear:
        classes = classes_of(self, samples)
        peer = library(self, "sklearn.svm", "scikit-learn").SVC
        x, contract = rows_of(samples), Contract.of(info)
        sides = classes if len(classes) > 2 else classes[1:]
        parts = [_fit(self, peer, x, samples.y == c, contract, kernel="linear") for c in sides]
        weights, bias = np.stack([p.weights[1] for p in parts]), np.array([p.bias[1] for p in parts])
        if len(classes) == 2:
            weights, bias = np.concatenate([-weights, weights]), np.concatenate([-bias, bias])
        return Linear(weights, bias, classes, ("1",) * len(classes), contract)


def _fit(who: LogisticRegression | SVM, peer: Any, x: Real, y: Array, contract: Contract, **options: Any) -> Linear:
    """Fit scikit-learn's estimator and unpack it; refuse one that did not converge."""
    name = type(who).__name__
    if not who.C > 0:
        raise ContractError(f"{name} needs C > 0; got C={who.C:g}. Take 1; smaller is smoother.")
    exceptions = library(who, "sklearn.exceptions", "scikit-learn")
    pipeline = library(who, "sklearn.pipeline", "scikit-learn")
    scaler = library(who, "sklearn.preprocessing", "scikit-learn").StandardScaler
    most = ITERATIONS[peer.__name__]
    model = peer(C=who.C, class_weight="balanced" if who.balanced else None, max_iter=most, **options)
    model = pipeline.make_pipeline(scaler(), model) if who.standardise else model
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", exceptions.ConvergenceWarning)
            model.fit(x, y)
    except exceptions.ConvergenceWarning:
        spread = x.std(axis=0)
        raise ContractError(
            f"{name} needs features of a size that its penalty suits; got standard deviations from {spread.min():.3g} "
            f"to {spread.max():.3g}, with which {most} iterations were not enough. Set standardise, or lower C."
        ) from None
    return Linear.from_sklearn(model, contract)
