"""Recursive filters: Bandpass, Highpass, Lowpass, Notch, as cascades of one body."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, final

import numpy as np

from ranvier.denoise._design import Sections, butterworth, decay, group_delay, notch, sensitivity, time_constant
from ranvier.errors import ContractError
from ranvier.kernels.words import add, fma, mul, neg, sub
from ranvier.stage import ChannelStage, Step, Tags, need_number
from ranvier.stream import StreamInfo

SETTLED = 1e-2  # part of a disturbance that is left when the output counts as settled
LONGEST = 3600.0  # time constant that a filter may have [s]
FORGOTTEN = 1e-6  # part of a disturbance that is left where the support ends
FLOAT32_SAFE = 850.0  # sensitivity up to which float32 keeps 90 dB, as tests/denoise/test_precision.py measures


def gain(x, s, k):
    """Multiply by the gain of all sections; their first coefficients are 1 from here on."""
    return mul(k[0], x), s


def band(x, s, k):
    """Run a section with the numerator 1, 0, -1, transposed direct form II; k are -a1, -a2."""
    y = add(x, s[0])
    return y, (fma(k[0], y, s[1]), fma(k[1], y, neg(x)))


def low(x, s, k):
    """Run a section with the numerator 1, 2, 1."""
    y = add(x, s[0])
    return y, (fma(k[0], y, add(add(x, x), s[1])), fma(k[1], y, x))


def high(x, s, k):
    """Run a section with the numerator 1, -2, 1."""
    y = add(x, s[0])
    return y, (fma(k[0], y, sub(s[1], add(x, x))), fma(k[1], y, x))


def section(x, s, k):
    """Run a section with the numerator 1, k[2], k[3]."""
    y = add(x, s[0])
    return y, (fma(k[0], y, fma(k[2], x, s[1])), fma(k[1], y, mul(k[3], x)))


def section_prime(x, k):
    """Return the state of a section as if x had been there for ever; the last two of k say it."""
    return mul(k[2], x), mul(k[3], x)


def general_prime(x, k):
    """Do the same where two more coefficients come first."""
    return mul(k[4], x), mul(k[5], x)


NUMERATORS = {(0.0, -1.0): band, (2.0, 1.0): low, (-2.0, 1.0): high}


def cascade(sections: Sections, precision: str) -> tuple[Step, ...]:
    """Return the gain, then one step a section."""
    steps = [Step(gain, (float(np.prod(sections[:, 0])),), precision=precision)]
    for b0, b1, b2, _, a1, a2 in sections:
        b1, b2 = b1 / b0, b2 / b0
        level = (1 + b1 + b2) / (1 + a1 + a2)
        felt = (level - 1, b2 - a2 * level)
        body = NUMERATORS.get((round(b1, 12), round(b2, 12)))
        if body is None:
            steps.append(Step(section, (-a1, -a2, b1, b2, *felt), 2, general_prime, precision))
        else:
            steps.append(Step(body, (-a1, -a2, *felt), 2, section_prime, precision))
    return tuple(steps)


class Recursive(ChannelStage):
    """A cascade of second-order sections that a subclass designs."""

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True, permutable=True, recursive=True)

    @abc.abstractmethod
    def sections(self, rate: float) -> Sections:
        """Design the filter for a rate [Hz], refusing what it cannot be."""

    @abc.abstractmethod
    def middle(self, rate: float) -> float:
        """Return the frequency in the pass band for which the delay is declared [Hz]."""

    @final
    def describe_channels(self, info: StreamInfo) -> StreamInfo:
        rate = float(info.rate)
        with np.errstate(all="ignore"):
            sections = self.sections(rate)
        if not time_constant(sections) < LONGEST * rate:
            raise ContractError(
                f"{type(self).__name__} needs corners that a filter can have at {rate:g} Hz; got {self}, whose time "
                f"constant is longer than {LONGEST / 3600:g} h. Raise the lowest corner, or resample first."
            )
        delay = Fraction(round(group_delay(sections, self.middle(rate), rate) * 10**9), 10**9)
        memory = int(-(-decay(sections, FORGOTTEN) * info.origin.step // 1))
        return info.but(support=info.support + memory, delay=info.delay + delay)

    @final
    def settle_for(self, info: StreamInfo) -> int:
        return decay(self.sections(float(info.rate)), SETTLED)

    @final
    def steps(self, info: StreamInfo) -> tuple[Step, ...]:
        sections = self.sections(float(info.rate))
        exact = info.dtype == np.float64 or sensitivity(sections) > FLOAT32_SAFE
        return cascade(sections, "f8" if exact else "f4")


def _order(who: Recursive, order: int) -> None:
    if not 1 <= order <= 16:
        raise ContractError(f"{type(who).__name__} needs 1 <= order <= 16; got order={order}. Take 4 if in doubt.")


@final
@dataclass(frozen=True, eq=False)
class Bandpass(Recursive):
    """Keep a band of frequencies (Butterworth).

    Parameters
    ----------
    low, high
        Corners, -3 dB [Hz]; 0 < low < high < rate / 2.
    order
        Of the prototype; the filter has as many sections.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, units and rate. Delay: group delay at the band's
    geometric middle. Settle: until 1 % of a disturbance is left. Portable.

    Examples
    --------
    >>> from ranvier.stream import StreamInfo
    >>> float(Bandpass(low=8, high=30).describe(StreamInfo.signal(250, 8)).delay) > 0
    True

    References
    ----------
    Oppenheim & Schafer, Discrete-Time Signal Processing, ch. 7.
    """

    low: float
    high: float
    order: int = 4

    def sections(self, rate: float) -> Sections:
        _order(self, self.order)
        if not 0 < self.low < self.high < rate / 2:
            raise ContractError(
                f"Bandpass needs 0 < low < high < rate/2; got low={self.low:g} Hz, high={self.high:g} Hz, "
                f"rate={rate:g} Hz. Lower high below {rate / 2:g} Hz, or put Resample before this stage."
            )
        return butterworth(self.order, "band", (self.low, self.high), rate)

    def middle(self, rate: float) -> float:
        return float(np.sqrt(self.low * self.high))


@final
@dataclass(frozen=True, eq=False)
class Highpass(Recursive):
    """Remove what is slower than a corner (Butterworth): drift, offsets.

    Parameters
    ----------
    low
        Corner, -3 dB [Hz].
    order
        Of the filter.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, units and rate. Delay: group delay half-way to the
    Nyquist frequency. Settle: until 1 % of a disturbance is left. Portable; computed in float64 where
    float32 is not precise enough.

    References
    ----------
    Oppenheim & Schafer, Discrete-Time Signal Processing, ch. 7.
    """

    low: float
    order: int = 2

    def sections(self, rate: float) -> Sections:
        _order(self, self.order)
        need_number(self, "low", self.low, 0, rate / 2, "Hz", "Lower it, or put Resample before this stage.")
        return butterworth(self.order, "high", (self.low,), rate)

    def middle(self, rate: float) -> float:
        return (self.low + rate / 2) / 2


@final
@dataclass(frozen=True, eq=False)
class Lowpass(Recursive):
    """Remove what is faster than a corner (Butterworth).

    Parameters
    ----------
    high
        Corner, -3 dB [Hz].
    order
        Of the filter.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, units and rate. Delay: group delay at half the
    corner. Settle: until 1 % of a disturbance is left. Portable.

    References
    ----------
    Oppenheim & Schafer, Discrete-Time Signal Processing, ch. 7.
    """

    high: float
    order: int = 4

    def sections(self, rate: float) -> Sections:
        _order(self, self.order)
        need_number(self, "high", self.high, 0, rate / 2, "Hz", "Lower it, or put Resample before this stage.")
        return butterworth(self.order, "low", (self.high,), rate)

    def middle(self, rate: float) -> float:
        return self.high / 2


@final
@dataclass(frozen=True, eq=False)
class Notch(Recursive):
    """Remove one frequency, and its harmonics if wanted.

    Parameters
    ----------
    frequency
        What to remove [Hz].
    quality
        Frequency over -3 dB width; harmonics are removed as wide as the first.
    harmonics
        How many multiples are removed, the first included; those above rate / 2 are left out.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, units and rate. Delay: group delay at half the
    frequency. Settle: until 1 % of a disturbance is left. Portable.

    References
    ----------
    Orfanidis, Introduction to Signal Processing, ch. 11.
    """

    frequency: float
    quality: float = 30.0
    harmonics: int = 1

    def sections(self, rate: float) -> Sections:
        need_number(self, "frequency", self.frequency, 0, rate / 2, "Hz", "Remove it before resampling, or not at all.")
        need_number(self, "quality", self.quality, 0, 10_000, "", "Take 30 if in doubt.")
        if self.harmonics < 1:
            raise ContractError(f"Notch needs harmonics >= 1; got {self.harmonics}. The first is the frequency itself.")
        wanted = [h * self.frequency for h in range(1, self.harmonics + 1) if h * self.frequency < rate / 2]
        return np.concatenate([notch(f, self.quality * f / self.frequency, rate) for f in wanted])

    def middle(self, rate: float) -> float:
        return self.frequency / 2
