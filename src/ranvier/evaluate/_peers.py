"""Peers: other projects' own code on the same trials and folds; their libraries are imported when they run."""

from __future__ import annotations

import abc
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError, MissingExtraError
from ranvier.evaluate._scores import Real
from ranvier.evaluate._table import Table
from ranvier.stream import Recording

Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Foreign:
    """Another project's code; `note` says what it does otherwise than we."""

    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    note: ClassVar[str] = ""

    def versions(self) -> dict[str, str]:
        """Return the versions of the libraries that do the work."""
        return {name: version(name) for name in self.libraries}


@dataclass(frozen=True)
class Peer(Foreign, abc.ABC):
    """What can be fitted and tested on epochs."""

    @abc.abstractmethod
    def prepare(self, recordings: Sequence[Recording], table: Table) -> Any:
        """Return what does not depend on the fold."""

    @abc.abstractmethod
    def decide(self, prepared: Any, labels: npt.NDArray[np.str_], train: Index, test: Index) -> Real:
        """Return one score a test trial and class, classes sorted."""


def _need(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as e:
        raise MissingExtraError("A peer", module.split(".")[0], "evaluate") from e


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def signal_of(rec: Recording) -> Real:
    """Return the channels that are neither trigger nor anything else but potentials, ``(n_channels, n)``, float64."""
    kinds = rec.info.channels.kinds
    brain = [i for i, k in enumerate(kinds) if k in ("eeg", "ecog", "lfp", "meg", "seeg")]
    if not brain:
        raise ContractError(f"A peer needs channels of a brain; got kinds {', '.join(sorted(set(kinds)))}.")
    out = np.zeros((len(brain), rec.n_samples))
    for block in rec.blocks(max(1, int(rec.info.rate * 10))):
        out[:, block.start : block.stop] = block.data[:, brain].T
    return out


def epochs_of(recordings: Sequence[Recording], table: Table, bands: Sequence[tuple[float, float]] = ()) -> Real:
    """Return trials as MNE-Python cuts them, ``(n_trials, n_bands * n_channels, n)``.

    Filters are MNE's ``method="iir"``: Butterworth of order 4, forwards and backwards, so without delay
    and not causal. As in ``mne.Epochs`` the last sample is the one at `tmax`, where there is one.
    """
    trials = table.trials
    lengths = np.array([rec.n_samples for rec in recordings])
    more = int((trials.end < lengths[trials.recording]).all())
    out: list[Any] = [None] * len(trials)
    for r, rec in enumerate(recordings):
        x = signal_of(rec)
        if bands:
            filters = _need("mne.filter")
            rate = float(rec.info.rate)
            x = np.concatenate([filters.filter_data(x, rate, a, b, method="iir", verbose="error") for a, b in bands])
        for t in np.flatnonzero(trials.recording == r):
            out[t] = x[:, int(trials.begin[t]) : int(trials.end[t]) + more]
    return np.stack(out)


def _scores(model: Any, x: Any) -> Real:
    """Return one number a class, from whatever the estimator offers."""
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(x))
    s = np.asarray(model.decision_function(x))
    return np.stack([-s, s], axis=1) if s.ndim == 1 else s


@dataclass(frozen=True)
class PyRiemann(Peer):
    """PyRiemann on epochs, as MOABB's pipeline files have it.

    Parameters
    ----------
    bands
        Of the filter bank [Hz]; filtered channels are stacked before the covariance is taken.
    classifier
        ``mdm``, ``ts_lr`` (tangent space, logistic regression) or ``csp_lda``.
    estimator
        Of the covariances.
    n_filters
        Of CSP.
    """

    libraries: ClassVar[tuple[str, ...]] = ("pyriemann", "scikit-learn", "mne")
    note: ClassVar[str] = "zero-phase filters, as its authors do"

    bands: tuple[tuple[float, float], ...]
    classifier: Literal["mdm", "ts_lr", "csp_lda"] = "ts_lr"
    estimator: str = "oas"
    n_filters: int = 6

    def prepare(self, recordings: Sequence[Recording], table: Table) -> Real:
        made = _need("pyriemann.estimation").Covariances(self.estimator)
        return np.asarray(made.fit_transform(epochs_of(recordings, table, self.bands)))

    def decide(self, prepared: Real, labels: npt.NDArray[np.str_], train: Index, test: Index) -> Real:
        linear = _need("sklearn.linear_model")
        steps: list[Any]
        if self.classifier == "mdm":
            steps = [_need("pyriemann.classification").MDM()]
        elif self.classifier == "ts_lr":
            steps = [_need("pyriemann.tangentspace").TangentSpace(), linear.LogisticRegression()]
        else:
            lda = _need("sklearn.discriminant_analysis").LinearDiscriminantAnalysis()
            steps = [_need("pyriemann.spatialfilters").CSP(nfilter=self.n_filters), lda]
        with _quiet():
            model = _need("sklearn.pipeline").make_pipeline(*steps).fit(prepared[train], labels[train])
            return _scores(model, prepared[test])


