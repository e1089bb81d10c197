"""What the stages against mains have in common: phasors that follow it, and one frequency for all channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import cos, pi, sin
from typing import Any

import numpy as np

from ranvier.denoise._design import Sections, decay, notch
from ranvier.errors import ContractError
from ranvier.stage import State, need_number
from ranvier.stream import Array

SETTLED = 1e-2  # part of a disturbance that is left when the output counts as settled
FORGOTTEN = 1e-6  # part that is left where the support ends
GRIDS, GRID_REACH = (50.0, 60.0, 55.0, 46.0, 64.0), 2.5  # where mains is looked for if nobody says where [Hz]
HOP = 0.5  # longest time between two looks at the phase [s]
WAIT = 4.0  # for how long one listens before one of several grids is chosen [s]


@dataclass(frozen=True, eq=False)
class Line:
    """Where the mains is looked for, and which of its multiples there are below half the rate.

    Parameters
    ----------
    who
        The stage, for errors.
    rate
        Of the stream [Hz].
    frequency, reach
        Of the stage; None to find it within 45-65 Hz [Hz].
    harmonics
        How many multiples are wanted, the first included.
    memory
        Time constant of the frequency [s].
    """

    who: Any
    rate: float
    frequency: float | None
    reach: float
    harmonics: int
    memory: float
    candidates: tuple[float, ...] = field(init=False)
    away: float = field(init=False)
    count: int = field(init=False)

    def __post_init__(self) -> None:
        name = type(self.who).__name__
        if self.frequency is not None:
            need_number(self.who, "frequency", self.frequency, 0, 1e6, "Hz", "Take 50 or 60, or leave it out: None.")
            if not 0 <= self.reach <= self.frequency / 4:
                raise ContractError(
                    f"{name} needs 0 <= reach <= frequency/4; got reach={self.reach:g} Hz, frequency="
                    f"{self.frequency:g} Hz. Take 1 Hz if in doubt, 0 for a frequency that never changes."
                )
        if self.harmonics < 1:
            raise ContractError(f"{name} needs harmonics >= 1; got {self.harmonics}. The first is the line itself.")
        need_number(self.who, "memory", self.memory, 0.5, 1e4, "s", "Take 5 s if in doubt.")
        known = GRIDS if self.frequency is None else (float(self.frequency),)
        away = GRID_REACH if self.frequency is None else float(self.reach)
        count = min(self.harmonics, int(np.ceil(self.rate / 2 / (max(known) + away))) - 1)
        if count < 1:
            raise ContractError(
                f"{name} needs mains below rate/2; got up to {max(known) + away:g} Hz at a rate of {self.rate:g} Hz. "
                "Name the frequency, or remove it before resampling."
            )
        for key, value in (("candidates", known), ("away", away), ("count", count)):
            object.__setattr__(self, key, value)

    @property
    def hop(self) -> int:
        """Samples between two looks at the phase."""
        return max(round(min(HOP, 0.4 / max(self.away, 0.1)) * self.rate), 2)

    @property
    def wait(self) -> int:
        """Hops before one of several candidates is chosen."""
        return round(WAIT * self.rate / self.hop) if len(self.candidates) > 1 else 0

    def sections(self, bandwidth: float) -> Sections:
        """Return the notches that the phasors are at the first candidate."""
        if not 0 < bandwidth < self.candidates[0]:
            raise ContractError(
                f"{type(self.who).__name__} needs 0 < bandwidth < frequency; got {bandwidth:g} Hz at "
                f"{self.candidates[0]:g} Hz. Take 0.5 Hz if in doubt."
            )
        first = [h * self.candidates[0] for h in range(1, self.count + 1)]
        return np.concatenate([notch(f, f / bandwidth, self.rate) for f in first])

    def settle(self, bandwidth: float) -> int:
        """Return after how many samples a channel is clean."""
        found = round(min(self.memory, 2.0) * self.rate) if self.away else 0
        return decay(self.sections(bandwidth), SETTLED) + found

    def chosen(self) -> int:
        """Return how many samples later all channels are clean, for the choice of a grid."""
        return (self.wait + 3) * self.hop if len(self.candidates) > 1 else 0

    def felt(self, bandwidth: float) -> int:
        """Return for how many samples a disturbance is felt."""
        tracked = (round(18 * self.memory * self.rate) + 2 * self.hop) if self.away else 0
        return decay(self.sections(bandwidth), FORGOTTEN) + tracked + self.chosen()


def pieces(start: int, n: int, *hops: int) -> Iterator[tuple[int, int]]:
    """Return the places at which a block is cut so that no piece reaches over a multiple of a hop."""
    a = 0
    while a < n:
        b = min(n, *(a + hop - (start + a) % hop for hop in hops))
        yield a, b
        a = b


class Canceller:
    """Phasors of one bandwidth; their memory lives in a state under names that begin with `name`."""

    def __init__(self, line: Line, bandwidth: float, dtype: Any, settle: int, name: str = "") -> None:
        from ranvier.kernels._mains import cancel

        self._cancel = cancel[dtype]
        gain = line.sections(bandwidth)[0, 0]
        self._gains = np.array([gain, 2 * (1 - gain)], dtype)
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


class Tracker:
    """The frequency that all channels share, found at every multiple of a hop."""

    def __init__(self, line: Line, dtype: Any) -> None:
        from ranvier.kernels._mains import harmonics, listen, track

        self._listen, self._track, self._harmonics = listen[dtype], track[dtype], harmonics
        self.line, self.hop, self._dtype = line, line.hop, dtype
        k = np.arange(line.hop)
        window = 1 - np.cos(2 * np.pi * (k + 0.5) / line.hop)
        angles = 2 * np.pi * np.array(line.candidates)[:, None] / line.rate * k
        self._tables = np.stack([window * np.cos(angles), -window * np.sin(angles)], axis=1).astype(dtype)
        whole = [2 * pi * f * line.hop / line.rate for f in line.candidates]
        self._steps = np.array([(cos(a), sin(a)) for a in whole])
        self._candidates = np.array(line.candidates)
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
            "products": np.zeros((m, 3, n)), "slow": np.zeros((m, 2)), "chosen": np.array([0 if m == 1 else -1, 0]),
            "frequency": self._candidates.copy(),
        }  # fmt: skip

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
            self._candidates, self._keep, self.line.rate / self.hop, self.line.away, self.line.wait, state["slow"],
            chosen, frequency,
        )  # fmt: skip
        self._harmonics(frequency[max(chosen[0], 0)], self.line.rate, 1, self._turns)
        state["turns"][...] = self._turns
        return other
