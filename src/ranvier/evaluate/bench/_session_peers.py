"""Others beside a session: how old a block is when it comes out of them, on the same grid and channels."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ranvier.evaluate.bench._carrier import Array
from ranvier.evaluate.bench._carrier_redis import REDIS
from ranvier.evaluate.bench._data import RATE
from ranvier.evaluate.bench._ezmsg import PACKAGES as EZMSG
from ranvier.evaluate.bench._ezmsg_graph import WARM, live
from ranvier.evaluate.bench._ring import line_of
from ranvier.evaluate.bench._running_load import Load

PEERS: dict[str, tuple[str, ...]] = {"pylsl": ("pylsl",), "redis": REDIS, "ezmsg": EZMSG}
GRAPH_SECONDS = 10.0  # at most: a graph that falls behind takes ever longer
GRAPHS = ((1, True), (3, True), (1, False), (3, False))  # processes, and whether they do the job
DOES = {
    "ranvier": "the whole job with Integrity, and the map to commands",
    "pylsl": "hands a block from one process to another, no more",
    "redis": "hands a block from one process to another, no more; its server's CPU is counted",
    "ezmsg": "gain, reference, band-pass, crossings with a given threshold; or three units that pass blocks on",
}  # fmt: skip


def beside(load: Load, peers: list[str], seconds: float, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Let peers run one after the other, each alone, and yield a row for each.

    Parameters
    ----------
    load
        Samples and the job.
    peers
        Of `PEERS`.
    seconds
        How long each [s].
    say
        Told of the progress.
    """
    for peer in (p for p in peers if p != "ezmsg"):
        say(f"{peer}: {seconds:g} s")
        yield {"session": peer, **_carried(load, peer, seconds)}
    if "ezmsg" in peers:
        seconds = min(seconds, GRAPH_SECONDS)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "counts.npy")
            np.save(path, load.counts, allow_pickle=False)
            for processes, job in GRAPHS:
                name = f"ezmsg, {processes} process{'es' * (processes > 1)}{'' if job else ', passing on'}"
                say(f"{name}: {seconds:g} s")
                yield {"session": name, **_graph(load, path, seconds, processes, job)}


def notes_on(peers: list[str]) -> list[str]:
    """Say what each does, and what is compared."""
    return [
        *[f"{name}: {DOES[name]}" for name in ("ranvier", *peers)],
        "of peers, done counts from when a block was sent, on the grid of its samples, until it came out of them; "
        "lost in samples; times_ours beside the first session",
    ]  # fmt: skip


def times_ours(rows: list[dict[str, Any]]) -> None:
    """Add to every row how many times those of the first its percentiles are."""
    for row in rows:
        row |= {f"times_ours_{k}": row[f"done_{k}"] / rows[0][f"done_{k}"] for k in ("p50", "p99", "p999")}


def _carried(load: Load, peer: str, seconds: float) -> dict[str, Any]:
    block, shape = load.block, (load.block, load.info.n_channels)
    message = load.samples(0, block)
    count, warm = (max(round(s * RATE / block), 1) for s in (seconds, WARM))
    with line_of(peer, "processes", shape) as line:
        line.check(message)
        line.run(message, warm, block / RATE)
        found = line.run(message, count, block / RATE)
    spent = found["cpu_sends"] + found["cpu_receives"]
    return {
        "blocks": found["received"], **_ages(1e3 * np.array(found["waited_us"])),
        "lost": (count - found["received"]) * block, "percent": 100 * spent * RATE / block / 1e6,
    }  # fmt: skip


def _graph(load: Load, path: str, seconds: float, processes: int, job: bool) -> dict[str, Any]:
    found = live(load, path, seconds, processes, job)
    return {
        "blocks": len(found["sent"]), **_ages(found["sent"]), "lost": found["lost"] * load.block,
        "percent": found["percent"], "behind_ms": found["behind_ms"],
    }  # fmt: skip


def _ages(ages: Array) -> dict[str, float]:
    values = np.percentile(ages / 1e3, [50, 99, 99.9])
    return {f"done_{k}": float(v) for k, v in zip(("p50", "p99", "p999"), values, strict=True)}
