"""What estimators share: labels or targets that make sense, libraries that are there."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError, MissingExtraError
from ranvier.stage import Samples
from ranvier.stream import Array, StreamInfo

Real = npt.NDArray[np.float64]


def classes_of(who: Any, samples: Samples) -> tuple[str, ...]:
    """Return the labels in order; refuse continuous targets and a single class."""
    if samples.y.dtype.kind != "U":
        raise ContractError(
            f"{type(who).__name__} needs labelled trials; got targets of dtype {samples.y.dtype}. "
            "Give it Trials, or take Ridge, Wiener or Kalman for targets."
        )
    classes = tuple(str(c) for c in np.unique(samples.y))
    if len(classes) < 2:
        raise ContractError(
            f"{type(who).__name__} needs trials of two classes or more; got {', '.join(classes) or 'none'}. "
            "Name more labels in the trials."
        )
    return classes


def targets_of(who: Any, samples: Samples) -> Real:
    """Return what is to be followed, ``(n, n_values)``; refuse labels."""
    if samples.y.dtype.kind != "f" or samples.y.ndim != 2:
        raise ContractError(
            f"{type(who).__name__} needs continuous targets; got {samples.y.dtype} of shape {samples.y.shape}. "
            "Give it Targets, or take LDA, LogisticRegression or SVM for labels."
        )
    return np.asarray(samples.y, dtype=np.float64)


def rows_of(samples: Samples) -> Real:
    """Return samples as float64 rows, time-major."""
    return np.asarray(samples.x.reshape(len(samples.x), -1), dtype=np.float64)


def matrices_of(who: Any, info: StreamInfo, samples: Samples) -> Real:
    """Return covariances in float64; refuse samples of another shape."""
    need_matrices(who, info)
    return np.asarray(samples.x, dtype=np.float64)


def need_matrices(who: Any, info: StreamInfo) -> None:
    """Refuse streams whose samples are not covariances."""
    if info.shape != (info.n_channels, info.n_channels):
        raise ContractError(
            f"{type(who).__name__} needs covariances of shape (n_channels, n_channels); got samples of shape "
            f"{info.shape}. Put Covariance before it."
        )


def need_windows(who: Any, info: StreamInfo) -> None:
    """Refuse streams whose samples are not windows."""
    if len(info.shape) != 2:
        raise ContractError(
            f"{type(who).__name__} needs windows of shape (length, n_channels); got samples of shape {info.shape}. "
            "Put Window or Epoch before it."
        )


def library(who: Any, module: str, name: str) -> Any:
    """Import what only training needs, or say how to install it."""
    try:
        return import_module(module)
    except ImportError:
        raise MissingExtraError(type(who).__name__, name, "decode") from None


def trial_means(x: Array, y: Array, classes: tuple[str, ...]) -> Real:
    """Return the mean sample of each class."""
    return np.stack([x[y == c].mean(axis=0) for c in classes])
