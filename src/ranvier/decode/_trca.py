"""TRCA: which flicker is looked at, by what repeats from trial to trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from ranvier.decode._bands import band_weights, need_bands
from ranvier.decode._sample import SampleStage, class_channels, need_array
from ranvier.decode._spd import contrast
from ranvier.decode._training import Real, classes_of, need_windows, trial_means
from ranvier.errors import ContractError
from ranvier.stage import Contract, Estimator, Samples, Tags
from ranvier.stream import Array, StreamInfo


@final
@dataclass(frozen=True, eq=False)
class TRCA(Estimator):
    """Learn task-related components: templates of each class, and spatial filters that make trials repeat.

    Parameters
    ----------
    n_components
        Filters kept of each class.
    ensemble
        Look through the filters of all classes at once.
    n_bands
        In how many groups the channels come, band after band, as from `filter_bank`.

    Notes
    -----
    *In*: windows ``(length, n_bands * n)``, locked to the stimulus (`features.Epoch`), each less its mean.
    Fitted, it is a `TemplateMatch`. Needs at least two trials of each class.

    References
    ----------
    Nakanishi, Wang, Chen, Wang, Gao, Jung, IEEE Trans. Biomed. Eng. 65 (2018) 104.
    """

    n_components: int = 1
    ensemble: bool = True
    n_bands: int = 1

    def fit_samples(self, info: StreamInfo, samples: Samples) -> TemplateMatch:
        need_windows(self, info)
        n, bands = need_bands(self, info, self.n_bands), self.n_bands
        if not 1 <= self.n_components <= n:
            raise ContractError(f"TRCA needs 1 <= n_components <= {n} (channels); got {self.n_components}. Take 1.")
        classes = classes_of(self, samples)
        few = [c for c in classes if (samples.y == c).sum() < 2]
        if few:
            raise ContractError(f"TRCA needs two trials of each class; got fewer of {', '.join(few)}. Give it more.")
        x = np.asarray(samples.x, dtype=np.float64)
        x = x - x.mean(axis=1, keepdims=True)
        filters = np.zeros((bands, len(classes), self.n_components, n))
        for b in range(bands):
            for k, c in enumerate(classes):
                found = repeating(x[samples.y == c, :, b * n : (b + 1) * n]).T[: self.n_components]
                filters[b, k, : len(found)] = found
        templates = trial_means(x, samples.y, classes)
        return TemplateMatch(filters, templates, self.ensemble, classes, Contract.of(info))


def repeating(x: Real) -> Real:
    """Return spatial filters ``(n, rank)`` in falling order of covariance between trials over that within.

    Parameters
    ----------
    x
        ``(n_trials, length, n)``, each trial less its mean.
    """
    within = np.einsum("tli,tlj->ij", x, x)
    total = x.sum(axis=0)
    return contrast(total.T @ total - within, within)[1]


@final
@dataclass(frozen=True, eq=False)
class TemplateMatch(SampleStage):
    """Correlation of windows with class templates, behind spatial filters; made by `TRCA`.

    Parameters
    ----------
    filters
        ``(n_bands, n_classes, n_components, n)``.
    templates
        Mean window of each class, ``(n_classes, length, n_bands * n)``.
    ensemble
        Look through the filters of all classes at once.
    classes
        Their labels.
    contract
        The stream that it was fitted on.

    Notes
    -----
    *In*: windows ``(length, n_bands * n)``. *Out*: one score a class, the sum over bands of
    ``(b**-1.25 + 0.25) * r``. Delay, support, settle: none added. A window with an invalid number, or that is
    constant, gives an invalid sample. Exact (BLAS inside).

    References
    ----------
    Nakanishi, Wang, Chen, Wang, Gao, Jung, IEEE Trans. Biomed. Eng. 65 (2018) 104.
    """

    tags: ClassVar[Tags] = Tags(exactness="exact")
    filters: np.ndarray
    templates: np.ndarray
    ensemble: bool
    classes: tuple[str, ...]
    contract: Contract

    def __post_init__(self) -> None:
        bands, _, components, n = self.filters.shape if self.filters.ndim == 4 else (0, 0, 0, 0)
        need_array(self, "filters", (bands, len(self.classes), components, n))
        need_array(self, "templates", (len(self.classes), *self.contract.shape))
        need_array(self, "templates", (len(self.classes), self.contract.shape[0], bands * n))

    def describe_samples(self, info: StreamInfo) -> StreamInfo:
        need_windows(self, info)
        return info.but(shape=(len(self.classes),), channels=class_channels(self.classes))

    def design(self, info: StreamInfo) -> Any:
        return np.array([self._views(t)[:, k] for k, t in enumerate(self.templates)]), band_weights(len(self.filters))

    def _views(self, window: Array) -> Real:
        """Return a window as each class sees it, in unit length: ``(n_bands, n_classes, -1)``; NaN where constant."""
        bands, n_classes, components, n = self.filters.shape
        x = np.array(window, dtype=np.float64)
        x -= x.mean(axis=0)
        seen: Real = np.empty((bands, n_classes, components, len(x)))
        for b in range(bands):
            part = np.ascontiguousarray(x[:, b * n : (b + 1) * n].T)
            seen[b] = (np.ascontiguousarray(self.filters[b].reshape(-1, n)) @ part).reshape(seen.shape[1:])
        if self.ensemble:
            seen = np.broadcast_to(seen.reshape(bands, 1, -1), (bands, n_classes, n_classes * components * len(x)))
        else:
            seen = seen.reshape(bands, n_classes, -1)
        seen = seen - seen.mean(axis=2, keepdims=True)
        length = np.sqrt(np.square(seen).sum(axis=2, keepdims=True))
        return np.asarray(seen / np.where(length > 0, length, np.nan))

    def transform(self, design: Any, x: Array, used: Array, y: Array) -> None:
        templates, weights = design
        for i in np.flatnonzero(used):
            match = (self._views(x[i]).transpose(1, 0, 2) * templates).sum(axis=2) @ weights
            if np.isfinite(match).all():
                y[i] = match
            else:
                used[i] = False
