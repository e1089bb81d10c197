"""ranvier bench running: the implant job live, from a source in another process through the ring, a block at a time."""

from __future__ import annotations

import inspect
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from ranvier.errors import RanvierError
from ranvier.evaluate.bench._carrier import PATIENCE, ask, tell
from ranvier.evaluate.bench._carriers import SPIN
from ranvier.evaluate.bench._data import RATE
from ranvier.evaluate.bench._ezmsg import PACKAGES as EZMSG
from ranvier.evaluate.bench._ezmsg_graph import WARM, live
from ranvier.evaluate.bench._machine import Watch, machine
from ranvier.evaluate.bench._options import Options
from ranvier.evaluate.bench._running_load import GRAIN, MADE, Load, made, send, still
from ranvier.session import Reader, Ring
from ranvier.stage import Run
from ranvier.stream import Block

Array = npt.NDArray[Any]
BLOCKS_MS = (1.0,)
CHANNELS = 1024
CHECKED = 1.0  # s whose decisions are made once more, offline: more than half of them are valid
PEER_SECONDS = 10.0  # at most: a graph that falls behind takes ever longer
PEERS: dict[str, tuple[str, ...]] = {"ezmsg": EZMSG}


def running(options: Options, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure the running graph; docs/benchmarks.md says what each figure is."""
    channels = options.channels or CHANNELS
    peers, notes = options.usable_peers(PEERS, usual=tuple(PEERS))
    watch, rows = Watch(), []
    for ms, block in options.blocks(BLOCKS_MS, RATE):
        say(f"making samples of {made(channels)} channels, fitting the decoder")
        load = Load.of(channels, block, options.seed)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "counts.npy")
            np.save(path, load.counts, allow_pickle=False)
            say(f"{channels} channels, blocks of {ms:g} ms: {options.seconds:g} s live on {options.cores} cores")
            ours = _ours(load, path, options.seconds, options.cores)
            found = [ours]
            if channels <= MADE:
                say(f"the same, awake {SPIN * 1e6:g} us before a block is due")
                found.append(_ours(load, path, options.seconds, options.cores, SPIN))
            if "ezmsg" in peers and channels <= MADE:
                say(f"ezmsg: {min(options.seconds, PEER_SECONDS):g} s live")
                found.append(_ezmsg(load, path, min(options.seconds, PEER_SECONDS)))
        rows += [
            {"channels": channels, "block_ms": ms, **r, "times_ours_p99": r["due_p99_us"] / ours["due_p99_us"]}
            for r in found
        ]
    if channels > MADE:
        notes += [
            f"Channels beyond {made(channels)} are these again, and the decoder hears them alike.",
            *[f"{p} was left out: it takes no more than {MADE} channels" for p in peers],
        ]
    if options.cores > 1 and "cores" not in inspect.signature(Run).parameters:
        notes.append("Run knows one core only, so one was used.")
    return {
        "kind": "running", "rows": rows, "notes": notes, "busy": watch.said(), "seed": options.seed,
        "machine": machine(*[package for p in peers for package in PEERS[p]]),
    }  # fmt: skip


def start(load: Load, cores: int) -> Run:
    """Return our pipeline in motion, on as many cores as it takes."""
    more = {"cores": cores} if "cores" in inspect.signature(Run).parameters else {}
    return Run(load.stage, load.info, **more)


def _ours(load: Load, path: str, seconds: float, cores: int, spin: float = 0.0) -> dict[str, Any]:
    count, name = round((seconds + WARM) * RATE / load.block), f"bench-{uuid4().hex[:12]}"
    run = start(load, cores)
    with _process(send, path, load.info.n_channels, load.block, count, name) as control, still():
        ask(control)
        with Ring.attach(name) as reader:
            tell(control, go=True)
            seen = _loop(run, reader, count, spin)
        source = ask(control)
        tell(control, bye=True)
    if not seen.n:
        raise RanvierError("bench running needs a source that sends; none did. Run it on a machine that is less busy.")
    if not reader.lost_blocks:
        _check(load, seen.decided)
    late = slice(min(round(WARM * RATE / load.block), seen.n // 2), seen.n)
    done, arrived = seen.done[late], seen.arrived[late]
    due = source["begin"] + seen.first[late] * 1_000_000_000 // RATE
    return {
        "who": f"ranvier, awake {spin * 1e6:g} us before" if spin else "ranvier",
        "does": "all of it, from another process", **_three(done - arrived, ""),
        **_three((done - arrived)[seen.decides[late]], "decided_"), **_three(done - due, "due_"), "blocks": seen.n,
        "core_percent": seen.percent, "lost": reader.lost_blocks, "lost_samples": reader.lost_samples,
        "behind_ms": source["behind_ms"], "source_percent": source["percent"],
        "source_late_us": source["late_p50_us"],
    }  # fmt: skip


class _Seen:
    """What the loop keeps of up to `count` blocks: index, when each arrived and was done, and the first decisions."""

    def __init__(self, count: int) -> None:
        self.first, self.arrived, self.done = np.zeros((3, count), np.int64)
        self.decides = np.zeros(count, bool)
        self.decided: list[Block] = []
        self.n, self.percent = 0, 0.0


def _loop(run: Run, reader: Reader, count: int, spin: float) -> _Seen:
    """Let every block through as it comes; this is what a session does, and measures."""
    seen, clock, wanted = _Seen(count), time.monotonic_ns, round(CHECKED * RATE / GRAIN)
    cpu = begin = 0
    while reader.wait(PATIENCE, spin) and (block := reader.read()) is not None:
        if not begin:
            cpu, begin = time.process_time_ns(), clock()
        out, n = run.step(block), seen.n
        seen.first[n], seen.arrived[n], seen.done[n] = block.start, reader.arrival, clock()
        if reader.intact() and out.n:
            seen.decides[n] = True
            if len(seen.decided) < wanted:
                seen.decided.append(out.copy())
        seen.n += 1
    seen.percent = 100 * (time.process_time_ns() - cpu) / max(clock() - begin, 1)
    return seen


def _three(ages: Array, name: str) -> dict[str, float]:
    values = np.percentile(ages / 1e3, [50, 99, 99.9]) if len(ages) else np.full(3, np.nan)
    return {f"{name}{key}_us": float(v) for key, v in zip(("p50", "p99", "p999"), values, strict=True)}


def _check(load: Load, live: list[Block]) -> None:
    """Refuse decisions that differ by one bit from those made offline, in other blocks."""
    run = start(load, 1)
    offline = [b for k in range(len(live)) if (b := run.push(Block(load.samples(k * GRAIN, GRAIN), k * GRAIN))).n]
    for name in ("data", "valid"):
        a, b = (np.concatenate([getattr(x, name) for x in blocks]) for blocks in (live, offline))
        if a.tobytes() != b.tobytes():
            raise RanvierError(
                f"bench running needs what ran live to be what runs offline; got other {name}. Report it."
            )


def _ezmsg(load: Load, path: str, seconds: float) -> dict[str, Any]:
    found = live(load, path, seconds)
    return {
        "who": "ezmsg graph", "does": "gain, reference, band-pass, crossings with given threshold",
        **_three(found["sent"], ""), **_three(found["due"], "due_"), "blocks": len(found["sent"]),
        "core_percent": found["percent"], "lost": found["lost"], "behind_ms": found["behind_ms"],
    }  # fmt: skip


@contextmanager
def _process(body: Callable[..., None], *given: Any) -> Iterator[Connection]:
    """Run something in a fresh process, with a pipe to it."""
    context = get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=body, args=(far, *given), daemon=True)
    process.start()
    far.close()
    try:
        yield near
    finally:
        process.join(PATIENCE)
        process.kill()
        near.close()
