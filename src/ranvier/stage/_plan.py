"""The planner: which neighbouring stages of a chain run as one compiled loop; never reordered."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ranvier import kernels
from ranvier.stage._block_stage import LevelStage, Scratch, follow_all, segmented
from ranvier.stage._channel_stage import ChannelStage, Looped
from ranvier.stage._stage import SIGNAL, Port, Stage
from ranvier.stage._state import State
from ranvier.stream import Block, Info, StreamInfo

MOST_STEPS = 8  # bodies in one loop: beyond that, states no longer stay in registers


@dataclass(frozen=True, eq=False)
class Alone:
    """A stage that runs by itself."""

    stage: Stage
    state: State

    @property
    def inputs(self) -> tuple[Port, ...]:
        return self.stage.inputs

    def __call__(self, *chunks: Any) -> Any:
        return self.stage.process(self.state, *chunks)


@dataclass(frozen=True, eq=False)
class Fused:
    """Neighbouring channel stages in one compiled loop; each keeps its own state."""

    stages: tuple[Stage, ...]
    states: tuple[State, ...]
    looped: Looped

    inputs = (SIGNAL,)

    def __call__(self, block: Block) -> Block:
        follow_all(self.states, block)
        return self.looped(block)


@dataclass(frozen=True, eq=False)
class Plan:
    """How a chain runs: parts in order, and the state of each of its stages."""

    parts: tuple[Alone | Fused, ...]
    states: tuple[State, ...]


def make_plan(stages: Sequence[Stage], given: Sequence[tuple[Info, ...]], kept: Sequence[State] | None = None) -> Plan:
    """Group neighbouring channel stages and compile them.

    Parameters
    ----------
    stages, given
        The chain, and what flows into each stage.
    kept
        States to go on with (after a swap); fresh ones are allocated unless given.
    """
    parts: list[Alone | Fused] = []
    states: list[State] = []
    i = 0
    while i < len(stages):
        end = _end(stages, given, i)
        if end - i > 1:
            mine = _allocate(stages[i:end], given[i:end]) if kept is None else tuple(kept[i:end])
            parts.append(_fuse(stages[i:end], [infos[0] for infos in given[i:end]], mine))
            states += mine
        else:
            states.append(stages[i].init(*given[i]) if kept is None else kept[i])
            _compile_if_needed(stages[i], given[i][0], states[-1])
            parts.append(Alone(stages[i], states[-1]))
        i = end
    return Plan(tuple(parts), tuple(states))


def _allocate(stages: Sequence[Stage], given: Sequence[tuple[Any, ...]]) -> tuple[State, ...]:
    return tuple(
        segmented(s.allocate(infos[0])) if isinstance(s, ChannelStage) else s.init(*infos)
        for s, infos in zip(stages, given, strict=True)
    )


def _compile_if_needed(stage: Stage, info: Any, state: State) -> None:
    """Give a channel stage that a swap has taken out of a loop the kernel that runs it alone."""
    if isinstance(stage, ChannelStage) and state.children["stage"].design is None:
        stage.compile(info, state.children["stage"])


def _end(stages: Sequence[Stage], given: Sequence[tuple[Info, ...]], first: int) -> int:
    """Return the place after the last stage that runs in one loop with the one at `first`."""
    steps, plain, end = 0, True, first
    while end < len(stages):
        stage, info = stages[end], given[end][0]
        if not isinstance(info, StreamInfo) or (end > first and os.environ.get("RANVIER_FUSE") == "0"):
            break
        if isinstance(stage, ChannelStage):
            work = stage.work(info)
            steps += len(work.steps)
            plain &= not work.settle and not any(s.n_state for s in work.steps)
        elif isinstance(stage, LevelStage) and plain and _level(stage, info) is not None:
            plain = False
        else:
            break
        if end > first and steps > MOST_STEPS:
            break
        end += 1
    return max(end, first + 1)


def _level(stage: LevelStage, info: StreamInfo) -> kernels.Level | None:
    """Return the group means that a loop can work out: whole vectors of lanes only."""
    level = stage.level(info)
    return level if level is not None and level.size % 16 == 0 and kernels.best_width() >= 4 else None


def _fuse(stages: Sequence[Stage], infos: Sequence[Any], states: tuple[State, ...]) -> Fused:
    works: list[Any] = []
    arrays: list[Any] = []
    for stage, info, state in zip(stages, infos, states, strict=True):
        if isinstance(stage, ChannelStage):
            works.append(stage.work(info))
            arrays.append(state.children["stage"].arrays)
        elif isinstance(stage, LevelStage):
            works.append(_level(stage, info))
            arrays.append(None)
    out = stages[-1].describe(infos[-1])
    kernel = kernels.ChannelKernel(works, arrays, out.n_channels, infos[0].dtype, out.dtype)
    return Fused(tuple(stages), states, Looped(kernel, Scratch(out.shape, out.dtype)))
