"""FBCCA: which flicker is looked at, without calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from ranvier.decode._bands import band_weights, need_bands, window_rate
from ranvier.decode._sample import SampleStage, class_channels
from ranvier.decode._spd import RANK
from ranvier.decode._training import Real, need_windows
from ranvier.errors import ContractError
from ranvier.stage import Tags, need_stream
from ranvier.stream import Array, Info, StreamInfo


@final
@dataclass(frozen=True, eq=False)
class FBCCA(SampleStage):
    """Score flicker frequencies by canonical correlation with sines, over a bank of bands; needs no calibration.

    Parameters
    ----------
    frequencies
        Of the targets [Hz], above 0 and below half the sampling rate.
    n_harmonics
        How many multiples of each frequency are looked for, the first included; those above half the
        sampling rate are left out.
    n_bands
        In how many groups the channels come, band after band, as from `filter_bank`; 1 is plain CCA.
    classes
        Label of each target; left empty, the frequency is its label (``13``, ``7.5``).

    Notes
    -----
    *In*: windows ``(length, n_bands * n)``, from `filter_bank`, then `Window` or `Epoch`. *Out*: one score a
    target, the sum over bands of ``(b**-1.25 + 0.25) * r**2``, r being the largest canonical correlation.
    Delay, support, settle: none added. A window with an invalid number, or with a band that is constant, gives
    an invalid sample. Exact (LAPACK inside).

    Examples
    --------
    >>> from ranvier.features import Window
    >>> from ranvier.stream import StreamInfo
    >>> cca = Window(length=2.0, hop=0.2) | FBCCA((13, 17, 21))
    >>> cca.describe(StreamInfo.signal(256, 8)).channels.names
    ('13', '17', '21')

    References
    ----------
    Chen, Wang, Gao, Jung, Gao, J. Neural Eng. 12 (2015) 046008. Lin, Zhang, Wu, Gao, IEEE Trans. Biomed.
    Eng. 54 (2007) 1172.
    """

    tags: ClassVar[Tags] = Tags(exactness="exact")
    frequencies: tuple[float, ...]
    n_harmonics: int = 3
    n_bands: int = 1
    classes: tuple[str, ...] = ()

    def accept(self, info: Info) -> StreamInfo:
        stream = need_stream(self, info)
        need_windows(self, stream)
        n = need_bands(self, stream, self.n_bands)
        least = 2 * self.n_harmonics + n
        if stream.shape[0] <= least:
            raise ContractError(
                f"FBCCA needs windows of more than {least} samples for {n} channels and {self.n_harmonics} harmonics; "
                f"got {stream.shape[0]}. Lengthen Window or Epoch."
            )
        top = float(window_rate(stream)) / 2
        bad = [f for f in self.frequencies if not 0 < f < top]
        if not self.frequencies or bad:
            raise ContractError(
                f"FBCCA needs frequencies above 0 and below {top:g} Hz; got {bad or 'none'}. "
                "Name the flicker of every target."
            )
        if self.n_harmonics < 1:
            raise ContractError(f"FBCCA needs n_harmonics >= 1; got {self.n_harmonics}. Take 3 if in doubt.")
        if self.classes and len(self.classes) != len(self.frequencies):
            raise ContractError(
                f"FBCCA needs a label for each of {len(self.frequencies)} frequencies; got {len(self.classes)}. "
                "Give one each, or none."
            )
        return stream

    def describe_samples(self, info: StreamInfo) -> StreamInfo:
        labels = self.classes or tuple(f"{f:g}" for f in self.frequencies)
        return info.but(shape=(len(labels),), channels=class_channels(labels))

    def design(self, info: StreamInfo) -> Any:
        length, bands = info.shape[0], self.n_bands
        n = info.n_channels // bands
        sines = np.concatenate([self._sines(f, length, float(window_rate(info))) for f in self.frequencies], axis=1)
        room = np.zeros((bands, n, length)), np.zeros((bands, n, sines.shape[1]))
        return np.ascontiguousarray(sines), band_weights(bands), room

    def _sines(self, frequency: float, length: int, rate: float) -> Real:
        """Return an orthonormal basis of the sines and cosines, ``(length, 2 * n_harmonics)``; 0 above rate / 2."""
        out = np.zeros((length, 2 * self.n_harmonics))
        k = np.arange(1, self.n_harmonics + 1)
        k = k[k * frequency < rate / 2]
        angle = 2 * np.pi * frequency / rate * np.arange(length)[:, None] * k
        waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
        out[:, : 2 * len(k)] = np.linalg.qr(waves - waves.mean(axis=0))[0]
        return out

    def transform(self, design: Any, x: Array, used: Array, y: Array) -> None:
        sines, weights, (window, cross) = design
        bands, n, length = window.shape
        for i in np.flatnonzero(used):
            window[...] = x[i].T.reshape(bands, n, length)
            window -= window.mean(axis=2, keepdims=True)
            power = np.square(window).sum(axis=2, keepdims=True)
            if not (np.isfinite(power).all() and (power.max(axis=1) > 0).all()):
                used[i] = False
                continue
            window /= np.sqrt(np.where(power > 0, power, 1.0))
            values, vectors = np.linalg.eigh(window @ window.transpose(0, 2, 1))
            kept = values > RANK * values[:, -1:]
            white = vectors * np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)[:, None, :]
            np.matmul(window, sines, out=cross)
            y[i] = weights @ self._correlations(white.transpose(0, 2, 1) @ cross)

    def _correlations(self, shared: Real) -> Real:
        """Return the largest squared canonical correlation of each band and target."""
        bands, n, _ = shared.shape
        m = shared.reshape(bands, n, len(self.frequencies), -1).transpose(0, 2, 1, 3)
        turned = m.transpose(0, 1, 3, 2)
        small = m @ turned if n <= m.shape[-1] else turned @ m
        return np.asarray(np.linalg.eigvalsh(small)[..., -1])
