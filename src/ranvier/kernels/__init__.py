"""Compiled loops and the code generator: arrays in, arrays out; the only room that knows Numba.

Numba is imported when the first kernel is made, not with this room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ranvier.kernels._body import Crossings, Gate, Level, Step, Store, Tally, Work
    from ranvier.kernels._loop import EVENT_ROOM, KINDS, Loop, best_width
    from ranvier.kernels._program import Program
    from ranvier.kernels._states import bins_state, channel_state, crossings_state, gate_state, tally_state

_WHERE = {
    "_body": ("Crossings", "Gate", "Level", "Step", "Store", "Tally", "Work"),
    "_program": ("Program",),
    "_cache": ("cpu",),
    "_loop": ("EVENT_ROOM", "KINDS", "Loop", "best_width", "cores"),
    "_states": ("bins_state", "channel_state", "crossings_state", "gate_state", "tally_state"),
}  # fmt: skip
_FILE = {name: file for file, names in _WHERE.items() for name in names}

__all__ = [
    "Crossings", "EVENT_ROOM", "Gate", "KINDS", "Level", "Loop", "Program", "Step", "Store", "Tally", "Work",
    "best_width", "bins_state", "channel_state", "cores", "cpu", "crossings_state", "gate_state", "tally_state",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _FILE:
        raise AttributeError(f"ranvier.kernels has no {name!r}")
    from importlib import import_module

    return getattr(import_module(f"ranvier.kernels.{_FILE[name]}"), name)
