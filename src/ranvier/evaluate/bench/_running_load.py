"""What runs live in the benchmark, on as many channels as wanted, and who sends the samples."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ranvier.decode import KalmanFilter
from ranvier.errors import ConfigError
from ranvier.evaluate.bench._carrier import ask, tell
from ranvier.evaluate.bench._data import RATE
from ranvier.evaluate.bench._implant_job import BIN, Job, describe, front
from ranvier.session import Ring
from ranvier.stage import Contract, Stage
from ranvier.stream import StreamInfo

Array = npt.NDArray[Any]
MADE = 1024  # channels that are made at most; more are these again and again
LOOP = 2.0  # s of samples that the source repeats,
LOOP_BYTES = 1 << 30  # or as many as fit in this
KEPT = 0.25  # s in the ring
GRAIN = round(BIN * RATE)


def made(channels: int) -> int:
    """Return of how many channels samples are made."""
    return channels // -(-channels // MADE)


@dataclass(frozen=True, eq=False)
class Load:
    """The pipeline, and the samples that it runs on over and over.

    Parameters
    ----------
    info, stage
        The stream and the pipeline.
    counts
        Samples of the channels that were made; the others are these again.
    job
        For those.
    block
        Samples a block.
    """

    info: StreamInfo
    stage: Stage
    counts: Array
    job: Job
    block: int

    @classmethod
    def of(cls, channels: int, block: int, seed: int) -> Load:
        """Make samples for some channels, and a decoder for all."""
        step = int(np.lcm(block, GRAIN))
        n = min(round(LOOP * RATE), LOOP_BYTES // (2 * channels)) // step * step
        if channels % made(channels) or not n:
            raise ConfigError(
                f"bench running needs up to {MADE} channels or a multiple of as many, and blocks that fill bins of "
                f"{GRAIN}; got {channels} channels in blocks of {block}. Round them."
            )
        job, info = Job.of(made(channels), LOOP, seed), describe(channels)
        stage = job.whole if channels <= MADE else cast(Stage, front() | _wide(job, info))
        return cls(info, stage, np.ascontiguousarray(job.counts[:n]), job, block)

    def samples(self, start: int, n: int) -> Array:
        """Return what the source sends from any index on."""
        index = np.arange(start, start + n) % len(self.counts)
        return np.tile(self.counts[index], (1, self.info.n_channels // self.counts.shape[1]))


def _wide(job: Job, info: StreamInfo) -> KalmanFilter:
    """Return a decoder that hears all channels alike, and as many as there are no better than those that were made."""
    many = cast(StreamInfo, front().describe(info))
    ratio = info.n_channels // job.info.n_channels
    counts, power = np.split(np.arange(2 * job.info.n_channels), 2)
    again = np.concatenate([np.tile(counts, ratio), np.tile(power, ratio)])
    d = job.decoder
    return replace(
        d, observation=d.observation[again], precision=d.precision[again] / ratio, centre=d.centre[again],
        contract=Contract.of(many),
    )  # fmt: skip


def send(control: Connection, path: str, channels: int, block: int, count: int, name: str) -> None:
    """Write blocks into a ring on the grid of their samples, and tell how late; the body of a process.

    Parameters
    ----------
    control
        Where it is told to begin, and tells.
    path
        Of a file of samples, repeated to as many channels and as often as needed.
    channels, block, count, name
        Of the ring and the blocks.
    """
    few = np.load(path, allow_pickle=False)
    counts = np.tile(few, (1, channels // few.shape[1]))
    late = np.zeros(count, np.int64)
    with Ring.create(describe(channels), KEPT, block=block, name=name) as ring, still():
        tell(control, ready=True)
        ask(control)
        cpu, begin = time.process_time(), time.monotonic_ns()
        for i in range(count):
            due = begin + i * block * 1_000_000_000 // RATE
            while (now := time.monotonic_ns()) < due:
                time.sleep((due - now) / 1e9)
            late[i] = now - due
            at = i * block % len(counts)
            ring.write(counts[at : at + block])
        took, cpu = (time.monotonic_ns() - begin) / 1e9, time.process_time() - cpu
    p50, p99 = np.percentile(late, [50, 99]) / 1e3
    tell(
        control, begin=begin, percent=100 * cpu / took, late_p50_us=float(p50), late_p99_us=float(p99),
        behind_ms=float(late[-1]) / 1e6,
    )  # fmt: skip
    ask(control)


@contextmanager
def still() -> Iterator[None]:
    """Keep the garbage collector away for a while."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
