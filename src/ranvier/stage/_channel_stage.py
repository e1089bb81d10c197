"""ChannelStage: what happens to one channel at one instant, compiled for all of them."""

from __future__ import annotations

import abc
from typing import Any, final

import numpy as np

from ranvier.errors import ContractError
from ranvier.kernels import Step
from ranvier.stage._block_stage import BlockStage, Scratch
from ranvier.stage._stage import Tags, need_signal
from ranvier.stage._state import State
from ranvier.stream import Array, Block, Info, StreamInfo, is_all_valid


class ChannelStage(BlockStage):
    """A stage that treats every channel alone, at the same rate.

    The author writes *bodies* (see `ranvier.kernels.ops`) and returns them from `steps`. While a
    channel is invalid its state is held; at its next valid sample it is primed afresh, that channel
    alone, and its output is marked invalid for `settle` samples more.
    """

    @abc.abstractmethod
    def steps(self, info: StreamInfo) -> tuple[Step, ...]:
        """Return the bodies with their coefficients, in order."""

    def settle_for(self, info: StreamInfo) -> int:
        """Samples for which the output is marked invalid after priming."""
        return 0

    def describe_channels(self, info: StreamInfo) -> StreamInfo:
        """Return what comes out, where it differs: check parameters, change units, add support and delay."""
        return info

    @final
    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        out = self.describe_channels(info)
        settle = self.settle_for(info) * info.origin.step
        dtype = np.float64 if info.dtype == np.float64 else np.float32
        return out.but(dtype=np.dtype(dtype), settle=info.settle + int(-(-settle // 1)))

    @final
    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels import ChannelKernel, Work

        work = Work(self.steps(info), self.settle_for(info))
        out = self.describe(info)
        kernel = ChannelKernel([work], info.n_channels, info.dtype, out.dtype)
        arrays = kernel.state()
        state = State(None, None, **arrays)
        state.design = (kernel, kernel.bind(state.arrays), Scratch(out.shape, out.dtype))
        return state

    @final
    def step(self, state: State, block: Block) -> Block:
        kernel, table, scratch = state.design
        y, w = scratch.take(block.n)
        if not block.n:
            return Block(y, block.start)
        x = contiguous(block.data)
        mask = None if is_all_valid(block.valid) else contiguous(block.valid)
        good = kernel(table, state["waiting"], x, mask, y, w)
        return Block(y, block.start, None if good else w, block.at)


def contiguous(a: Array) -> Array:
    """Return an array whose channels are neighbours in memory; rows may be padded."""
    return a if a.strides[-1] == a.itemsize or a.shape[-1] == 1 else np.ascontiguousarray(a)


def need_number(who: Any, name: str, value: float, low: float, high: float, unit: str, advice: str) -> None:
    """Refuse, in the name of `who`, a number outside ``low < value < high``."""
    if not low < value < high:
        raise ContractError(
            f"{type(who).__name__} needs {low:g} < {name} < {high:g} {unit}; got {name}={value:g} {unit}. {advice}"
        )


__all__ = ["ChannelStage", "Tags", "contiguous", "need_number"]
