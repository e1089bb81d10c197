"""Phasors that follow the mains: slow ones, and quick ones for what the slow ones have not yet followed."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np

from ranvier.denoise._mains import MEMORY, Line
from ranvier.stage import State
from ranvier.stream import Array

LEARN = 1.0  # for how long what is usual is heard before anything is compared with it [s]


class Canceller:
    """Phasors of one bandwidth; their memory lives in a state under names that begin with `name`."""

    def __init__(self, line: Line, bandwidth: float, dtype: Any, settle: int, name: str = "") -> None:
        from ranvier.kernels._phasors import cancel

        self._cancel = cancel[dtype]
        gears = line.gears(bandwidth)
        self._gains = np.stack([gears, 2 * (1 - gears)], axis=1).astype(dtype)
        self.hold, self.settle, self.name = max(round(line.rate / (pi * bandwidth)), 1), settle, name
        self._count, self._dtype = line.count, dtype

    def memory(self, n: int) -> dict[str, Array]:
        """Return what is remembered, at a fresh start."""
        return {
            self.name + "base": np.zeros(n, self._dtype),
            self.name + "wave": np.zeros((2, self._count, n), self._dtype),
            self.name + "seen": np.zeros(n, np.int64),
            self.name + "gone": np.full(n, self.hold + 1),
        }

    def run(self, state: State, x: Array, ok: Array, masked: bool, line: bool, y: Array, w: Array) -> None:
        """Write what is left of some samples, or what is taken away, and the mask."""
        base, wave, seen, gone = (state[self.name + key] for key in ("base", "wave", "seen", "gone"))
        self._cancel(
            x, ok, masked, state["turns"], self._gains, self.hold, self.settle, base, wave, seen, gone, line, y, w
        )

    def forget(self, state: State) -> None:
        """Begin anew, keeping the level of each channel: another grid was chosen."""
        state[self.name + "wave"][...] = 0
        state[self.name + "seen"][...] = 0


class Quick:
    """Phasors on what others leave, which speak where they find far more than usual: amplitude or phase has jumped.

    Parameters
    ----------
    line, bandwidth
        Of what is removed while they speak [Hz]; at most a quarter of the frequency is taken.
    far
        Power over the usual one from which on they speak.
    dtype, name
        Of their memory.
    hold
        Longest invalid stretch after which the usual power is still known [samples].
    usual
        That power at a fresh start; None to hear it first.
    """

    def __init__(
        self, line: Line, bandwidth: float, far: float, dtype: Any, name: str, hold: int, usual: float | None = None
    ) -> None:
        from ranvier.kernels._phasors import catch_up

        self._run = catch_up[dtype]
        gain = line.sections(min(bandwidth, line.candidates[0] / 4))[0, 0]
        self._gains = np.array([gain, 2 * (1 - gain)], dtype)
        self._limits = np.array([far, 1 / (MEMORY * line.rate)], dtype)
        self._hold, self._learn, self._usual = hold, round(LEARN * line.rate), usual
        self._count, self._dtype, self.name = line.count, dtype, name

    def memory(self, n: int) -> dict[str, Array]:
        """Return what is remembered, at a fresh start."""
        known = self._usual is not None
        return {
            self.name + "wave": np.zeros((4, self._count, n), self._dtype),
            self.name + "usual": np.full((self._count, n), self._usual or 0.0, self._dtype),
            self.name + "count": np.repeat(
                [[self._learn if known else 0], [0 if known else self._hold + 1]], n, axis=1
            ),
        }

    def run(self, state: State, y: Array, w: Array, base: Array, taken: bool = False) -> None:
        """Take away more of what is left, in place, or write what is taken away; `base` is the level of channels."""
        wave, usual, count = (state[self.name + key] for key in ("wave", "usual", "count"))
        self._run(
            y, w, taken, base, state["turns"], self._gains, self._limits, self._hold, self._learn, wave, usual, count
        )
