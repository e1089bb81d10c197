"""Resample: the same signal at any other rate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import final

import numpy as np

from ranvier.denoise._polyphase import Polyphase
from ranvier.denoise._windowed import Taps, kaiser_length, windowed_sinc
from ranvier.errors import ContractError
from ranvier.stage import need_number
from ranvier.stream import StreamInfo

MOST = 20_000  # largest numerator and denominator of a change of rate


@final
@dataclass(frozen=True, eq=False)
class Resample(Polyphase):
    """Change the rate to any other, by a ratio of whole numbers, with a linear-phase filter.

    Parameters
    ----------
    rate
        Wanted rate [Hz], or an exact ratio as text: ``"1000/3"``.
    width
        Part of the lower Nyquist frequency over which the filter falls from 1 to its stop band. What it takes
        away from the band it saves in delay.
    attenuation
        Of everything that would fold, and of images [dB].

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels and units at `rate`; float32 (float64 for float64). Output k
    lies at input sample ``k * input rate / rate``, whatever the stream started with; a constant stays what it
    is. The stop band begins at the lower of the two Nyquist frequencies. An output is valid where all samples
    that it is made of are. At the rate that the stream has, nothing is done. Delay: half the filter, exact;
    14.5 samples of the lower rate with the defaults (`Decimate` is quicker). Support: the filter. Settle: one
    input sample less. Portable.

    Examples
    --------
    >>> from ranvier.stream import StreamInfo
    >>> Resample(250).describe(StreamInfo.signal(1000, 8)).origin.step
    Fraction(4, 1)

    References
    ----------
    Oppenheim & Schafer, Discrete-Time Signal Processing, ch. 4 (rational rates, polyphase) and 7 (Kaiser window).
    """

    rate: float | str
    width: float = 0.25
    attenuation: float = 60.0

    def ratio(self, info: StreamInfo) -> Fraction:
        try:
            wanted = Fraction(self.rate) if isinstance(self.rate, str) else Fraction(self.rate).limit_denominator(10**6)
        except (ValueError, ZeroDivisionError, OverflowError):
            wanted = Fraction(0)
        ratio = wanted / info.rate
        if not wanted > 0 or max(ratio.numerator, ratio.denominator) > MOST:
            raise ContractError(
                f"Resample needs a rate > 0 Hz whose ratio to the input's has terms up to {MOST}; got {self.rate!r} Hz "
                f"from {info.rate} Hz, {ratio}. Take a rounder rate, or write it as a fraction: '1000/3'."
            )
        return ratio

    def response(self, info: StreamInfo) -> Taps:
        ratio = self.ratio(info)
        need_number(self, "width", self.width, 0, 1, "of the Nyquist frequency", "Take 0.25 if in doubt.")
        need_number(self, "attenuation", self.attenuation, 20, 200, "dB", "Take 60 if in doubt.")
        if ratio == 1:
            return np.ones(1)
        fine = max(ratio.numerator, ratio.denominator)
        length = kaiser_length(self.attenuation, self.width / 2 / fine)
        taps = windowed_sinc(length, 0.0, (1 - self.width / 2) / 2 / fine, self.attenuation)
        for phase in range(ratio.numerator):  # each brings a constant through unchanged
            taps[phase :: ratio.numerator] /= taps[phase :: ratio.numerator].sum()
        return taps

    def lag(self, taps: Taps) -> Fraction:
        return Fraction(len(taps) - 1, 2)
