"""Decimate: fewer samples, with a short delay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

from ranvier.denoise._iir import Lowpass
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, State, Tags, need_signal
from ranvier.stream import Block, Info, StreamInfo


@final
@dataclass(frozen=True, eq=False)
class Decimate(BlockStage):
    """Keep every q-th sample behind a Butterworth low-pass: a shorter delay than `Resample` has.

    Parameters
    ----------
    factor
        Which samples are kept: those whose index is a multiple of it.
    high
        Corner of the low-pass, -3 dB [Hz]; 0.4 of the new rate unless given.
    order
        Of the low-pass. With 8 and the usual corner, what folds to below a quarter of the new rate is at
        least 43 dB down.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels and units at ``rate / factor``; float32 (float64 for
    float64). Delay, support and settle are those of `Lowpass`. Portable.

    Examples
    --------
    >>> from ranvier.stream import StreamInfo
    >>> float(Decimate(30).describe(StreamInfo.signal(30_000, 8)).rate)
    1000.0
    """

    factor: int
    high: float | None = None
    order: int = 8

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True, permutable=True, recursive=True)

    def filter(self, info: StreamInfo) -> Lowpass:
        """Return the low-pass, refusing what cannot be."""
        if self.factor < 1:
            raise ContractError(f"Decimate needs a factor >= 1; got {self.factor}. Take 2 to halve the rate.")
        new = float(info.rate) / self.factor
        high = 0.4 * new if self.high is None else self.high
        if not 0 < high < new / 2:
            raise ContractError(
                f"Decimate needs 0 < high < half the new rate; got high={high:g} Hz, new rate={new:g} Hz. "
                f"Lower high below {new / 2:g} Hz, or take a smaller factor."
            )
        return Lowpass(high, self.order)

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        out = self.filter(info).describe(info)
        return out.but(rate=info.rate / self.factor, origin=replace(out.origin, step=out.origin.step * self.factor))

    def prepare(self, info: StreamInfo) -> State:
        lowpass = self.filter(info)
        return State(lowpass, {"filter": lowpass.init(info)})

    def step(self, state: State, block: Block) -> Block:
        smooth = state.design.process(state.children["filter"], block)
        start = -(-block.start // self.factor)
        kept = slice(start * self.factor - block.start, None, self.factor)
        return Block(smooth.data[kept], start, smooth.valid[kept])
