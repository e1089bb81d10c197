"""Meter: a part of a plan that says how long each call took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ranvier.stage._chain import Chain
from ranvier.stage._explain import name_of
from ranvier.stage._stage import Stage
from ranvier.stage._state import State

Make = Callable[[str], Callable[[int], None]]  # from the name of a part to what takes its times [ns]


class Meter:
    """Calls a part and tells what it took; two looks at the clock, some 0.2 us.

    Parameters
    ----------
    part
        Of a plan.
    add
        Takes the times [ns].
    """

    __slots__ = ("_add", "inputs", "part")

    def __init__(self, part: Any, add: Callable[[int], None]) -> None:
        self.part, self._add, self.inputs = part, add, part.inputs

    def __call__(self, *chunks: Any) -> Any:
        begin = time.perf_counter_ns()
        out = self.part(*chunks)
        self._add(time.perf_counter_ns() - begin)
        return out


def meter(stage: Stage, state: State, make: Make) -> None:
    """Put a meter before each part of a running chain; elsewhere there are no parts."""
    if isinstance(stage, Chain):
        parts = [p.part if isinstance(p, Meter) else p for p in state.design.parts]
        metered = tuple(Meter(p, make(f"{i}: {name_of(p)}")) for i, p in enumerate(parts))
        state.design = replace(state.design, parts=metered)
