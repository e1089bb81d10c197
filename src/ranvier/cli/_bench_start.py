"""Bench "start": fresh processes, so that nothing is warm but the disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

COMMANDS = {
    "import ranvier": ["-c", "import ranvier"],
    "import all rooms that run": ["-c", "import ranvier.channels, ranvier.decode, ranvier.denoise, ranvier.features"],
    "ranvier --help": ["-m", "ranvier", "--help"],
    "ranvier stages": ["-m", "ranvier", "stages"],
    "ranvier demo, first line": ["-u", "-m", "ranvier", "demo", "--fast", "--seconds", "10"],
    "ranvier demo, first decided trial": ["-u", "-m", "ranvier", "demo", "--fast", "--seconds", "10"],
}
SIGNS = {"ranvier demo, first decided trial": "asked for"}  # what the output is waited for to contain


def start(options: Any, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return how long it takes from the start of a process to its first output, or to its end."""
    rows = []
    for name, arguments in COMMANDS.items():
        tell(name)
        taken = [_until_output([sys.executable, *arguments], SIGNS.get(name, "")) for _ in range(options.turns)]
        rows.append({"what": name, "median [s]": median(taken), "largest [s]": max(taken), "runs": len(taken)})
    return {"rows": rows, "notes": ["Where there is no output, to the end of the process."]}


def _until_output(command: list[str], sign: str) -> float:
    """Return the time until a line of output with `sign` in it [s]."""
    began = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # noqa: S603
        for text in process.stdout or ():
            if sign in text:
                break
        taken = perf_counter() - began
        process.kill()
    return taken
