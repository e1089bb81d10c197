"""From scores to probabilities, one sample at a time."""

from __future__ import annotations

import numpy as np

from ranvier.stream import Array


def softmax(score: Array) -> Array:
    """Return probabilities that are in proportion to the exponentials of the scores."""
    e = np.exp(score - score.max())
    return np.asarray(e / e.sum())


def sigmoid(score: Array) -> Array:
    """Return probabilities that are in proportion to the logistic functions of the scores."""
    return softmax(np.minimum(score, 0) - np.log1p(np.exp(-np.abs(score))))
