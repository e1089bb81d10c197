"""ranvier bench session: a whole session live, from device thread to command, with recorder and viewers."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ranvier import record
from ranvier.acquire import Mark, Packet, Source
from ranvier.act import Cursor, Guard, Limits, Map
from ranvier.denoise import Integrity
from ranvier.evaluate.bench._data import RATE
from ranvier.evaluate.bench._machine import Watch, machine
from ranvier.evaluate.bench._options import Options
from ranvier.evaluate.bench._running_load import MADE, Load
from ranvier.evaluate.bench._session_peers import PEERS, beside, notes_on, times_ours
from ranvier.session import Budget, Host, Ring, Session
from ranvier.stage import Stage
from ranvier.stream import Array

CHANNELS, BLOCKS_MS = 1024, (1.0,)
VIEWERS = 10
SPIN = 100e-6  # s
FRAME = 1 / 30  # s between two looks of a viewer


@dataclass(eq=False)
class Repeated(Source):
    """Deliver a block of counts whenever it is due, out of some that are made; like a driver, without its wire."""

    scheme: ClassVar[str] = ""
    load: Any

    def _open(self) -> None:
        self._info, self._entrance = self.load.info, Integrity()

    def _start(self) -> None:
        self._k, self._began = 0, time.monotonic_ns()

    def _read(self, timeout: float) -> list[Packet | Mark]:
        counts, block = self.load.counts, self.load.block
        due = self._began + (self._k + 1) * block * 1_000_000_000 // RATE
        while (wait := due - time.monotonic_ns()) > 0:
            time.sleep(wait / 1e9)
        at = self._k * block % len(counts)
        start = self._k * block
        self._k += 1
        self.counters.samples += block
        return [Packet(counts[at : at + block], start, time.monotonic_ns())]

    def _stop(self) -> None:
        """Nothing flows."""

    def _close(self) -> None:
        """Nothing to let go of."""


def session(options: Options, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure whole sessions; docs/benchmarks.md says what each figure is."""
    channels = options.channels or CHANNELS
    peers, notes = options.usable_peers(PEERS, usual=())
    if peers and channels > MADE:
        notes.append(f"{', '.join(peers)} were left out: they take no more than {MADE} channels")
        peers = []
    notes += notes_on(peers) if peers else []
    rows, watch = [], Watch()
    for ms, block in options.blocks(BLOCKS_MS, RATE):
        load, found = Load.of(channels, block, options.seed), []
        for what, recorded, viewers, burners, host in (
            ("idle", False, 0, 0, Host()),
            ("recorded, 10 viewers", True, VIEWERS, 0, Host()),
            ("cores busy", False, 0, os.cpu_count() or 1, Host()),
            ("idle, awake in time", False, 0, 0, Host(spin=SPIN)),
            ("idle, real time", False, 0, 0, Host(realtime=True)),
            ("cores busy, real time", False, 0, os.cpu_count() or 1, Host(realtime=True)),
        ):
            say(f"{channels} channels, blocks of {ms:g} ms, {what}: {options.seconds:g} s")
            row = _one(load, options, recorded, viewers, burners, host)
            found.append({"session": what, **row})
        found += beside(load, peers, options.seconds, say) if peers else []
        times_ours(found)
        rows += [{"session": row["session"], "channels": channels, "block_ms": ms} | row for row in found]
    return {
        "kind": "session", "rows": rows, "machine": machine(*[package for p in peers for package in PEERS[p]]),
        "busy": watch.said(), "seed": options.seed,
        "notes": [
            "Latencies in us; command: when it was sent, or refused.",
            "Real time: of the whole process, where it is permitted.", *notes,
        ],
    }  # fmt: skip


def graph_of(load: Load) -> Stage:
    """Return the implant job with a map to a command of two values."""
    names = tuple(load.job.decoder.names[:2])
    return load.stage | Map(names, ("cm/s",) * len(names), targets=names)


def _one(load: Load, options: Options, recorded: bool, viewers: int, burners: int, host: Host) -> dict[str, Any]:
    graph = graph_of(load)
    names = load.job.decoder.names[:2]
    guard = Guard(*[Limits(name=n, unit="cm/s", low=-1e6, high=1e6, beyond="clamp") for n in names], max_age=0.2)
    with tempfile.TemporaryDirectory() as folder, _burning(burners):
        path = Path(folder) / "bench.rvr" if recorded else None
        s = Session(
            Repeated(load), graph, actuator=Cursor(), guard=guard, budget=Budget(age=0.1), record=path, host=host,
            cores=options.cores,
        )  # fmt: skip
        with s, _viewing(s.rings["signal"], viewers) as seen:
            cpu, began = time.process_time(), time.monotonic()
            s.run(seconds=options.seconds)
            percent = 100 * (time.process_time() - cpu) / (time.monotonic() - began)
        found = s.report.as_table()
        row = _row(found, percent)
        if recorded and path is not None:
            row |= _recording(found, path, load)
            row["viewers_saw"] = sum(seen)
    return row


def _row(found: dict[str, Any], percent: float) -> dict[str, Any]:
    latency = found["latency_us"]
    row: dict[str, Any] = {"blocks": found["counts"]["blocks"]}
    for short, name in (("done", "arrival to done"), ("command", "arrival to command"), ("age", "input age")):
        row |= {f"{short}_{k}": latency[name][k] for k in ("p50", "p99", "p999")}
    source = found["sources"]["signal"]
    return row | {
        "commands": found["counts"]["approved"], "missed": found["counts"]["missed"],
        "lost": source["overrun_samples"], "percent": percent, "realtime": found["granted"].get("realtime", False),
    }  # fmt: skip


def _recording(found: dict[str, Any], path: Path, load: Load) -> dict[str, Any]:
    health = found["recording"]
    opened: Any = record.open(path)
    n = sum(b - a for a, b in opened.signal.stretches)
    raw = n * load.info.n_channels * load.info.dtype.itemsize
    seconds = n / RATE
    return {
        "recorded_samples": n, "recording_lost": sum(health["lost"].values()), "ratio": raw / health["bytes"],
        "recorder_percent": 100 * health["cpu_seconds"] / seconds, "mbytes_s": raw / seconds / 1e6,
    }  # fmt: skip


@contextmanager
def _viewing(ring: str, n: int) -> Iterator[list[int]]:
    """Let viewers in another process look at a ring."""
    seen: list[int] = []
    if not n:
        yield seen
        return
    context = get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_look, args=(far, ring, n), daemon=True)
    process.start()
    far.close()
    try:
        near.poll(30)
        near.recv()
        yield seen
        near.send(True)
        if near.poll(10):
            seen.append(near.recv())
    finally:
        process.join(10)
        process.kill()
        near.close()


def _look(control: Any, ring: str, n: int) -> None:
    """Look at the newest block thirty times a second, with so many readers, until told to leave."""
    readers = [Ring.attach(ring, newest=True) for _ in range(n)]
    control.send(True)
    seen, total = 0, 0.0
    while not control.poll():
        for reader in readers:
            block = reader.read()
            if block is not None:
                total += float(block.data[0].sum())
                seen += reader.intact()
        time.sleep(FRAME)
    control.send(seen)


@contextmanager
def _burning(n: int) -> Iterator[None]:
    """Keep so many cores busy."""
    context = get_context("spawn")
    processes = [context.Process(target=_burn, daemon=True) for _ in range(n)]
    for p in processes:
        p.start()
    if processes:
        time.sleep(1.0)
    try:
        yield
    finally:
        for p in processes:
            p.kill()
            p.join()


def _burn() -> None:
    x: Array = np.ones((64, 64))
    while True:
        x = x @ x / 64
