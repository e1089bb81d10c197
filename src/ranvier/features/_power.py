"""Mean power of each channel over windows: BandPower, SpikeBandPower."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np

from ranvier.denoise import Bandpass
from ranvier.errors import ContractError
from ranvier.features._grid import Grid, need_valid, with_units
from ranvier.kernels import Tally, tally_state
from ranvier.kernels.words import absv, add, fma
from ranvier.stage import Chain, EndStage, Stage, State, Tags, need_signal
from ranvier.stream import Block, Info, StreamInfo

SMALLEST = float(np.finfo(np.float32).tiny)  # of what a logarithm is taken


def add_square(x, s, k):
    """Add the square."""
    return x, (fma(x, x, s[0]),)


def add_size(x, s, k):
    """Add the absolute value."""
    return x, (add(s[0], absv(x)),)


class MeanPower(EndStage):
    """Mean over windows of the squared or absolute signal, by sums over hops; a subclass says which.

    Added in the precision of the signal over runs of 256 samples of the index, runs in float64.
    """

    tags: ClassVar[Tags] = Tags(exactness="portable", permutable=True)
    min_valid: float

    @abc.abstractmethod
    def grid(self, info: StreamInfo) -> Grid:
        """Return the windows, refusing what does not fit."""

    @property
    @abc.abstractmethod
    def square(self) -> bool:
        """Whether squares are averaged, or absolute values."""

    @final
    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        need_valid(self, self.min_valid, 1)
        dtype = np.float64 if info.dtype == np.float64 else np.float32
        channels = with_units(info.channels, "{}^2") if self.square else info.channels
        return self.grid(info).describe(info, channels=channels, dtype=np.dtype(dtype))

    @final
    def end(self, info: StreamInfo) -> Tally:
        grid = self.grid(info)
        need = need_valid(self, self.min_valid, grid.length)
        return Tally(add_square if self.square else add_size, grid.hop, grid.length // grid.hop, need)

    @final
    def memory(self, info: StreamInfo) -> State:
        return State(**tally_state(self.end(info), info.n_channels, self.describe(info).dtype))


@final
@dataclass(frozen=True, eq=False)
class SpikeBandPower(MeanPower):
    """Mean power of each channel in bins of equal length: what a spike band holds besides threshold crossings.

    Parameters
    ----------
    length
        Of a bin [s]; rounded to samples.
    norm
        ``square``: mean of the squares; ``abs``: mean of the absolute values.
    min_valid
        Share of the bin in which a channel must be valid for its power to be valid.

    Notes
    -----
    *In*: signal ``(n,)``, band-passed. *Out*: ``(n,)`` at rate / length, units squared for ``square``; bin k
    covers the samples ``[k * length, (k + 1) * length)``. Invalid samples are left out of the mean. Delay: none
    added. Support and settle: a bin more. Portable.

    References
    ----------
    Nason et al., Nature Biomedical Engineering 4, 973-983 (2020).
    """

    length: float
    norm: Literal["square", "abs"] = "square"
    min_valid: float = 0.5

    @property
    def square(self) -> bool:
        return self.norm == "square"

    def grid(self, info: StreamInfo) -> Grid:
        if self.norm not in ("square", "abs"):
            raise ContractError(f"SpikeBandPower needs norm square or abs; got {self.norm!r}. Take one of them.")
        return Grid.of(self, info, self.length, self.length)


@final
@dataclass(frozen=True, eq=False)
class MovingPower(MeanPower):
    """Mean square over overlapping windows."""

    length: float
    hop: float
    min_valid: float
    square: ClassVar[bool] = True

    def grid(self, info: StreamInfo) -> Grid:
        return Grid.in_hops(self, info, self.length, self.hop)


@final
@dataclass(frozen=True, eq=False)
class BandPower(Stage):
    """Power of each channel in a band of frequencies, averaged over windows.

    Parameters
    ----------
    low, high
        Corners of the band, -3 dB [Hz]; 0 < low < high < rate / 2.
    length, hop
        Of the windows [s]; the hop rounded to samples, the length to whole hops.
    log
        Put out the natural logarithm; a power of 0 counts as 1e-38.
    order
        Of the band-pass.
    min_valid
        Share of the window in which a channel must be valid for its power to be valid.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: ``(n,)`` at rate / hop, units squared, or their logarithm; window k covers the
    samples ``[k * hop, k * hop + length)``. The same as `Bandpass`, then the mean of the squares. Delay: of the
    band-pass. Support and settle: of the band-pass, and a window more. Exact.

    Examples
    --------
    >>> from ranvier.stream import StreamInfo
    >>> BandPower(8, 12, length=1.0, hop=0.1).describe(StreamInfo.signal(250, 2)).channels.units
    ('uV^2', 'uV^2')
    """

    low: float
    high: float
    length: float
    hop: float
    log: bool = False
    order: int = 4
    min_valid: float = 0.5

    tags: ClassVar[Tags] = Tags(exactness="exact", permutable=True, recursive=True)

    def _inner(self) -> Chain:
        return Chain((Bandpass(self.low, self.high, self.order), MovingPower(self.length, self.hop, self.min_valid)))

    def describe(self, *infos: Info) -> StreamInfo:
        info = need_signal(self, infos[0])
        need_valid(self, self.min_valid, Grid.in_hops(self, info, self.length, self.hop).length)
        out: StreamInfo = self._inner().describe(info)
        return out.but(channels=with_units(out.channels, "ln({})")) if self.log else out

    def init(self, *infos: Info) -> State:
        inner = self._inner()
        return State(inner, {"power": inner.init(*infos)})

    def process(self, state: State, *chunks: Any) -> Block:
        power: Block = state.design.process(state.children["power"], *chunks)
        if not self.log:
            return power
        return Block(np.log(np.maximum(power.data, SMALLEST)), power.start, power.valid)
