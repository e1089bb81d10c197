"""ASR: how large a clean signal is in every direction, learned from a calibration recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np

from ranvier.denoise._design import Sections
from ranvier.denoise._hops import Steps, steps_of
from ranvier.denoise._robust_mean import geometric_median, karcher_mean, power
from ranvier.denoise._subspace import SubspaceReconstruction
from ranvier.denoise._weighting import weighting
from ranvier.errors import ContractError
from ranvier.stage import Contract, Estimator, Samples, need_number, need_signal
from ranvier.stream import Array, StreamInfo

ELECTRODES = ("eeg", "ecog", "seeg", "dbs", "lfp")
LOWEST, HIGHEST = -3.5, 5.5  # robust deviations between which the power of a clean stretch lies (clean_rawdata)
BAD_SHARE = 0.075  # of channels that may lie outside in a clean stretch (clean_rawdata)
FEWEST = 10  # clean stretches that calibration needs
SHRINK = 0.01  # part of its own power that is added to each channel: linked electrodes may come apart
DEVIATION = 0.125  # of the largest amplitude in any direction, in parts of its median: .12 to .24 in EEG
SELDOM = 0.5  # share of the calibration that an electrode must be valid for, to be looked at
NORMAL = 1.4826  # standard deviations in a median absolute deviation


@final
@dataclass(frozen=True, eq=False)
class ASR(Estimator):
    """Learn what clean signal is, to replace what is larger: artifact subspace reconstruction.

    Parameters
    ----------
    cutoff
        How many deviations above the amplitude of clean signal an artefact begins: 10 in Riemannian terms (8 takes more
        of blinks, and some of the brain in noisy recordings); 5 to 20 in Euclidean ones.
    window, lookahead, hop, method, share
        Of the `SubspaceReconstruction` that it becomes.

    Notes
    -----
    *In*: signal ``(n_channels,)`` without offset and drift; electrodes (eeg, ecog, seeg, dbs, lfp) are looked at.
    Fitted on what lies inside trials, whatever their labels: quiet stretches, 30 s in all or more. They are weighted
    (drift, blinks and muscle up, rhythms down) and cut into windows. Windows in which more than 7.5 % of the channels
    have unusual power (robust z outside -3.5 to 5.5) are left out; so are electrodes that are invalid for more than
    half of the time, which will pass as they are. The covariance is the geometric median of those of half windows, or
    their Riemannian mean (Karcher), each of at least 2 n samples. A threshold is a median amplitude plus `cutoff`
    deviations: of each principal component, by the median absolute one; or (Riemannian) of the largest that any
    direction has in a window, in terms of the covariance, an eighth of the median each: measured,
    it would be wider the more blinks a calibration holds.

    Each channel is lifted by a hundredth of its own power. Electrodes that gel has linked in the calibration differ
    by nearly nothing; when they come apart, that would else be thirty times as much as ever was.

    With `lookahead` trials and `Epoch` behind it have to be cut as much later: it is a delay. Without, what is slower
    than a part of the window, blinks above all, has passed before it is known: take `RLS` with an EOG there.

    References
    ----------
    Mullen et al., IEEE Trans. Biomed. Eng. 62 (2015) 2553-2567. Blum et al., Front. Hum. Neurosci. 13 (2019) 141.
    Chang, Hsu, Pion-Tonachini & Jung, IEEE Trans. Biomed. Eng. 67 (2020) 1114-1121 (the cutoff).
    """

    cutoff: float = 10.0
    window: float = 0.5
    lookahead: float = 0.25
    hop: float = 0.05
    method: Literal["euclidean", "riemannian"] = "riemannian"
    share: float = 0.66

    whole: ClassVar[bool] = False

    def fit_samples(self, info: StreamInfo, samples: Samples) -> SubspaceReconstruction:
        need_signal(self, info)
        need_number(self, "cutoff", self.cutoff, 0, 1e6, "", "Take 10 if in doubt.")
        steps = steps_of(self, info, self.window, self.lookahead, self.hop)
        valid = np.broadcast_to(True, samples.x.shape) if samples.valid is None else samples.valid
        which = [i for i, k in enumerate(info.channels.kinds) if k in ELECTRODES and valid[:, i].mean() >= SELDOM]
        if len(which) < 2:
            raise ContractError(
                f"ASR needs two valid electrodes or more ({', '.join(ELECTRODES)}); got {len(which)} among kinds "
                f"{', '.join(dict.fromkeys(info.channels.kinds))}. Set their kinds, and look at their signals."
            )
        halves = np.concatenate(
            list(_weighted(samples, valid, which, steps, weighting(float(info.rate)))) or [np.empty(0)]
        )
        clean = halves[_clean(halves)] if len(halves) else halves
        if len(clean) < FEWEST:
            raise ContractError(
                f"ASR needs {FEWEST} clean windows of {self.window:g} s or more; got {len(clean)} of {len(halves)}. "
                "Give longer trials, or a longer recording at rest."
            )
        covariance = self._mean(clean)
        covariance += SHRINK * np.diag(np.diag(covariance))
        return SubspaceReconstruction(
            np.ascontiguousarray(covariance), self._threshold(clean.reshape(len(clean), -1, len(which)), covariance),
            tuple(info.channels.names[i] for i in which), Contract.of(info),
            self.window, self.lookahead, self.hop, self.method, self.share,
        )  # fmt: skip

    def _threshold(self, clean: Array, covariance: Array) -> Array:
        """Return the quadratic form that the power of clean windows ``(n_windows, n_time, n)`` stays below."""
        vectors = np.linalg.eigh(covariance)[1]
        if self.method == "riemannian":
            white = clean @ power(covariance, -0.5)
            largest = np.linalg.eigvalsh(white.swapaxes(1, 2) @ white / clean.shape[1])[:, -1]
            usual = np.median(np.sqrt(largest))
            return float(usual * (1 + self.cutoff * DEVIATION)) ** 2 * covariance
        level = np.sqrt(((clean @ vectors) ** 2).mean(axis=1))
        limit = self._limit(level)
        return (vectors * limit**2) @ vectors.T

    def _limit(self, level: Array) -> Array:
        """Return the middle of amplitudes and `cutoff` deviations more."""
        middle = np.median(level, axis=0)
        limit: Array = middle + self.cutoff * NORMAL * np.median(np.abs(level - middle), axis=0)
        return limit

    def _mean(self, clean: Array) -> Array:
        """Return the robust mean of the covariances of half windows ``(n_windows, 2, n_time, n)``."""
        n = clean.shape[-1]
        halves = clean.reshape(-1, *clean.shape[2:])
        if self.method == "riemannian":
            joined = min(-(-2 * n // halves.shape[1]), len(halves))
            halves = halves[: len(halves) // joined * joined].reshape(-1, joined * halves.shape[1], n)
        covariances = halves.swapaxes(1, 2) @ halves / halves.shape[1]
        return karcher_mean(covariances) if self.method == "riemannian" else geometric_median(covariances)


def _weighted(samples: Samples, valid: Array, which: list[int], steps: Steps, sections: Sections) -> Any:
    """Yield the windows of each valid stretch, weighted: ``(n_windows, 2, n_time, n)``, without what lies left over."""
    from ranvier.kernels import _subspace

    good = valid[:, which].all(axis=1)
    edges = np.flatnonzero((np.diff(samples.stretch) != 0) | (np.diff(good) != 0)) + 1
    for a, b in zip([0, *edges], [*edges, len(good)], strict=True):
        if not good[a:b].all():
            continue
        x = np.ascontiguousarray(samples.x[a:b, which], dtype=np.float64)
        _subspace.weigh(x, sections, np.zeros((len(which), len(sections), 2)))
        count = len(x) // steps.window
        yield x[len(x) - count * steps.window :].reshape(count, 2, steps.window // 2, len(which))


def _clean(windows: Array) -> Array:
    """Say which windows are clean: few channels whose power is unusual for them."""
    level = np.sqrt((windows**2).mean(axis=(1, 2)))
    middle = np.median(level, axis=0)
    spread = NORMAL * np.median(np.abs(level - middle), axis=0)
    z = (level - middle) / np.where(spread > 0, spread, np.inf)
    few: Array = ((z < LOWEST) | (z > HIGHEST)).mean(axis=1) <= BAD_SHARE
    return few
