"""The planner: which neighbouring stages of a chain run as one compiled loop; never reordered."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ranvier import kernels
from ranvier.stage._block_stage import LevelStage
from ranvier.stage._loop_stage import ChannelStage, EndStage, GateStage
from ranvier.stage._parallel import Parallel
from ranvier.stage._region import End, Outlet, Region, end_of, outlet_of, region_of
from ranvier.stage._stage import Port, Stage
from ranvier.stage._state import State
from ranvier.stream import Info, StreamInfo

MOST_STEPS = 8  # bodies between two means: beyond that, states no longer stay in registers


@dataclass(frozen=True, eq=False)
class Alone:
    """A stage that runs by itself, and why it does."""

    stage: Stage
    state: State
    why: str = ""

    @property
    def inputs(self) -> tuple[Port, ...]:
        return self.stage.inputs

    def __call__(self, *chunks: Any) -> Any:
        return self.stage.process(self.state, *chunks)


@dataclass(frozen=True, eq=False)
class Forked:
    """A region whose ends are the first stages of branches; what is left of them runs on what comes out.

    Parameters
    ----------
    region
        The loop.
    parallel, state
        What joins the branches.
    rests
        What is left of each branch: the outlet it begins at, and its parts.
    """

    region: Region
    parallel: Parallel
    state: State
    rests: tuple[tuple[int, tuple[Any, ...]], ...]

    @property
    def inputs(self) -> tuple[Port, ...]:
        return self.region.inputs

    def __call__(self, block: Any) -> Any:
        outs = self.region(block)
        outs = outs if isinstance(outs, tuple) else (outs,)
        parts = []
        for outlet, rest in self.rests:
            out = outs[outlet]
            for part in rest:
                out = part(out)
            parts.append(out)
        return self.parallel.join(self.state, parts)


@dataclass(frozen=True, eq=False)
class Plan:
    """How a chain runs: parts in order, and whether nothing comes in on the way."""

    parts: tuple[Alone | Region | Forked, ...]
    straight: bool


def make_plan(stages: Sequence[Stage], given: Sequence[tuple[Info, ...]], states: Sequence[State]) -> Plan:
    """Group neighbouring stages and compile them.

    Parameters
    ----------
    stages, given, states
        The chain, what flows into each stage, and what each remembers.
    """
    parts: list[Any] = []
    i = 0
    while i < len(stages):
        end, why = _end(stages, given, i)
        fork = stages[end] if end < len(stages) and os.environ.get("RANVIER_FUSE") != "0" else None
        if isinstance(fork, Parallel) and end > i and (forked := _fork(stages, given, states, i, end)) is not None:
            parts.append(forked)
            end += 1
        elif end - i > 1:
            parts.append(region_of(stages[i:end], [infos[0] for infos in given[i:end]], states[i:end]))
        else:
            end = i + 1
            if states[i].design is None or isinstance(stages[i], Parallel):
                stages[i].bind(states[i], *given[i])
            parts.append(Alone(stages[i], states[i], why))
        i = end
    return Plan(tuple(parts), all(len(p.inputs) == 1 for p in parts))


def _end(stages: Sequence[Stage], given: Sequence[tuple[Info, ...]], first: int) -> tuple[int, str]:
    """Return the place after the last stage that runs in one loop with the one at `first`, and why it ends there."""
    steps, size, end = 0, 0, first
    if os.environ.get("RANVIER_FUSE") == "0":
        return first + 1, "RANVIER_FUSE=0"
    while end < len(stages):
        stage, info = stages[end], given[end][0]
        if not isinstance(info, StreamInfo) or info.dtype not in kernels.KINDS:
            return end, f"{type(stage).__name__} takes no numbers that a loop knows"
        if isinstance(stage, ChannelStage):
            steps += len(stage.work(info).steps)
            if end > first and steps > MOST_STEPS:
                return end, f"more than {MOST_STEPS} bodies would not stay in registers"
        elif isinstance(stage, LevelStage):
            level = _level(stage, info)
            if level is None or size not in (0, level.size):
                return end, f"{type(stage).__name__} has groups that a loop cannot take"
            steps, size = 0, level.size
        elif isinstance(stage, EndStage):
            return _after(stages, given, end), f"{type(stage).__name__} ends a loop"
        elif not (isinstance(stage, GateStage) and end == first):
            return end, f"{type(stage).__name__} has no body"
        end += 1
    return end, "end of the chain"


def _after(stages: Sequence[Stage], given: Sequence[tuple[Info, ...]], at: int) -> int:
    """Return the place after an `EndStage`, and after the next one if both are done in one."""
    head = stages[at]
    if isinstance(head, EndStage) and at + 1 < len(stages):
        return at + 1 + (head.with_next(given[at][0], stages[at + 1], given[at + 1][0]) is not None)  # type: ignore[arg-type]
    return at + 1


def _level(stage: LevelStage, info: StreamInfo) -> kernels.Level | None:
    """Return the group means that a loop can work out: of all channels, or of whole vectors of lanes."""
    level = stage.level(info)
    fits = level is not None and (level.size == info.n_channels or level.size % 16 == 0)
    return level if fits and kernels.best_width() >= 4 else None


def _fork(
    stages: Sequence[Stage], given: Sequence[tuple[Any, ...]], states: Sequence[State], first: int, at: int
) -> Forked | Region | None:
    """Return the region that ends in the first stages of the branches at `at`; None where none can end it."""
    parallel, state, info = stages[at], states[at], given[at][0]
    if not isinstance(parallel, Parallel) or len(parallel.inputs) != 1 or not isinstance(info, StreamInfo):
        return None
    chains = [parallel.chain_of(i, state, info) for i in range(len(parallel.branches))]
    if not any(isinstance(c[0][0], EndStage) for c in chains):
        return None
    ends: list[End] = []
    rests: list[tuple[int, list[Any]]] = []
    for members, infos, kept in chains:
        if isinstance(members[0], EndStage):
            end = _after(members, infos, 0)
            ends.append(end_of(members[:end], [i[0] for i in infos[:end]], kept[:end]))
            place = len(ends) - 1
        else:
            end = 0
            place = next((j for j, e in enumerate(ends) if not e.states), len(ends))
            if place == len(ends):
                ends.append(End(kernels.Store()))
        rests.append((place, [members[end:], infos[end:], kept[end:]]))
    outlets = [outlet_of(e, j) for j, e in enumerate(ends)]
    side_by_side = len({e.hop for e in ends}) == 1 and ends[0].hop[0] > 0 and not any(r[0] for _, r in rests)
    joins = side_by_side and parallel.is_level(info)
    if joins:
        outlets = [Outlet(0, len(ends), parallel.describe(info).dtype)]
    infos_before = [infos[0] for infos in given[first:at]]
    region = Region(stages[first:at], infos_before, states[first:at], ends, outlets, [state])
    if joins:
        return region
    left = tuple((place, _parts(*rest)) for place, rest in rests)
    return Forked(region, parallel, state, left)


def _parts(members: Sequence[Stage], infos: Sequence[tuple[Info, ...]], states: Sequence[State]) -> tuple[Any, ...]:
    return make_plan(members, infos, states).parts if members else ()
