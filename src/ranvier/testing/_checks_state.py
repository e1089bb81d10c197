"""Checks of masks and memory: invalid never read, state round trip, independence, bounds, signatures."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ranvier.errors import ConfigError
from ranvier.stage import Run, Stage, as_tuple, to_table
from ranvier.stage._config import build_dataclass, from_table, plain_fields
from ranvier.stream import Block, EventInfo, StreamInfo
from ranvier.testing._checks_stream import Infos, newest_of, outputs, seconds_for
from ranvier.testing._compare import ConformanceError, need, same, same_state
from ranvier.testing._scene import Output, Scene, flow, scene


def check_invalid_never_read(stage: Stage, infos: Infos) -> None:
    """Other finite values in invalid cells change no valid bit and no mask."""
    if not any(isinstance(i, StreamInfo) for i in infos):
        return
    given = scene(infos, seconds_for(stage, infos), 71, masked=True)
    wanted = outputs(flow(stage, infos, given.pieces([given.n]))[0])
    for value in (0.0, 1e30, -3.0e4):

        def replace(block: Block, info: Any, value: float = value) -> Block:
            data = block.data.copy()
            data[~block.valid] = np.clip(value, -30000, 30000) if data.dtype.kind == "i" else value
            return Block(data, block.start, block.valid, block.at)

        got = outputs(flow(stage, infos, given.with_blocks(replace).pieces([50]))[0])
        for port, a, b in zip(stage.outputs, wanted, got, strict=True):
            same(a, b, stage.tags, f"{value:g} in invalid cells, port {port.name!r}", valid_only=True)
            if b.data.dtype.names is None:
                need(
                    np.isfinite(b.data).all(), f"{value:g} in invalid cells came through as a number that is not finite"
                )


def check_settle(stage: Stage, infos: Infos) -> None:
    """After an invalid stretch a channel is back once `settle` has passed, and not trusted before it saw anything."""
    if len(infos) != 1 or not isinstance(infos[0], StreamInfo) or not infos[0].rate:
        return
    described = stage.describe(*infos)
    if isinstance(described, EventInfo | tuple):
        return
    given = scene(infos, seconds_for(stage, infos) * 1.5, 81)
    a, b = given.n // 4, given.n // 4 + 7

    def break_channel(block: Block, _: Any) -> Block:
        valid = np.ones(block.data.shape, bool)
        valid[a:b, ..., 0] = False
        return Block(block.data, block.start, valid, block.at)

    healthy = outputs(flow(stage, infos, given.pieces([given.n]))[0])[0]
    broken = outputs(flow(stage, infos, given.with_blocks(break_channel).pieces([given.n]))[0])[0]
    end = infos[0].origin.newest(b + given.start)
    back = newest_of(described, broken) >= end + described.settle + described.origin.span
    need(back.any(), "the scene is too short to see the channel come back; settle or span is larger than needed")
    need(
        np.array_equal(broken.valid[back], healthy.valid[back]),
        f"a channel is not back {described.settle} source samples (settle) after an invalid stretch",
    )
    if stage.tags.permutable and broken.data.ndim == 2 and broken.data.shape[1] == infos[0].n_channels > 1:
        need(np.array_equal(broken.valid[:, 1:], healthy.valid[:, 1:]), "a broken channel made another one invalid")


def check_state_round_trip(stage: Stage, infos: Infos) -> None:
    """Save at k, restore in a fresh run, go on: identical; the state is arrays whose size stays the same."""
    given = scene(infos, seconds_for(stage, infos), 91, masked=True)
    k = given.n * 3 // 5
    _, run = flow(stage, infos, [given.cut(0, k)])
    saved = run.save()
    fresh = Run(stage, *infos)
    sizes = {name: (a.shape, a.dtype) for name, a in fresh.save().items()}
    for name, a in saved.items():
        need(a.dtype.kind in "fiub" or a.dtype.names is not None, f"state {name!r} holds {a.dtype}, not numbers")
        need(
            sizes.get(name) == (a.shape, a.dtype),
            f"state {name!r} changed its size from {sizes.get(name)} to {a.shape}",
        )
    fresh.restore(saved)
    rest = given.cut(k, given.n)
    on = [Output.of([c]) for c in as_tuple(run.push(*rest))]
    restored = [Output.of([c]) for c in as_tuple(fresh.push(*rest))]
    for a, b in zip(on, restored, strict=True):
        same(a, b, stage.tags, "after restore")
    same_state(run, fresh, stage.tags, "after restore")


def check_runs_independent(stage: Stage, infos: Infos) -> None:
    """Two runs do not touch each other, and a second start equals the first."""
    seconds = seconds_for(stage, infos)
    one, two = scene(infos, seconds, 101), scene(infos, seconds, 102, masked=True)
    alone = outputs(flow(stage, infos, one.pieces([40]))[0])
    a, b = Run(stage, *infos), Run(stage, *infos)
    mixed: list[list[Any]] = [[] for _ in stage.outputs]
    for x, y in zip(one.pieces([40]), two.pieces([40]), strict=True):
        for port, chunk in zip(mixed, as_tuple(a.push(*x)), strict=True):
            port.append(chunk)
        b.push(*y)
    for p, q in zip(alone, outputs(mixed), strict=True):
        same(p, q, stage.tags, "beside another run")


def check_lent_memory(stage: Stage, infos: Infos) -> None:
    """What `push` returned stays as it was, whatever comes after."""
    given = scene(infos, seconds_for(stage, infos), 111)
    run = Run(stage, *infos)
    half = given.n // 2
    first = as_tuple(run.push(*given.cut(0, half)))
    kept = [Output.of([c]) for c in first]
    run.push(*given.cut(half, given.n))
    for a, b in zip(first, kept, strict=True):
        same(Output.of([a]), b, stage.tags, "an earlier output, after a later push")


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    from ranvier.kernels._loop import best_width

    before = os.environ.get(name)
    os.environ[name] = value
    best_width.cache_clear()
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before
        best_width.cache_clear()


def check_width(stage: Stage, infos: Infos) -> None:
    """One lane at a time is the definition: wide SIMD kernels give the same bits, state included."""
    _same_when(stage, infos, "RANVIER_WIDTH", "1", "width 1 against wide")


def check_fused(stage: Stage, infos: Infos) -> None:
    """Stages fused into one loop give the same bits as one after the other, state included."""
    _same_when(stage, infos, "RANVIER_FUSE", "0", "stage by stage against fused")


def _one_channel_left(block: Block, _: Any) -> Block:
    """Mark all channels but the last invalid for 20 samples late in a scene, when all is primed and settled."""
    valid = np.ones(block.data.shape, bool)
    late = block.n * 4 // 5
    valid[late : late + 20, ..., :-1] = False
    return Block(block.data, block.start, valid, block.at)


def _same_when(stage: Stage, infos: Infos, name: str, value: str, what: str) -> None:
    seconds = seconds_for(stage, infos)
    for given in (scene(infos, seconds, 121, masked=True), scene(infos, seconds, 122).with_blocks(_one_channel_left)):
        usual, run = flow(stage, infos, given.pieces([53]))
        with _environment(name, value):
            plain, other = flow(stage, infos, given.pieces([53]))
        for a, b in zip(outputs(usual), outputs(plain), strict=True):
            same(a, b, stage.tags, what)
        same_state(run, other, stage.tags, what)


def check_one_signature(stage: Stage, infos: Infos) -> None:
    """Nothing is compiled after the start: read-only, padded, masked, empty blocks included."""
    from numba.core.event import install_recorder

    from ranvier.testing._scene import read_only

    given = scene(infos, seconds_for(stage, infos), 131, masked=True)
    run = Run(stage, *infos)
    with install_recorder("numba:compile") as recorder:
        run.push(*given.cut(0, given.n // 3))
        run.push(*given.with_blocks(read_only).cut(given.n // 3, given.n // 2))
        run.push(*given.cut(given.n // 2, given.n // 2))
    names = sorted({str(e.data["dispatcher"].py_func.__name__) for _, e in recorder.buffer})
    need(not names, f"compiled after the start: {', '.join(names)}")


def check_bounded(stage: Stage, infos: Infos, blocks: int = 600) -> None:
    """Memory is flat, however many blocks come."""
    given = scene(infos, seconds_for(stage, infos), 141)
    run = Run(stage, *infos)
    size = max(1, min(given.n // 8, 16))
    place = 0

    def push_many(count: int) -> None:
        nonlocal place
        for _ in range(count):
            piece = _moved(given, place, size)
            run.push(*piece)
            place += size

    push_many(blocks // 3)
    tracemalloc.start()
    try:
        push_many(blocks // 3)
        before = tracemalloc.get_traced_memory()[0]
        push_many(blocks // 3)
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    need(after - before < 64 * blocks // 3 + 20_000, f"memory grew by {after - before} bytes over {blocks // 3} blocks")


def _moved(given: Scene, place: int, size: int) -> tuple[Any, ...]:
    """Return the next piece of an endless stream made of the scene over and over."""
    room = given.n - size
    at = place % max(room, 1)
    out: list[Any] = []
    for c in given.cut(at, at + size):
        shift = given.start + place - (given.start + at)
        if isinstance(c, Block):
            index = None if c.at is None else c.at + shift * 50
            out.append(Block(c.data, c.start + shift, c.valid, index))
        else:
            table = c.table.copy()
            table["sample"] += shift
            out.append(type(c)(c.start + shift, c.stop + shift, table))
    return tuple(out)


def check_serialises(stage: Stage, infos: Infos) -> None:
    """Stage -> TOML + arrays -> stage: equal, same id, same description."""
    import tomllib

    import tomli_w

    arrays: dict[str, Any] = {}
    try:
        again = from_table(tomllib.loads(tomli_w.dumps(to_table(stage, arrays))), arrays)
    except ConfigError as e:
        if "public name" not in str(e):
            raise
        values = tomllib.loads(tomli_w.dumps(plain_fields(stage, arrays)))  # not published yet: its parameters alone
        again = build_dataclass(type(stage), values, "stage", arrays)
    need(again == stage, "the stage read back is another one")
    need(again.id == stage.id, f"the id changed from {stage.id} to {again.id}")
    if again.describe(*infos) != stage.describe(*infos):
        raise ConformanceError("the stage read back describes another stream")
