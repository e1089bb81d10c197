"""FBCCA: which flicker is looked at, without calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from ranvier.decode._bands import band_weights, need_bands, window_rate
from ranvier.decode._sample import SampleStage, class_channels
from ranvier.decode._training import need_windows
from ranvier.decode._waves import sine_and_cosine
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
    an invalid sample. Portable.

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

    tags: ClassVar[Tags] = Tags(exactness="portable")
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
        from ranvier.kernels import _canonical

        n, rate = info.n_channels // self.n_bands, float(window_rate(info))
        sets = np.zeros((len(self.frequencies), 2 * self.n_harmonics, info.shape[0]))
        for waves, frequency in zip(sets, self.frequencies, strict=True):
            for k in range(1, self.n_harmonics + 1):
                if k * frequency < rate / 2:
                    waves[2 * k - 2 : 2 * k] = sine_and_cosine(np.arange(info.shape[0]) * (k * frequency / rate))
            _canonical.orthonormal(waves)
        waves, apart = _canonical.in_lanes(sets.transpose(0, 2, 1))
        room = _canonical.room(info.shape[0], n, waves, apart)
        return _canonical.correlate, waves, apart, room, np.zeros(apart), band_weights(self.n_bands).tolist()

    def transform(self, design: Any, x: Array, used: Array, y: Array) -> None:
        correlate, waves, apart, room, scores, weights = design
        length, n = x.shape[1], x.shape[2] // len(weights)
        for i in np.flatnonzero(used):
            scores[:] = 0
            for b, weight in enumerate(weights):
                room[0][:length, :n] = x[i, :, b * n : (b + 1) * n]
                if not correlate(length, n, waves, apart, room, weight, scores):
                    used[i] = False
                    break
            y[i] = scores[: y.shape[1]]
