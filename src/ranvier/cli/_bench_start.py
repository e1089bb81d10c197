"""Bench "start": fresh processes, so that nothing is warm but the disk; and the implant job also with cold caches."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from ranvier.errors import RanvierError

CHANNELS = 1024
COMMANDS = {
    "import ranvier": ["-c", "import ranvier"],
    "import all rooms that run": ["-c", "import ranvier.channels, ranvier.decode, ranvier.denoise, ranvier.features"],
    "ranvier --help": ["-m", "ranvier", "--help"],
    "ranvier stages": ["-m", "ranvier", "stages"],
    "ranvier demo, first line": ["-u", "-m", "ranvier", "demo", "--fast", "--seconds", "10"],
    "ranvier demo, first decided trial": ["-u", "-m", "ranvier", "demo", "--fast", "--seconds", "10"],
}
SIGNS = {"ranvier demo, first decided trial": "asked for"}  # what the output is waited for to contain

# A program as a user writes it: a model file, the description of the counts, blocks of 1 ms until something comes out.
IMPLANT = """
import sys
import numpy as np
from ranvier.stage import Run, load_model
from ranvier.stream import Block, Channels, StreamInfo
n = int(sys.argv[2])
groups = [f"amplifier{i // 64}" for i in range(n)]
info = StreamInfo.signal(30000, Channels.of(n, "spikes", "count", groups=groups), dtype=np.int16)
run = Run(load_model(sys.argv[1]), info)
counts = np.zeros((30, n), np.int16)
start = 0
while not run.step(Block(counts, start)).n:
    start += 30
print("decided", flush=True)
"""


def start(options: Any, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return how long it takes from the start of a process to its first output, or to its end."""
    rows = []
    for name, arguments in COMMANDS.items():
        tell(name)
        rows.append(_row(name, [_until_output(arguments, SIGNS.get(name, "")) for _ in range(options.turns)]))
    channels = options.channels or CHANNELS
    with TemporaryDirectory() as folder:
        tell("making a model of the implant job")
        model = write_implant(Path(folder) / "implant.rvm", channels)
        command, cold, cached = ["-c", IMPLANT, str(model), str(channels)], [], []
        for turn in range(options.turns):
            tell(f"implant job, cold and cached, turn {turn + 1}")
            caches = _caches(Path(folder) / str(turn))
            cold.append(_until_output(command, "decided", caches))
            cached.append(_until_output(command, "decided", caches))
    job = f"implant job, {channels} channels, first decision"
    rows += [_row(f"{job}, kernels cached", cached), _row(f"{job}, nothing cached", cold)]
    notes = [
        "Where there is no output, to the end of the process.",
        "Implant job: as in bench implant, from a model file; its first decision is that of the first 20 ms.",
    ]
    return {"rows": rows, "notes": notes}


def _row(name: str, taken: list[tuple[float, float]]) -> dict[str, Any]:
    wall, cpu = zip(*taken, strict=True)
    return {
        "what": name, "median [s]": median(wall), "largest [s]": max(wall), "CPU, median [s]": median(cpu),
        "runs": len(taken),
    }  # fmt: skip


def _caches(folder: Path) -> dict[str, str]:
    """Return the environment of a process whose compiled kernels, Numba's own included, lie in a folder."""
    return {"RANVIER_CACHE": str(folder / "ranvier"), "NUMBA_CACHE_DIR": str(folder / "numba")}


def _until_output(arguments: list[str], sign: str, environment: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Return the time until a line of output with `sign` in it, and what the process computed [s]."""
    before = os.times()
    env = {**os.environ, **(environment or {})}
    began, found = perf_counter(), not sign
    with subprocess.Popen(  # noqa: S603
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
    ) as process:
        for text in process.stdout or ():
            if sign in text:
                found = True
                break
        taken = perf_counter() - began
        process.kill()
    if not found:
        raise RanvierError(f"bench needs a process that says {sign!r}; got its end. Run it by hand: {arguments}")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return taken, used


def write_implant(path: Path, channels: int) -> Path:
    """Write the implant job as a model file; its weights are drawn, because the start does not depend on them."""
    import numpy as np

    from ranvier.decode import KalmanFilter
    from ranvier.evaluate.bench._implant_job import describe, front
    from ranvier.stage import Contract, save_model

    pipeline = front()
    features = pipeline.describe(describe(channels))
    n = features.n_channels
    observation = np.random.default_rng(0).standard_normal((n, 2))
    decoder = KalmanFilter(
        0.9 * np.eye(2), 0.1 * np.eye(2), observation, np.ones(n), np.eye(2), np.zeros(n), np.zeros(2), ("vx", "vy"),
        ("cm/s", "cm/s"), Contract.of(features),
    )  # fmt: skip
    save_model(pipeline | decoder, path)
    return path
