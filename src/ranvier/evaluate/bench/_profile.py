"""Where our own time goes: the parts of a pipeline as they run, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ranvier.evaluate.bench._timing import quiet
from ranvier.stage import Chain, Parallel, Run, Stage
from ranvier.stage._explain import members, name_of
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
        yield _time(indent + type(stage).__name__, Run(stage, info).step, chunks)[0]
        return
    given = chunks
    infos, at = stage.infos(info), 0
    for part in stage.init(info).design.parts:
        row, chunks = _time(indent + name_of(part), part, chunks)
        yield row
        inside = getattr(part, "stage", None)
        if isinstance(inside, Parallel):
            for branch in inside.branches:
                yield from _parts(branch, infos[at][0], given, indent + "  ")
        given = chunks
        at += members(part)


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
