"""What the figures were taken on: the machine, how busy it was, what it can do at most."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ranvier.evaluate.bench._timing import quiet

OPERATIONS = 15 / 16  # of one vector of 16 lanes that the implant job needs a sample: see docs/benchmarks.md
_FMA_ROUNDS = 1_000_000
_READ_BYTES = 128 << 20  # four times the caches of the CPUs that this is meant for
_IDLE, _WAIT, _STEAL = 3, 4, 7  # places in the line "cpu" of /proc/stat


def limits(turns: int = 5) -> dict[str, float]:
    """Measure fused multiply-adds and reading of memory on one core: the best of a few turns.

    Returns
    -------
    ``fma_gflops`` (float32, two operations each), ``read_gbytes`` a second, and ``implant_ns``: the least time
    that the implant job could take a sample and channel, by its multiply-adds.
    """
    from ranvier.kernels._limits import multiply_add, read
    from ranvier.kernels._states import address

    numbers = np.full(48, 0.5, np.float32)
    memory = np.ones(_READ_BYTES // 4, np.float32)
    total = np.zeros(16, np.float32)
    fma, dram = [], []
    with quiet():
        for _ in range(turns):
            begin = time.thread_time_ns()
            multiply_add(address(numbers), _FMA_ROUNDS)
            fma.append(8 * 32 * _FMA_ROUNDS / (time.thread_time_ns() - begin))
            begin = time.thread_time_ns()
            read(address(memory), memory.nbytes // 256, address(total))
            dram.append(memory.nbytes / (time.thread_time_ns() - begin))
    return {"fma_gflops": max(fma), "read_gbytes": max(dram), "implant_ns": OPERATIONS / (max(fma) / 32)}


def versions(*names: str) -> dict[str, str]:
    """Return the installed version of each package, those missing left out."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine(*packages: str) -> dict[str, Any]:
    """Describe machine and software."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **versions("ranvier", "numpy", "numba", *packages),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    said = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in lines) if v}
    return f"{said.get('model name', platform.machine())} (family {said.get('cpu family')}, model {said.get('model')})"


class Watch:
    """How busy the machine was between `__init__` and `said`."""

    def __init__(self) -> None:
        self._before, self._load, self._own = _times(), _load(), _own()

    def said(self) -> dict[str, float]:
        """Return load averages before and after, and shares of all CPU time [%]: of other processes, of the host."""
        spent = [b - a for a, b in zip(self._before, _times(), strict=True)]
        total = max(sum(spent), 1)
        own = (_own() - self._own) * os.sysconf("SC_CLK_TCK") if any(spent) else 0.0
        others = total - spent[_IDLE] - spent[_WAIT] - spent[_STEAL] - own
        return {
            "load_before": self._load,
            "load_after": _load(),
            "others_percent": max(100 * others / total, 0.0) if any(spent) else 0.0,
            "steal_percent": 100 * spent[_STEAL] / total,
        }


def _own() -> float:
    """Return the CPU time of this process and of those that it started and that have ended [s]."""
    return sum(os.times()[:4])


def _load() -> float:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else float("nan")


def _times() -> list[int]:
    """Return the counters of the line ``cpu`` of /proc/stat: user nice system idle iowait irq softirq steal ..."""
    try:
        first = Path("/proc/stat").read_text().partition("\n")[0]
    except OSError:
        return [0] * 8
    return [int(v) for v in first.split()[1:9]]
