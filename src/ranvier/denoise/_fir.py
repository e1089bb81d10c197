"""FIR: a filter of finite length; Resample: the same at another rate."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, final

import numpy as np

from ranvier.denoise._windowed import Taps, kaiser_length, windowed_sinc
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, Tags, counter, need_number, need_signal
from ranvier.stream import Block, Info, StreamInfo, is_all_valid

MOST = 20_000  # largest numerator and denominator of a change of rate


class Polyphase(BlockStage):
    """Taps at a fine grid, `up` points a sample, of which every `down`-th is worked out; subclasses design them."""

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True, permutable=True)

    @abc.abstractmethod
    def response(self, info: StreamInfo) -> Taps:
        """Return the taps on the fine grid, refusing what cannot be."""

    @abc.abstractmethod
    def ratio(self, info: StreamInfo) -> Fraction:
        """Return output rate over input rate."""

    @abc.abstractmethod
    def lag(self, taps: Taps) -> Fraction:
        """Return the group delay in points of the fine grid."""

    @final
    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        ratio, taps = self.ratio(info), self.response(info)
        o = info.origin
        reach = int(-(-(-(-len(taps) // ratio.numerator) - 1) * o.step // 1))
        return info.but(
            dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32),
            rate=info.rate * ratio,
            origin=type(o)(source=o.source, rate=o.rate, step=o.step / ratio, offset=o.offset, span=o.span),
            support=info.support + reach,
            settle=info.settle + reach,
            delay=info.delay + self.lag(taps) / (info.rate * ratio.numerator),
        )

    @final
    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._polyphase import polyphase

        ratio, out = self.ratio(info), self.describe(info)
        up, taps = ratio.numerator, self.response(info)
        phases = np.zeros((-(-len(taps) // up), up), out.dtype)
        phases.ravel()[: len(taps)] = taps
        length = len(phases)
        return State(
            (polyphase, np.ascontiguousarray(phases.T), ratio, Scratch(out.shape, out.dtype), np.empty((0, 0), bool)),
            ring=np.zeros((length, out.n_channels), out.dtype),
            run=np.zeros(out.n_channels, np.int32),
            newest=counter(),
        )

    @final
    def step(self, state: State, block: Block) -> Block:
        polyphase, taps, ratio, scratch, no_mask = state.design
        up, down = ratio.numerator, ratio.denominator
        start, stop = -(-block.start * up // down), -(-block.stop * up // down)
        y, w = scratch.take(stop - start)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else no_mask
        first = start * down - block.start * up
        bad = polyphase(x, ok, masked, state["ring"], state["run"], state["newest"], taps, first, down, y, w)
        return Block(y, start, w if bad else None)


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
        if self.rate is not None and abs(float(info.rate) / self.rate - 1) > 1e-6:
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
