"""The implant job up to the crossings as a running ezmsg graph: in its own runtime, in one process or in three."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from ranvier.evaluate.bench._carrier import PATIENCE, ask, tell
from ranvier.evaluate.bench._carrier_ezmsg import start_server
from ranvier.evaluate.bench._data import MICROVOLTS, RATE
from ranvier.evaluate.bench._implant_job import BAND, REFRACTORY
from ranvier.evaluate.bench._running_load import Load

WARM = 0.5  # s that are not counted


def live(load: Load, path: str, seconds: float, processes: int = 1, job: bool = True) -> dict[str, Any]:
    """Let a graph run in a fresh process, and return how old the blocks were at its end, and what it took.

    Parameters
    ----------
    load, path
        The job, and the file of its samples.
    seconds
        How long, beside what only warms up [s].
    processes
        1: all units in one; 3: what sends and what hears in processes of their own, what lies between in the third.
    job
        Whether the job lies between, or only what passes on.

    Returns
    -------
    sent, due
        Ages of the blocks that came [ns]: since they were sent, since they were due.
    others
        See `run_graph`.
    """
    count, warm = (round(s * RATE / load.block) for s in (seconds + WARM, WARM))
    with _group(load, path, count, processes, job) as control:
        found = ask(control, 10 * (seconds + WARM) + 6 * PATIENCE)
        tell(control, bye=True)
    ages = {k[:-3]: np.array(found[k][warm:]) * 1e3 for k in ("sent_us", "due_us")}
    return found | ages | {"percent": 100 * found["cpu"] / found["took"]}


def run_graph(
    control: Connection, path: str, rate: float, block: int, count: int,
    job: tuple[float, int, tuple[float, float], float, int] | None, processes: int,
) -> None:  # fmt: skip
    """Run until `count` blocks came through, and tell how old each was at the end; the body of a process.

    Parameters
    ----------
    control
        Where to tell it.
    path
        Of a file of samples ``(n, n_channels)``, repeated as often as needed.
    rate, block
        Of the samples [Hz], and how many of them a block.
    job
        Gain [uV], group, band [Hz], threshold [uV], refractory samples; None passes on what comes.
    processes
        1 or 3.
    """
    os.setsid()  # so that all processes of the graph can be ended together
    import ezmsg.core as ez

    from ranvier.evaluate.bench._ezmsg_units import Ends, Hear, Pass, Send, units_between

    server = start_server()
    with tempfile.TemporaryDirectory() as folder:
        dtype = "float32" if job else "int16"  # what else they would make of it in every block
        ends = Ends(path=path, rate=rate, dtype=dtype, block=block, count=count, folder=folder)
        between: dict[str, Any] = {"pass": Pass()}
        if job is not None:
            gain, group, band, threshold, refractory = job
            channels = np.load(path, mmap_mode="r", allow_pickle=False).shape[1]
            groups = np.arange(channels).reshape(-1, group).tolist()
            between = units_between(rate, gain, groups, band, threshold, refractory)
        units: dict[str, Any] = {"source": Send(ends), **between, "sink": Hear(ends)}
        wires = []
        for a, b in pairwise(units):
            out = units[a].OUTPUT if a == "source" else units[a].OUTPUT_SIGNAL
            wires.append((out, units[b].INPUT if b == "sink" else units[b].INPUT_SIGNAL))
        cpu = _cpu()
        ez.run(
            components=units, connections=tuple(wires), force_single_process=processes == 1,
            process_components=None if processes == 1 else (units["source"], units["sink"]),
            graph_address=tuple(server.address), auto_start=False,
        )  # fmt: skip
        cpu = _cpu() - cpu
        sent, heard = (np.load(Path(folder) / f"{k}.npy", allow_pickle=False) for k in ("sent", "heard"))
    server.stop()
    begin, sent = sent[0], sent[1:]
    there = heard > 0
    due = begin + np.rint(np.arange(count) * block * 1e9 / rate).astype(np.int64)
    sent_us, due_us = (((heard - since)[there] / 1e3).tolist() for since in (sent, due))
    tell(
        control, sent_us=sent_us, due_us=due_us, lost=int((~there).sum()), cpu=cpu,
        behind_ms=float((sent - due)[-1]) / 1e6, took=float(heard.max() - begin) / 1e9,
    )  # fmt: skip
    ask(control)


def _cpu() -> float:
    """Return the CPU time of this process and of those that it started and that have ended [s]."""
    return sum(os.times()[:4])


@contextmanager
def _group(load: Load, path: str, count: int, processes: int, job: bool) -> Iterator[Connection]:
    """Run the graph, with a pipe to it, and end whatever of it is left."""
    known = (MICROVOLTS, load.job.group, BAND, load.job.threshold, round(REFRACTORY * RATE)) if job else None
    given = (path, RATE, load.block, count, known, processes)
    context = get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=run_graph, args=(far, *given))  # no daemon: these may have no children
    process.start()
    far.close()
    try:
        yield near
        process.join(PATIENCE)
    finally:
        if process.pid is not None:
            with suppress(ProcessLookupError):  # all have gone, or it has no group yet
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.join()
        near.close()
