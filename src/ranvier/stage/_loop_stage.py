"""LoopStage: a stage that a compiled loop over channels and time can run, alone or together with its neighbours."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, final

import numpy as np

from ranvier import kernels
from ranvier.errors import ContractError
from ranvier.stage._block_stage import segmented
from ranvier.stage._stage import Stage, need_signal
from ranvier.stage._state import State
from ranvier.stream import Info, StreamInfo

if TYPE_CHECKING:
    from ranvier.kernels import Crossings, Gate, Step, Tally, Work


class LoopStage(Stage):
    """A stage whose samples are gone through by a generated kernel; it keeps its memory, whoever runs it."""

    @abc.abstractmethod
    def memory(self, info: StreamInfo) -> State:
        """Return what it remembers, at a fresh start."""

    @final
    def allocate(self, *infos: Info) -> State:
        self.describe(*infos)
        (info,) = infos
        return segmented(self.memory(info))  # type: ignore[arg-type]

    @final
    def bind(self, state: State, *infos: Info) -> None:
        from ranvier.stage._region import region_of

        state.design = region_of([self], list(infos), [state])

    @final
    def init(self, *infos: Info) -> State:
        state = self.allocate(*infos)
        self.bind(state, *infos)
        return state

    @final
    def process(self, state: State, *chunks: Any) -> Any:
        return state.design(chunks[0])


class ChannelStage(LoopStage):
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
    def memory(self, info: StreamInfo) -> State:
        return State(None, None, **kernels.channel_state(self.work(info), info.n_channels))


class GateStage(LoopStage):
    """The entrance of a loop: it marks what cannot be trusted and fills short gaps of the index."""

    @abc.abstractmethod
    def gate(self, info: StreamInfo) -> Gate:
        """Return what is marked."""

    @abc.abstractmethod
    def longest(self, info: StreamInfo) -> int:
        """Return how many missing samples are filled at most."""


class EndStage(LoopStage):
    """A stage at which a loop ends: what comes out is no signal of the same rate.

    The author says in `end` what is summed or looked for, which the kernels know how to do.
    """

    @abc.abstractmethod
    def end(self, info: StreamInfo) -> Tally | Crossings:
        """Return what the loop does."""

    def with_next(self, info: StreamInfo, following: Stage, given: Info) -> Tally | Crossings | None:
        """Return what the loop does if it also does what the stage `following` does; None where it cannot."""
        return None


def need_number(who: Any, name: str, value: float, low: float, high: float, unit: str, advice: str) -> None:
    """Refuse, in the name of `who`, a number outside ``low < value < high``."""
    if not low < value < high:
        raise ContractError(
            f"{type(who).__name__} needs {low:g} < {name} < {high:g} {unit}; got {name}={value:g} {unit}. {advice}"
        )
