"""FIR: a filter of finite length, given by its taps or designed with linear phase."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import final

import numpy as np

from ranvier.denoise._polyphase import Polyphase
from ranvier.denoise._windowed import Taps, windowed_sinc
from ranvier.errors import ContractError
from ranvier.stream import StreamInfo


@final
@dataclass(frozen=True, eq=False)
class FIR(Polyphase):
    """Filter with given taps, or with a linear-phase design (`FIR.design`).

    Parameters
    ----------
    taps
        Impulse response, the newest sample's weight first.
    rate
        Rate that they were designed for [Hz]; another is refused. None for any.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, units and rate; float32 (float64 for float64). An output is
    valid where all samples that it is made of are. Delay: (length - 1) / 2 samples, exact, where the taps are
    (anti)symmetric; else the group delay where most passes. Support: the length. Settle: length - 1. Portable.

    Examples
    --------
    >>> from ranvier.stream import StreamInfo
    >>> FIR.design(250, 101, low=8, high=30).describe(StreamInfo.signal(250, 8)).delay
    Fraction(1, 5)
    """

    taps: tuple[float, ...]
    rate: float | None = None

    @classmethod
    def design(
        cls, rate: float, length: int, low: float | None = None, high: float | None = None, attenuation: float = 60.0
    ) -> FIR:
        """Design a linear-phase band-pass, high-pass (no `high`) or low-pass (no `low`), by a Kaiser window.

        Parameters
        ----------
        rate
            Sampling rate [Hz].
        length
            Number of taps; odd where no `high` is given.
        low, high
            Corners, -6 dB [Hz].
        attenuation
            Of the stop band [dB].
        """
        a, b = low or 0.0, rate / 2 if high is None else high
        if not 0 <= a < b <= rate / 2 or (low is None and high is None):
            raise ContractError(
                f"FIR needs 0 < low < high < rate/2, or one of them; got low={low} Hz, high={high} Hz, "
                f"rate={rate:g} Hz. Lower high below {rate / 2:g} Hz, or put Resample before this stage."
            )
        if length < 3 or (b == rate / 2 and length % 2 == 0):
            raise ContractError(
                f"FIR needs a length of at least 3 taps, odd without high; got {length}. Take {length + 1}."
            )
        return cls(tuple(float(v) for v in windowed_sinc(length, a / rate, b / rate, attenuation)), rate)

    def response(self, info: StreamInfo) -> Taps:
        taps = np.array(self.taps, dtype=float)
        if not len(taps) or not np.isfinite(taps).all() or not taps.any():
            raise ContractError(f"FIR needs finite taps, not all 0; got {self.taps[:4]}. Give the impulse response.")
        if self.rate is not None and not abs(self.rate - float(info.rate)) <= 1e-6 * float(info.rate):
            raise ContractError(
                f"FIR needs the rate that it was designed for; got {float(info.rate):g} Hz instead of "
                f"{self.rate:g} Hz. Design it again, or put Resample before this stage."
            )
        return taps

    def ratio(self, info: StreamInfo) -> Fraction:
        return Fraction(1)

    def lag(self, taps: Taps) -> Fraction:
        if np.array_equal(taps, taps[::-1]) or np.array_equal(taps, -taps[::-1]):
            return Fraction(len(taps) - 1, 2)
        size = 4 * len(taps)
        spectrum = np.fft.rfft(taps, size)
        best = int(np.argmax(np.abs(spectrum)))
        slope = np.fft.rfft(np.arange(len(taps)) * taps, size)[best] / spectrum[best]
        return Fraction(round(float(slope.real) * 10**6), 10**6)
