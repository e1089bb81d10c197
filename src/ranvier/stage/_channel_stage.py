"""ChannelStage: what happens to one channel at one instant, compiled for all of them."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, final

import numpy as np

from ranvier import kernels
from ranvier.errors import ContractError
from ranvier.stage._block_stage import BlockStage, Scratch
from ranvier.stage._stage import need_signal
from ranvier.stage._state import State
from ranvier.stream import Array, Block, Info, StreamInfo, is_all_valid

if TYPE_CHECKING:
    from ranvier.kernels import ChannelKernel, Step, Work


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
        if info.dtype not in kernels.KINDS:
            raise ContractError(
                f"{type(self).__name__} needs samples of {', '.join(map(str, kernels.KINDS))}; got {info.dtype}. "
                "Put denoise.Integrity before it, which takes any number type."
            )
        out = self.describe_channels(info)
        settle = self.settle_for(info) * info.origin.step
        dtype = np.float64 if info.dtype == np.float64 else np.float32
        return out.but(dtype=np.dtype(dtype), settle=info.settle + int(-(-settle // 1)))

    @final
    def work(self, info: StreamInfo) -> Work:
        """Return what a kernel is generated from."""
        return kernels.Work(self.steps(info), self.settle_for(info))

    @final
    def prepare(self, info: StreamInfo) -> State:
        state = self.allocate(info)
        self.compile(info, state)
        return state

    @final
    def allocate(self, info: StreamInfo) -> State:
        """Return the state alone, for a kernel that runs several stages."""
        return State(None, None, **kernels.channel_state(self.work(info), info.n_channels))

    @final
    def compile(self, info: StreamInfo, state: State) -> None:
        """Give a state the kernel that runs this stage alone."""
        out = self.describe(info)
        kernel = kernels.ChannelKernel([self.work(info)], [state.arrays], info.n_channels, info.dtype, out.dtype)
        state.design = Looped(kernel, Scratch(out.shape, out.dtype))

    @final
    def step(self, state: State, block: Block) -> Block:
        looped: Looped = state.design
        return looped(block)


class Looped:
    """A kernel with the memory that it lends."""

    __slots__ = ("_lent", "kernel", "scratch")

    def __init__(self, kernel: ChannelKernel, scratch: Scratch) -> None:
        self.kernel = kernel
        self.scratch = scratch
        self._lent = scratch.take(0)

    def __call__(self, block: Block) -> Block:
        """Run a block through the kernel; the result is lent until the next call."""
        if len(self._lent[0]) != len(block.data):
            self._lent = self.scratch.take(block.n)
        y, w = self._lent
        if not len(y):
            return Block(y, block.start)
        mask = block.valid
        if mask.strides[-1] != 1 and not is_all_valid(mask):
            mask = np.ascontiguousarray(mask)
        good = self.kernel(contiguous(block.data), mask, y, w)
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