@dataclass(frozen=True)
class PlainFBCCA(Peer):
    """Filter-bank CCA by scikit-learn's CCA: Chen et al. 2015, bands that begin ever higher.

    Parameters
    ----------
    frequencies
        Of the targets [Hz], in the order of the sorted class labels.
    lows, high
        Corners of the bands [Hz].
    n_harmonics
        Multiples of each frequency that are looked for.
    """

    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "mne")
    note: ClassVar[str] = "zero-phase filters, as its authors do; no training"

    frequencies: tuple[float, ...]
    lows: tuple[float, ...] = (6.0, 14.0, 22.0, 30.0, 38.0)
    high: float = 90.0
    n_harmonics: int = 3

    def prepare(self, recordings: Sequence[Recording], table: Table) -> Real:
        cca = _need("sklearn.cross_decomposition").CCA(n_components=1)
        rate = float(recordings[0].info.rate)
        weights = np.arange(1, len(self.lows) + 1) ** -1.25 + 0.25
        out = np.zeros((len(table), len(self.frequencies)))
        for weight, low in zip(weights, self.lows, strict=True):
            x = epochs_of(recordings, table, [(low, self.high)])
            t = np.arange(x.shape[2]) / rate
            for k, f in enumerate(self.frequencies):
                angles = 2 * np.pi * f * t[:, None] * np.arange(1, self.n_harmonics + 1)
                sines = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
                for i, trial in enumerate(x):
                    with _quiet():
                        a, b = cca.fit_transform(trial.T, sines)
                    out[i, k] += weight * np.corrcoef(a[:, 0], b[:, 0])[0, 1] ** 2
        return out

    def decide(self, prepared: Real, labels: npt.NDArray[np.str_], train: Index, test: Index) -> Real:
        return np.asarray(prepared[test])


@dataclass(frozen=True)
class XdawnLDA(Peer):
    """PyRiemann's Xdawn and scikit-learn's LDA on epochs, as in MOABB's ``xDAWN_LDA``.

    Parameters
    ----------
    low, high
        Band [Hz].
    n_filters
        A class.
    step
        Every so many samples are kept after filtering.
    """

    libraries: ClassVar[tuple[str, ...]] = ("pyriemann", "scikit-learn", "mne")
    note: ClassVar[str] = "zero-phase filters, as its authors do"

    low: float = 1.0
    high: float = 24.0
    n_filters: int = 4
    step: int = 1

    def prepare(self, recordings: Sequence[Recording], table: Table) -> Real:
        return epochs_of(recordings, table, [(self.low, self.high)])[:, :, :: self.step]

    def decide(self, prepared: Real, labels: npt.NDArray[np.str_], train: Index, test: Index) -> Real:
        xdawn = _need("pyriemann.spatialfilters").Xdawn(nfilter=self.n_filters)
        lda = _need("sklearn.discriminant_analysis").LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        with _quiet():
            x = xdawn.fit(prepared[train], labels[train]).transform(prepared)
            flat = x.reshape(len(x), -1)
            return _scores(lda.fit(flat[train], labels[train]), flat[test])


@dataclass(frozen=True)
class BinnedLDA(Peer):
    """Means of equal pieces of a trial and scikit-learn's shrinkage LDA.

    Parameters
    ----------
    bins
        Pieces of a trial.
    """

    bins: int = 4

    def prepare(self, recordings: Sequence[Recording], table: Table) -> Real:
        parts = np.array_split(epochs_of(recordings, table), self.bins, axis=2)
        return np.concatenate([p.mean(axis=2) for p in parts], axis=1)

    def decide(self, prepared: Real, labels: npt.NDArray[np.str_], train: Index, test: Index) -> Real:
        lda = _need("sklearn.discriminant_analysis").LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        return _scores(lda.fit(prepared[train], labels[train]), prepared[test])


@dataclass(frozen=True)
class Follower(Foreign, abc.ABC):
    """What can follow continuous targets."""

    @abc.abstractmethod
    def follow(self, x: Real, z: Real, train: Sequence[tuple[int, int]], begin: int, end: int) -> Real:
        """Return what is decoded from `begin` to `end` of one recording, fitted on ranges of it."""


@dataclass(frozen=True)
class LagRegression(Follower):
    """Scikit-learn's linear regression on the last samples: a Wiener filter.

    Parameters
    ----------
    lags
        Samples that are weighted, the present one included.
    """

    lags: int = 5

    def follow(self, x: Real, z: Real, train: Sequence[tuple[int, int]], begin: int, end: int) -> Real:
        lagged = np.concatenate([np.roll(x, k, axis=0) for k in range(self.lags)], axis=1)
        rows = np.concatenate([np.arange(a + self.lags - 1, b) for a, b in train])
        model = _need("sklearn.linear_model").LinearRegression().fit(lagged[rows], z[rows])
        return np.asarray(model.predict(lagged[begin:end]))


@dataclass(frozen=True)
class ClosedFormKalman(Follower):
    """Wu et al. 2006 in plain NumPy: least squares for every matrix, one predict and update a sample."""

    libraries: ClassVar[tuple[str, ...]] = ("numpy",)

    def follow(self, x: Real, z: Real, train: Sequence[tuple[int, int]], begin: int, end: int) -> Real:
        rows = np.concatenate([np.arange(a, b) for a, b in train])
        pairs = np.concatenate([np.arange(a, b - 1) for a, b in train])
        mean, centre = x[rows].mean(axis=0), z[rows].mean(axis=0)
        x, z = x - mean, z - centre
        a = np.linalg.lstsq(z[pairs], z[pairs + 1], rcond=None)[0].T
        w = np.cov((z[pairs + 1] - z[pairs] @ a.T).T, bias=True)
        c = np.linalg.lstsq(z[rows], x[rows], rcond=None)[0].T
        q = np.cov((x[rows] - z[rows] @ c.T).T, bias=True)
        state, p, out = np.zeros(z.shape[1]), np.cov(z[rows].T, bias=True), []
        for i in range(end):
            state, p = a @ state, a @ p @ a.T + w
            gain = np.linalg.solve(c @ p @ c.T + q, c @ p).T
            state, p = state + gain @ (x[i] - c @ state), p - gain @ c @ p
            if i >= begin:
                out.append(state + centre)
        return np.array(out)


PEERS: dict[str, type] = {
    c.__name__: c for c in (PyRiemann, PlainFBCCA, XdawnLDA, BinnedLDA, LagRegression, ClosedFormKalman)
}
