"""Where our own time goes: the parts of a pipeline as they run, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ranvier.evaluate.bench._timing import quiet
from ranvier.stage import Chain, Parallel, Run, Stage
from ranvier.stream import Block, Events, Info

EMPTY = 200  # calls without samples


def profile(stage: Stage, info: Info, blocks: Sequence[Block]) -> list[dict[str, Any]]:
    """Time a pipeline and each of its parts on the same blocks.

    Returns
    -------
    One row a part in the order of the data's way, the first for all of them: median and mean wall time of a block
    [us], and `empty_us`, the median for a block of no samples, which is what Python alone takes. Stages that run as
    one compiled loop are one part; branches stand below the stage that joins them.
    """
    with quiet():
        run = Run(stage, info)
        return [_time("all", run.step, blocks)[0], *_parts(stage, info, blocks, "")]


def _parts(stage: Stage, info: Info, chunks: Sequence[Any], indent: str) -> Iterator[dict[str, Any]]:
    if not isinstance(stage, Chain):
        yield from _one(stage, info, chunks, indent, Run(stage, info).step)[0]
        return
    infos, at = stage.infos(info), 0
    for part in stage.init(info).design.parts:
        stages = getattr(part, "stages", None) or (part.stage,)
        rows, chunks = _one(stages, infos[at][0], chunks, indent, part)
        yield from rows
        at += len(stages)


def _one(
    stages: Stage | Sequence[Stage], info: Info, chunks: Sequence[Any], indent: str, call: Callable[[Any], Any]
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Return the rows of one part, and what comes out of it."""
    several = (stages,) if isinstance(stages, Stage) else stages
    row, out = _time(indent + " + ".join(type(s).__name__ for s in several), call, chunks)
    rows = [row]
    if isinstance(several[0], Parallel):
        for branch in several[0].branches:
            rows += _parts(branch, info, chunks, indent + "  ")
    return rows, out


def _time(name: str, call: Callable[[Any], Any], chunks: Sequence[Any]) -> tuple[dict[str, Any], list[Any]]:
    clock, took, empty, out = time.perf_counter_ns, [], [], []
    for c in chunks:
        begin = clock()
        y = call(c)
        took.append(clock() - begin)
        out.append(y.copy())
    for _ in range(EMPTY):
        begin = clock()
        call(_nothing(chunks[-1]))
        empty.append(clock() - begin)
    warm = np.array(took[len(took) // 4 :]) / 1e3
    row = {"part": name, "median_us": float(np.median(warm)), "mean_us": float(warm.mean())}
    return {**row, "empty_us": float(np.median(empty)) / 1e3}, out


def _nothing(chunk: Any) -> Any:
    return Events(chunk.stop, chunk.stop) if isinstance(chunk, Events) else Block(chunk.data[:0], chunk.stop)
