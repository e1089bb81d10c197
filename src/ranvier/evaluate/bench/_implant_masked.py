"""The implant job with `Integrity` in front and samples that cannot be trusted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ranvier.denoise import Integrity
from ranvier.evaluate.bench._data import RATE
from ranvier.evaluate.bench._implant_job import Job, front
from ranvier.evaluate.bench._options import same
from ranvier.evaluate.bench._timing import Contender, Push
from ranvier.stage import Run, Stage
from ranvier.stream import Block

Array = npt.NDArray[Any]
RAIL = 32_767  # counts
STRETCH = RATE // 50  # 20 ms at the rail
SHARE = 0.01  # of all samples
PATTERNS = ("", "1 % at the rail, channel by channel", "1 % at the rail, amplifier by amplifier")


def guarded(stage: Stage) -> Stage:
    """Return a pipeline with `Integrity` in front."""
    return cast(Stage, Integrity(rail=RAIL) | stage)


def spoil(counts: Array, width: int, seed: int) -> Array:
    """Return a copy in which 1 % of the samples lie at the rail, `width` neighbouring channels for 20 ms at a time."""
    rng = np.random.default_rng(seed)
    out = counts.copy()
    n, channels = counts.shape
    many = round(SHARE * counts.size / STRETCH / width)
    starts = rng.integers(0, n - STRETCH, max(many, 1))
    for start, g in zip(starts, rng.integers(0, channels // width, len(starts)), strict=True):
        out[start : start + STRETCH, g * width : (g + 1) * width] = RAIL
    return out


def contenders(job: Job, seed: int) -> list[Contender]:
    """Return our rows: `Integrity` in front of clean data, of single channels and of amplifiers at the rail."""

    def ours() -> Push:
        run = Run(guarded(job.whole), job.info)
        return lambda x, start: run.step(Block(x, start))

    data = (None, *[spoil(job.counts, width, seed) for width in (1, job.group)])
    names = [f"ranvier, Integrity{', ' * bool(p)}{p}" for p in PATTERNS]
    return [Contender(name, ours, data=d) for name, d in zip(names, data, strict=True)]


def verify_masked(job: Job, entries: list[Contender], block: int, seconds: float) -> None:
    """Compare features, their masks and decisions with the plain path, stage by stage, bit for bit."""
    for c in entries:
        x = (job.counts if c.data is None else c.data)[: int(seconds * RATE)]
        for stage in (guarded(front()), guarded(job.whole)):
            fused = _through(Run(stage, job.info), x, block)
            with _plain():
                plain = _through(Run(stage, job.info), x, block)
            for name, a, b in zip(("values", "masks"), fused, plain, strict=True):
                differ = float((a != b).sum()) if a.shape == b.shape else np.inf
                same(f"{name} of {c.name}, stage by stage", differ, 0)


def _through(run: Run, x: Array, block: int) -> tuple[Array, Array]:
    out = [run.push(Block(x[a : a + block], a)) for a in range(0, len(x), block)]
    return np.concatenate([b.data for b in out]), np.concatenate([b.valid for b in out])


@contextmanager
def _plain() -> Iterator[None]:
    before = os.environ.get("RANVIER_FUSE")
    os.environ["RANVIER_FUSE"] = "0"
    try:
        yield
    finally:
        os.environ.pop("RANVIER_FUSE")
        if before is not None:
            os.environ["RANVIER_FUSE"] = before
