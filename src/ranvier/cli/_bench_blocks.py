"""Bench "blocks": how long the shipped pipelines compute at each block, on a simulated person."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ranvier.cli._files import open_pipeline
from ranvier.cli._paradigms import PARADIGMS
from ranvier.stage import Run

SIZES = (1, 10, 50)


def blocks(options: Any, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return percentiles of the time a block, and how many times faster than real time that is."""
    rows, seconds = [], 4 * options.seconds
    for name, task in PARADIGMS.items():
        tell(name)
        subject, trials = task.calibration(n_each=4)
        model = open_pipeline(Path(name)).fit(subject, trials)
        for size in SIZES:
            run, taken = Run(model, subject.info), []
            for block in subject.blocks(size, 0, round(seconds * subject.rate)):
                began = perf_counter()
                run.push(block)
                taken.append(perf_counter() - began)
            p50, p99, p999 = np.quantile(np.array(taken) * 1e6, [0.5, 0.99, 0.999])
            rows.append(
                {"pipeline": name, "channels": len(task.channels), "block": size, "p50 [us]": float(p50),
                 "p99 [us]": float(p99), "p99.9 [us]": float(p999), "real-time factor": seconds / sum(taken)}
            )  # fmt: skip
    return {"rows": rows, "notes": [f"{seconds:g} s of 250 Hz, a decision every 125 ms."]}
