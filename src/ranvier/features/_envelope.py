"""Envelope: how large a signal is, moment by moment."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, exp, log
from typing import ClassVar, final

import numpy as np

from ranvier.kernels.words import absv, fma, sub
from ranvier.stage import ChannelStage, Step, Tags, need_number
from ranvier.stream import StreamInfo

SETTLED = 1e-2  # part of a disturbance that is left when the output counts as settled
FORGOTTEN = 1e-6  # part of a disturbance that is left where the support ends


def follow(x, s, k):
    """Move the state towards the size of x by a fixed part of the distance."""
    y = fma(k[0], sub(absv(x), s[0]), s[0])
    return y, (y,)


def follow_prime(x, k):
    """Return the state as if x had been there for ever."""
    return (absv(x),)


@final
@dataclass(frozen=True, eq=False)
class Envelope(ChannelStage):
    """Rectify a signal and smooth it with one pole.

    Parameters
    ----------
    smooth
        Time constant of the smoothing [s]; at least one sample.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, units and rate. Delay: of the smoothing at 0 Hz. Settle:
    until 1 % of a disturbance is left, 4.6 time constants. Portable; computed in float64 where the input is,
    or where the smoothing is longer than 500 samples.

    Examples
    --------
    >>> from ranvier.stream import StreamInfo
    >>> Envelope(smooth=0.1).describe(StreamInfo.signal(1000, 4)).settle
    461
    """

    smooth: float

    tags: ClassVar[Tags] = Tags(exactness="portable", permutable=True, recursive=True)

    def _constant(self, info: StreamInfo) -> float:
        """Return the time constant [samples]."""
        rate = float(info.rate)
        need_number(self, "smooth", self.smooth, 1 / rate, 1e6, "s", "Make it longer than a sample.")
        return self.smooth * rate

    def describe_channels(self, info: StreamInfo) -> StreamInfo:
        constant = self._constant(info)
        pole = exp(-1 / constant)
        delay = Fraction(round(pole / (1 - pole) / float(info.rate) * 10**9), 10**9)
        memory = ceil(-log(FORGOTTEN) * constant) * info.origin.step
        return info.but(support=info.support + ceil(memory), delay=info.delay + delay)

    def settle_for(self, info: StreamInfo) -> int:
        return ceil(-log(SETTLED) * self._constant(info))

    def steps(self, info: StreamInfo) -> tuple[Step, ...]:
        constant = self._constant(info)
        exact = info.dtype == np.float64 or constant > 500
        return (Step(follow, (1 - exp(-1 / constant),), 1, follow_prime, "f8" if exact else "f4"),)
