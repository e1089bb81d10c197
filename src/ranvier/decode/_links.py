"""From scores to probabilities, one sample at a time; what many need at once stands in `ranvier.kernels._links`."""

from __future__ import annotations

import numpy as np

from ranvier.stream import Array


def softmax(score: Array) -> Array:
    """Return probabilities that are in proportion to the exponentials of the scores."""
    return _linked("softmax", score)


def sigmoid(score: Array) -> Array:
    """Return probabilities that are in proportion to the logistic functions of the scores."""
    return _linked("sigmoid", score)


def _linked(link: str, score: Array) -> Array:
    from ranvier.kernels import _links

    row = np.array(score, dtype=np.float64, order="C")[None]
    getattr(_links, link)(row, np.ones(1, bool))
    return np.asarray(row[0])
