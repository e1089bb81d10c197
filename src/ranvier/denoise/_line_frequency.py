"""The frequency of the mains, which all channels share, found at every multiple of a hop."""

from __future__ import annotations

from math import cos, pi, sin
from typing import Any

import numpy as np

from ranvier.denoise._mains import USUAL, Line
from ranvier.stage import State
from ranvier.stream import Array

LIKELY = 0.15  # by how much the coherence of usual mains counts for more


class Tracker:
    """The frequency that all channels share."""

    def __init__(self, line: Line, dtype: Any) -> None:
        from ranvier.kernels._line_frequency import harmonics, listen, track

        self._listen, self._track, self._harmonics = listen[dtype], track[dtype], harmonics
        self.line, self.hop, self._dtype = line, line.hop, dtype
        k = np.arange(line.hop)
        window = 1 - np.cos(2 * np.pi * (k + 0.5) / line.hop)
        angles = 2 * np.pi * np.array(line.candidates)[:, None] / line.rate * k
        self._tables = np.stack([window * np.cos(angles), -window * np.sin(angles)], axis=1).astype(dtype)
        whole = [2 * pi * f * line.hop / line.rate for f in line.candidates]
        self._steps = np.array([(cos(a), sin(a)) for a in whole])
        self._candidates = np.array(line.candidates)
        self._likely = np.where(np.isin(self._candidates, USUAL), LIKELY, 0.0)
        self._keep = 1 - line.hop / (line.memory * line.rate)
        self._turns = np.zeros((line.count, 2))

    def memory(self, n: int) -> dict[str, Array]:
        """Return what is remembered, at a fresh start."""
        m = len(self._candidates)
        self._harmonics(self._candidates[0], self.line.rate, 1, self._turns)
        turns = {"turns": self._turns.astype(self._dtype)}
        if not self.line.away:
            return turns
        return turns | {
            "sums": np.zeros((2 * m, n), self._dtype), "whole": np.zeros(n, bool),
            "before": np.zeros((2 * m, n), self._dtype), "had": np.zeros(n, bool),
            "products": np.zeros((m, 3, n)), "slow": np.zeros((m, 3)), "chosen": np.array([0 if m == 1 else -1, 0]),
            "frequency": self._candidates.copy(),
        }  # fmt: skip

    def searching(self, state: State) -> bool:
        """Say whether no grid has been chosen yet."""
        return self.line.choosing and bool(state["chosen"][0] < 0)

    def run(self, state: State, x: Array, ok: Array, masked: bool, base: Array, start: int) -> bool:
        """Listen to samples that end a hop at most; return whether another candidate was chosen."""
        if not self.line.away:
            return False
        self._listen(x, ok, masked, base, self._tables, start % self.hop, state["sums"], state["whole"])
        if (start + len(x)) % self.hop:
            return False
        chosen, frequency = state["chosen"], state["frequency"]
        other: bool = self._track(
            state["sums"], state["whole"], state["before"], state["had"], state["products"], self._steps,
            self._candidates, self._keep, self.line.rate / self.hop, self.line.away, self.line.wait, self._likely,
            state["slow"], chosen, frequency,
        )  # fmt: skip
        self._harmonics(frequency[max(chosen[0], 0)], self.line.rate, 1, self._turns)
        state["turns"][...] = self._turns
        return other
