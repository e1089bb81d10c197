"""Checks of the stream: the contract, the cut, causality, emptiness, memory of the input, segments."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import numpy as np

from ranvier.stage import Stage, as_tuple
from ranvier.stream import EVENT, Block, EventInfo, Info, StreamInfo
from ranvier.testing._compare import need, same, same_state
from ranvier.testing._scene import Output, Scene, cuts_of, flow, read_only, scene

Infos = tuple[Info, ...]
SEEDS = (11, 12)


def seconds_for(stage: Stage, infos: Infos) -> float:
    """Return how long a scene must be so that the stage puts something out, with some to spare."""
    longest = 0.0
    for out in as_tuple(stage.describe(*infos)):
        longest = max(longest, (out.origin.span + out.settle) / float(out.origin.rate)
                      + (6 / float(out.rate) if isinstance(out, StreamInfo) and out.rate else 0.0))  # fmt: skip
    first = infos[0]
    least = 260 / (float(first.rate) or float(first.origin.rate) / 10)
    return max(least, 2.0 * longest + least / 2)


def outputs(chunks: list[list[Any]]) -> list[Output]:
    """Join what came out of each port."""
    return [Output.of(c) for c in chunks]


def check_contract(stage: Stage, infos: Infos) -> None:
    """Output shape, dtype, rate, origin, contiguity are what `describe` said; starts follow each other."""
    described = as_tuple(stage.describe(*infos))
    need(described == as_tuple(stage.describe(*infos)), "describe gave two different answers")
    need(len(described) == len(stage.outputs), f"describe gave {len(described)} infos for {len(stage.outputs)} ports")
    for masked in (False, True):
        given = scene(infos, seconds_for(stage, infos), 1, start=37, masked=masked)
        chunks, _ = flow(stage, infos, given.pieces([5, 60, 0, 31]))
        for info, port in zip(described, chunks, strict=True):
            if isinstance(info, EventInfo):
                _check_events(info, port)
            else:
                _check_blocks(info, port)
        need(sum(c.n for port in chunks for c in port) > 0, "nothing came out of a scene longer than span and settle")
        if not masked:
            blocks = [c for port in chunks for c in port if isinstance(c, Block)]
            need(not blocks or any(b.valid.any() for b in blocks), "nothing valid came out of valid input")


def _check_events(info: EventInfo, port: list[Any]) -> None:
    for a, b in pairwise(port):
        need(a.stop == b.start, f"the watermark jumps from {a.stop} to {b.start}")
    for c in port:
        need(c.table.dtype == EVENT, "events need the dtype EVENT")
        t = c.table["sample"]
        need(np.all(t[:-1] <= t[1:]), "events need to be ordered by time")
        need(np.all((t >= c.start) & (t < c.stop)), "events need to lie in the stretch that their chunk covers")
        need(np.all((c.table["source"] >= 0) & (c.table["source"] < len(info.sources))), "an event has no known source")


def _check_blocks(info: StreamInfo, port: list[Any]) -> None:
    if info.rate:
        step = info.origin.step
        need(info.rate == info.origin.rate / step, f"rate {info.rate} Hz is not that of the source over step {step}")
    for a, b in pairwise(port):
        need(a.stop == b.start, f"a block starts at {b.start} where {a.stop} follows")
    for b in port:
        need(isinstance(b, Block), f"a block was described; got {type(b).__name__}")
        need(b.data.shape[1:] == info.shape, f"samples of shape {info.shape} were described; got {b.data.shape[1:]}")
        need(b.data.dtype == info.dtype, f"dtype {info.dtype} was described; got {b.data.dtype}")
        need(b.n == 0 or b.data.strides[-1] == b.data.itemsize or b.data.shape[-1] == 1, "channels are not contiguous")
        need(b.valid.shape == b.data.shape and b.valid.dtype == bool, "the mask needs the shape of the data")
        need(np.isfinite(b.data).all(), "a number that is not finite came out")
        need((b.at is None) == bool(info.rate), "`at` belongs to streams with one sample an event, and only to those")


def check_block_invariance(stage: Stage, infos: Infos) -> None:
    """However the stream is cut, the output and the state at the end are the same."""
    for seed, masked in zip(SEEDS, (False, True), strict=True):
        given = scene(infos, seconds_for(stage, infos), seed, start=5 * seed, masked=masked)
        whole, run = flow(stage, infos, given.pieces([given.n]))
        wanted = outputs(whole)
        for name, cuts in cuts_of(given.n, seed).items():
            chunks, other = flow(stage, infos, given.pieces(cuts))
            for port, a, b in zip(stage.outputs, wanted, outputs(chunks), strict=True):
                same(a, b, stage.tags, f"cut {name!r} (seed {seed}), port {port.name!r}")
            same_state(run, other, stage.tags, f"cut {name!r} (seed {seed})")


def newest_of(info: Info, out: Output) -> Any:
    """Return the newest source sample that each output could see."""
    if isinstance(info, EventInfo):
        return out.index
    if out.at is not None:
        return out.at
    step, offset = info.origin.step, info.origin.offset
    return np.array([int((int(k) * step + offset) // 1) for k in out.index], dtype=np.int64)


def check_causal_and_prompt(stage: Stage, infos: Infos) -> None:
    """What is out by sample k does not depend on what comes after nor on the cut; support is not exceeded."""
    given = scene(infos, seconds_for(stage, infos), 21)
    described = as_tuple(stage.describe(*infos))
    whole = outputs(flow(stage, infos, given.pieces([given.n]))[0])
    simple = len(infos) == 1 and isinstance(infos[0], StreamInfo) and infos[0].rate
    for k in (given.n // 3, 2 * given.n // 3 + 1):
        chunks, _ = flow(stage, infos, [given.cut(0, k)])
        for info, a, b in zip(described, outputs(chunks), whole, strict=True):
            n = len(a.index)
            first = Output(b.index[:n], b.data[:n], b.valid[:n], None if b.at is None else b.at[:n])
            if isinstance(info, EventInfo):
                first = Output(first.index, first.data, first.valid, a.at)
            same(first, a, stage.tags, f"the output after {k} samples")
            if simple and isinstance(info, StreamInfo) and info.rate:
                last = int((k - 1 + given.start) * 1)
                late = newest_of(info, b) * 1 <= _source(infos[0], last)
                need(int(late.sum()) == n, f"{int(late.sum())} outputs can be known after {k} samples; {n} came out")
    if simple:
        _check_support(stage, infos, given, whole, described)


def _source(info: Info, index: int) -> int:
    return info.origin.newest(index)


def _check_support(stage: Stage, infos: Infos, given: Scene, whole: list[Output], described: tuple[Info, ...]) -> None:
    place = given.n // 3

    def disturb(block: Block, _: Any) -> Block:
        data = block.data.copy()
        data[place] = data[place - 1] if data.dtype.kind == "i" else data[place] * -0.5
        return Block(data, block.start, block.valid, block.at)

    other = outputs(flow(stage, infos, given.with_blocks(disturb).pieces([given.n]))[0])
    first = infos[0]
    old = _source(first, place - 1 + given.start)
    new = _source(first, place + given.start)
    for info, a, b in zip(described, whole, other, strict=True):
        if isinstance(info, EventInfo):
            continue
        newest = newest_of(info, a)
        before = newest <= old
        need(_bytes(a.data[before]) == _bytes(b.data[before]), "a sample changed an output that lies before it")
        past = newest >= new + info.support
        x, y = a.data[past].astype(float), b.data[past].astype(float)
        limit = 1e-4 * (np.abs(a.data).max(initial=0.0) or 1.0) if stage.tags.recursive else 0.0
        need(np.all(np.abs(x - y) <= limit), f"a sample is felt longer than support={info.support} source samples")


def _bytes(x: Any) -> bytes:
    return bytes(np.ascontiguousarray(x).tobytes())


def check_empty_block(stage: Stage, infos: Infos) -> None:
    """Nothing in, nothing out, state unharmed."""
    given = scene(infos, seconds_for(stage, infos), 31, start=3)
    _, run = flow(stage, infos, [given.cut(0, 0), given.cut(0, given.n // 2)])
    before = run.save()
    for _ in range(3):
        for chunk in as_tuple(run.push(*given.cut(given.n // 2, given.n // 2))):
            need(chunk.n == 0, f"{chunk.n} samples came out of nothing")
    after = run.save()
    for name, a in before.items():
        need(_bytes(a) == _bytes(after[name]), f"an empty block changed the state {name!r}")


def check_input_untouched(stage: Stage, infos: Infos) -> None:
    """The input is read-only memory with padded rows, and is the same afterwards."""
    given = scene(infos, seconds_for(stage, infos), 41, masked=True).with_blocks(read_only)
    plain = [c.copy() for c in given.chunks]
    chunks, _ = flow(stage, infos, [given.chunks])
    for c, kept in zip(given.chunks, plain, strict=True):
        if isinstance(c, Block):
            need(_bytes(c.data) == _bytes(kept.data) and np.array_equal(c.valid, kept.valid), "the input was changed")
        else:
            need(_bytes(c.table) == _bytes(kept.table), "the input was changed")
    again, _ = flow(stage, infos, [tuple(plain)])
    for a, b in zip(outputs(chunks), outputs(again), strict=True):
        same(a, b, stage.tags, "padded rows against contiguous ones")


def check_segment(stage: Stage, infos: Infos) -> None:
    """After a jump of the index the output equals a fresh start."""
    seconds = seconds_for(stage, infos)
    first = scene(infos, seconds / 2, 51, start=0)
    lead = next((i for i in infos if isinstance(i, StreamInfo)), infos[0])
    jump = first.n + 1013 + int(3 * (float(lead.rate) or 10))
    second = scene(infos, seconds, 52, start=jump)
    fresh, run = flow(stage, infos, second.pieces([second.n]))
    both, other = flow(stage, infos, [*first.pieces([first.n]), *second.pieces([9, 70])])
    for info, a, chunks in zip(as_tuple(stage.describe(*infos)), outputs(fresh), both, strict=True):
        b = Output.of(chunks[1:])
        n = len(b.index) - len(a.index)
        shift = (
            np.int64(b.index[n] - a.index[0]) if isinstance(info, StreamInfo) and not info.rate and len(a.index) else 0
        )
        if isinstance(info, EventInfo):
            need(n == 0, f"{n} events more came out than after a fresh start")
            same(a, Output(b.index, b.data, b.valid, a.at), stage.tags, "after a jump")
        else:
            need(n >= 0, f"{-n} samples fewer came out than after a fresh start")
            late = Output(b.index[n:] - shift, b.data[n:], b.valid[n:], None if b.at is None else b.at[n:])
            need(n == 0 or not info.rate, f"{n} samples of the segment before came out late")
            same(a, late, stage.tags, "after a jump")
    if all(isinstance(i, EventInfo) or i.rate for i in as_tuple(stage.describe(*infos))):
        same_state(run, other, stage.tags, "after a jump")  # one that cuts at events goes on counting


def check_quiet(stage: Stage, infos: Infos) -> None:
    """No warning is raised while it runs, masks and extremes included."""
    given = scene(infos, seconds_for(stage, infos), 61, masked=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow(stage, infos, given.pieces([17]))
        flow(stage, infos, given.with_blocks(lambda b, _: Block(b.data * 0, b.start, b.valid, b.at)).pieces([17]))
