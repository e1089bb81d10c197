"""pyRiemann deciding on one window of EEG: sample covariance, tangent space, linear scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.decode import Linear, TangentProjection

Array = npt.NDArray[Any]
PACKAGES = ("pyriemann", "scikit-learn")


class PyRiemannDecision:
    """What our fitted stages hold, run by pyRiemann.

    Parameters
    ----------
    projection, linear
        Our fitted stages. After a common reference one direction has no power; both leave it out.
    """

    def __init__(self, projection: TangentProjection, linear: Linear) -> None:
        from pyriemann.estimation import Covariances
        from pyriemann.tangentspace import TangentSpace

        values, vectors = np.linalg.eigh(projection.whitening @ projection.whitening.T)  # of the mean's inverse
        self._basis = ((vectors / np.sqrt(values)) @ vectors.T) @ projection.whitening
        self._covariances = Covariances("scm")
        self._tangent = TangentSpace(metric="riemann")
        self._tangent.reference_ = (vectors / values) @ vectors.T
        self._linear = linear

    def __call__(self, window: Array) -> Array:
        """Return one score a class for a window ``(length, n_channels)``."""
        covariance = self._covariances.transform(window.T[None])
        small = self._basis @ covariance @ self._basis.T
        sums = self._linear.weights @ self._tangent.transform(small)[0] + self._linear.bias
        if self._linear.link == "softmax":
            sums = np.exp(sums - sums.max())
        elif self._linear.link == "sigmoid":
            sums = 1 / (1 + np.exp(-sums))
        return np.asarray(sums if self._linear.link == "identity" else sums / sums.sum())
