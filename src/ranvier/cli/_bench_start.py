"""Bench "start": fresh processes, so that nothing is warm but the disk."""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter
from typing import Any

TIMES = 5
COMMANDS = {
    "import ranvier": ["-c", "import ranvier"],
    "import ranvier.stage": ["-c", "import ranvier.stage"],
    "ranvier --help": ["-m", "ranvier", "--help"],
    "ranvier demo: first line": ["-m", "ranvier", "demo", "--fast", "--seconds", "5"],
}


def start() -> dict[str, Any]:
    """Return how long it takes from the start of a process to its first output, or to its end."""
    rows = []
    for name, arguments in COMMANDS.items():
        taken = [_first_output([sys.executable, *arguments]) for _ in range(TIMES)]
        rows.append({"what": name, "median [s]": median(taken), "largest [s]": max(taken), "runs": TIMES})
    return {"rows": rows, "notes": ["To the first output, or to the end of the process where there is none."]}


def _first_output(command: list[str]) -> float:
    began = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        assert process.stdout is not None
        process.stdout.readline()
        taken = perf_counter() - began
        process.communicate()
    return taken
