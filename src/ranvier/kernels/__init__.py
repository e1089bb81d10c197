"""Compiled loops and the code generator: arrays in, arrays out; the only room that knows Numba.

Numba is imported when the first kernel is made, not with this room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ranvier.kernels._body import Level, Step, Work
    from ranvier.kernels._channel import KINDS, ChannelKernel, best_width, channel_state

_WHERE = {
    "Level": "_body",
    "Step": "_body",
    "Work": "_body",
    "ChannelKernel": "_channel",
    "KINDS": "_channel",
    "best_width": "_channel",
    "channel_state": "_channel",
}

__all__ = ["KINDS", "ChannelKernel", "Level", "Step", "Work", "best_width", "channel_state"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"ranvier.kernels has no {name!r}")
    from importlib import import_module

    return getattr(import_module(f"ranvier.kernels.{_WHERE[name]}"), name)
