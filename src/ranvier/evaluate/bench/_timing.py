"""How things are timed: on one core, in turns, over the same blocks, by the CPU time that they take."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ConfigError

Array = npt.NDArray[Any]
STAGED = 4 << 20  # bytes of blocks that lie in the caches at a time
Push = Callable[[Array, int], Any]  # samples (n, n_channels) and the index of the first -> whatever comes out


@dataclass(frozen=True)
class Contender:
    """Something that does the job.

    Parameters
    ----------
    name
        Of the row.
    make
        Returns what takes the blocks, in a fresh state.
    lacks
        What of the job it does not do.
    note
        What else a reader should know.
    data
        Samples that it gets instead of those that all get; None for these.
    """

    name: str
    make: Callable[[], Push]
    lacks: str = ""
    note: str = ""
    data: Array | None = None


@dataclass(frozen=True)
class Timing:
    """What one contender took, one entry a turn; blocks one after the other.

    Parameters
    ----------
    cpu
        CPU time of the process, all its threads [s].
    blocks
        Wall time of each block [s].
    """

    cpu: list[float] = field(default_factory=list)
    blocks: list[Array] = field(default_factory=list)

    def row(self, samples: int, channels: int, rate: float) -> dict[str, Any]:
        """Return the figures of a table.

        Parameters
        ----------
        samples
            In one turn.
        channels, rate
            Of the stream; rate in Hz.
        """
        cpu = float(np.median(self.cpu))
        p50, p99, p999 = np.percentile(np.concatenate(self.blocks) * 1e6, [50, 99, 99.9])
        return {
            "ns_per_sample": 1e9 * cpu / samples / channels,
            "spread": (max(self.cpu) - min(self.cpu)) / cpu,
            "core_percent": 100 * cpu * rate / samples,
            "real_time": samples / rate / cpu,
            "p50_us": float(p50),
            "p99_us": float(p99),
            "p999_us": float(p999),
        }

    def ratio(self, other: Timing) -> float:
        """Return how many times the CPU time of `other` this took: the median over turns."""
        return float(np.median(np.array(self.cpu) / np.array(other.cpu)))


def in_turns(contenders: Sequence[Contender], x: Array, block: int, turns: int, grain: int) -> dict[str, Timing]:
    """Let contenders run over the same samples in turns: each over the first part, each over the second ...

    Blocks lie where a driver has just written them: in the caches of the CPU, the last if not the first. They are
    copied there some at a time, while no clock runs.

    Parameters
    ----------
    x
        ``(n, n_channels)``; one part more than there are turns, the first only to warm up.
    block
        Samples a block.
    grain
        A part is a multiple of it, so that each holds equally many bins or windows [samples].

    Returns
    -------
    The timing of each by name.
    """
    part = part_length(len(x), block, turns, grain)
    pushes = {c.name: c.make() for c in contenders}
    timings = {c.name: Timing() for c in contenders}
    with quiet():
        for turn in range(turns + 1):
            for c in contenders:
                samples = x if c.data is None else c.data
                cpu, blocks = _one_turn(pushes[c.name], samples, turn * part, (turn + 1) * part, block)
                if turn:
                    timings[c.name].cpu.append(cpu)
                    timings[c.name].blocks.append(blocks)
    return timings


def most_turns(n: int, block: int, wanted: int, grain: int) -> int:
    """Return how many turns `n` samples are enough for, at most `wanted`; refuse too few for one."""
    step = int(np.lcm(block, grain))
    if n < 2 * step:
        raise ConfigError(
            f"bench needs data for two turns of {step} samples with blocks of {block}; got {n} samples. Give it more "
            "seconds, or shorter blocks."
        )
    return min(wanted, n // step - 1)


def part_length(n: int, block: int, turns: int, grain: int) -> int:
    """Return how many of `n` samples `in_turns` gives to one turn."""
    step = int(np.lcm(block, grain))
    return n // (turns + 1) // step * step


def _one_turn(push: Push, x: Array, start: int, stop: int, block: int) -> tuple[float, Array]:
    clock = time.perf_counter_ns
    staged = max(STAGED // (block * x[0].nbytes), 1) * block
    room = np.empty((min(staged, stop - start), *x.shape[1:]), x.dtype)
    cpu, took = 0, []
    for first in range(start, stop, staged):
        n = min(staged, stop - first)
        room[:n] = x[first : first + n]
        marks = np.empty(n // block + 1, np.int64)
        begin = time.process_time_ns()
        marks[0] = clock()
        for i, at in enumerate(range(0, n, block)):
            push(room[at : at + block], first + at)
            marks[i + 1] = clock()
        cpu += time.process_time_ns() - begin
        took.append(np.diff(marks) / 1e9)
    return cpu / 1e9, np.concatenate(took)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the process on one core, BLAS on one thread, and old objects out of garbage collection, for a while."""
    with old_objects_apart(), _one_core(), _one_blas_thread():
        yield


@contextmanager
def old_objects_apart() -> Iterator[None]:
    """Keep objects that are there already out of garbage collection, for a while."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _one_core() -> Iterator[None]:
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    with threadpool_limits(1):
        yield
