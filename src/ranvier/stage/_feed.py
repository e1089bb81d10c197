"""feed: let a recording flow through a stage, the same way as live."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ranvier.errors import ContractError
from ranvier.stage._run import Run
from ranvier.stage._stage import Stage
from ranvier.stream import Block, Info, Recording


def infos_of(stage: Any, recording: Recording) -> tuple[Info, ...]:
    """Return what a recording offers to each input port: its signal, or its events."""
    out: list[Info] = []
    for port in stage.inputs:
        out.append(recording.info if port.kind == "signal" else recording.event_info)
    if sum(port.kind == "signal" for port in stage.inputs) > 1:
        raise ContractError(
            f"{type(stage).__name__} needs {len(stage.inputs)} streams; a recording gives one signal and its events. "
            "Give a graph with one signal port."
        )
    return tuple(out)


def feed(run: Run, recording: Recording, block: int, start: int = 0, stop: int | None = None) -> Iterator[Any]:
    """Yield what comes out when samples `start` to `stop` flow through in blocks of `block` samples."""
    events = recording.events
    for chunk in recording.blocks(block, start, stop):
        yield run.push(
            *[chunk if p.kind == "signal" else events.cut(chunk.start, chunk.stop) for p in run.stage.inputs]
        )


def through(
    stage: Stage, recording: Recording, *, block: int | None = None, start: int = 0, stop: int | None = None
) -> list[Any]:
    """Return everything that comes out, block by block; 10 s a block unless said otherwise."""
    infos = infos_of(stage, recording)
    size = block or max(1, int(recording.info.rate * 10))
    return [x for x in feed(Run(stage, *infos), recording, size, start, stop) if not isinstance(x, Block) or x.n]
