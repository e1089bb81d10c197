"""What a plan has made of a stage: what runs in one loop, where it was cut and why, what each part costs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ranvier.errors import ContractError
from ranvier.stage._chain import Chain
from ranvier.stage._graph import Graph
from ranvier.stage._parallel import Parallel
from ranvier.stage._plan import Alone, Forked
from ranvier.stage._region import Region
from ranvier.stage._stage import Stage
from ranvier.stage._state import State
from ranvier.stream import Block, Info, StreamInfo

CALLS = 400  # of the whole, for its time
MOST = 2**25  # numbers in a block that is made for it
LONGEST = 0.5  # s that are spent on it at most


@dataclass(frozen=True)
class Line:
    """One part of a plan.

    Parameters
    ----------
    depth
        How deep it is nested.
    stages
        Names of the stages that run together.
    how
        Whether they are one loop, and why it ends there.
    """

    depth: int
    stages: str
    how: str

    def __str__(self) -> str:
        return f"{'  ' * self.depth}{self.stages}: {self.how}"


def explain(stage: Stage, state: State, depth: int = 0) -> Iterator[Line]:
    """Yield the parts of a running stage in the order of the data's way."""
    if isinstance(stage, Chain):
        for part in state.design.parts:
            yield from _part(part, depth)
    elif isinstance(stage, Parallel | Graph):
        inside = stage.branches if isinstance(stage, Parallel) else [n.stage for n in stage.nodes]
        yield Line(depth, type(stage).__name__, f"{len(inside)} stages, each by itself")
        for s, child in zip(inside, state.children.values(), strict=True):
            yield from explain(s, child, depth + 1)
    elif isinstance(state.design, Region):
        yield from _part(state.design, depth)
    else:
        yield Line(depth, type(stage).__name__, "its own code")


def _part(part: Any, depth: int) -> Iterator[Line]:
    part = getattr(part, "part", part)  # behind a meter
    if isinstance(part, Alone):
        lines = list(explain(part.stage, part.state, depth))
        why = f"; {part.why}" if part.why and len(lines) == 1 else ""
        yield Line(depth, lines[0].stages, lines[0].how + why)
        yield from lines[1:]
        return
    region = part.region if isinstance(part, Forked) else part
    yield Line(depth, name_of(part), f"one loop, {region.loop.width} lanes{_threads(region)}, {_stored(part, region)}")
    for _, rest in part.rests if isinstance(part, Forked) else ():
        for inner in rest:
            yield from _part(inner, depth + 1)


def _threads(region: Region) -> str:
    n = getattr(region.loop, "threads", 1)
    return f", {n} threads" if n > 1 else ""


def _stored(part: Any, region: Region) -> str:
    if region.loop.signals:
        return "writes its signal"
    joined = region is part and len(region.ends) > 1
    return "writes no signal between" + (", joins its branches" if joined else "")


def name_of(part: Any) -> str:
    """Return the stages of a part, as a user wrote them."""
    if isinstance(part, Alone):
        return type(part.stage).__name__
    region = part.region if isinstance(part, Forked) else part
    spine = [type(s).__name__ for s in region.stages]
    ends = [" | ".join(type(s).__name__ for s in e.stages) for e in region.ends if e.stages]
    if len(ends) > 1:
        ends = [f"({' & '.join(ends)})"]
    return " | ".join([*spine, *ends])


def members(part: Any) -> int:
    """Return how many stages of the chain a part stands for."""
    if isinstance(part, Alone):
        return 1
    if isinstance(part, Forked):
        return len(part.region.stages) + 1
    return len(part.stages) + (len(part.ends[0].stages) if len(part.ends) == 1 else 1)


def cost(stage: Stage, infos: tuple[Info, ...], block: int) -> float | None:
    """Measure the time of a sample and channel [ns], on noise, in a state of its own; None for other than one signal.

    Parameters
    ----------
    stage, infos
        What runs.
    block
        Samples a block.
    """
    if len(infos) != 1 or not isinstance(infos[0], StreamInfo) or not infos[0].is_signal:
        return None
    info = infos[0]
    if not isinstance(block, int | np.integer) or not 0 < block * info.n_channels <= MOST:
        raise ContractError(
            f"explain needs a block of 1 to {MOST // info.n_channels:,} samples of {info.n_channels} channels; "
            f"got {block!r}. Take the length of the blocks that will come."
        )
    rng = np.random.default_rng(1)
    noise = (50 * rng.standard_normal((block, info.n_channels))).astype(info.dtype)
    state, took = stage.init(*infos), []
    begin = time.perf_counter()
    for i in range(CALLS):
        x = Block(noise, i * block)
        start = time.perf_counter_ns()
        stage.process(state, x)
        took.append(time.perf_counter_ns() - start)
        if time.perf_counter() - begin > LONGEST:
            break
    return float(np.median(took[len(took) // 2 :])) / block / info.n_channels
