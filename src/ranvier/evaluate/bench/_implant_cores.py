"""The implant job's front on one core and on several: wall time of blocks, in turns."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.evaluate.bench._data import RATE
from ranvier.evaluate.bench._implant_job import BIN, describe, front
from ranvier.evaluate.bench._options import same
from ranvier.evaluate.bench._timing import old_objects_apart
from ranvier.stage import Run
from ranvier.stream import Block

Array = npt.NDArray[Any]
CHANNELS = (1024, 2048, 4096, 8192, 16384, 32768)
BLOCK = RATE // 1000
STAGED = 4  # blocks that are used again and again: in the caches as long as they fit
LEAD = 0.5  # s until the first noise estimate
SPAN = 40  # blocks of one turn


def cores(counts: Array, many: int, turns: int, channels: tuple[int, ...] = CHANNELS) -> list[dict[str, Any]]:
    """Time blocks of 1 ms on one core and on `many`.

    Parameters
    ----------
    counts
        Of some channels; wider streams are these again.
    many
        Cores.
    turns
        How often each is timed, in turns; a figure is the median over them.
    channels
        How many, one row each.
    """
    return [_row(counts, n, many, turns) for n in channels]


def _row(counts: Array, channels: int, many: int, turns: int) -> dict[str, Any]:
    info, width = describe(channels), counts.shape[1]
    blocks = [
        np.ascontiguousarray(np.tile(counts[i * BLOCK : (i + 1) * BLOCK], -(-channels // width))[:, :channels])
        for i in range(STAGED)
    ]
    runs = [Run(front(), info), Run(front(), info, cores=many)]
    at, rows = [0, 0], [[], []]  # type: ignore[var-annotated]
    while at[0] < max(LEAD, 2 * BIN) * RATE:
        for i, run in enumerate(runs):
            out = run.step(Block(blocks[at[i] // BLOCK % STAGED], at[i]))
            rows[i] += [out.data.copy()] if out.n else []
            at[i] += BLOCK
    same(f"features on {many} cores", float((np.concatenate(rows[0]) != np.concatenate(rows[1])).sum()), 0)
    took: list[list[float]] = [[], []]
    with old_objects_apart():
        for _ in range(turns):
            for i, run in enumerate(runs):
                begin = time.perf_counter_ns()
                for _ in range(SPAN):
                    run.step(Block(blocks[at[i] // BLOCK % STAGED], at[i]))
                    at[i] += BLOCK
                took[i].append((time.perf_counter_ns() - begin) / 1e3 / SPAN)
    one, more = (float(np.median(t)) for t in took)
    return {
        "channels": channels, "block_ms": 1000 * BLOCK / RATE, "cores": many, "one_us": one, "more_us": more,
        "scaling": float(np.median(np.array(took[0]) / took[1])), "real_time": 1e6 * BLOCK / RATE / more,
    }  # fmt: skip
