"""Where mains is looked for, for how long it is felt, and where a block is cut because something is learnt there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ranvier.denoise._design import Sections, decay, notch
from ranvier.errors import ContractError
from ranvier.stage import need_number
from ranvier.stream import Array

SETTLED = 1e-2  # part of a disturbance that is left when the output counts as settled
FORGOTTEN = 1e-6  # part that is left where the support ends
USUAL = (50.0, 60.0)  # where mains is, if nobody says where, unless it is clearly elsewhere [Hz]
GRIDS = (*USUAL, *(f for f in (50 + 2 * k / 3 for k in range(-7, 24)) if f not in USUAL))
GRID_REACH = 0.4  # from each of them [Hz]
HOP, GRID_HOP = 0.5, 1.0  # longest time between two looks at the phase; the longer, the fainter mains may be [s]
WAIT = 3.0  # for how long one listens before one of several grids is chosen [s]
FOUND = 2.5  # after how long a frequency that was about known is known [s]
PERIODS, STEEP = 2.0, 4.0  # phasors that begin: time constant, and how fast they slow down
NARROWEST = 0.01  # bandwidth: a phasor takes as long to settle as it is narrow [Hz]
MEMORY = 1.0  # of what is usually left of mains [s]


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
                    f"{self.frequency:g} Hz. Take 0.5 Hz if in doubt, 0 for a frequency that never changes."
                )
        if self.harmonics < 1:
            raise ContractError(f"{name} needs harmonics >= 1; got {self.harmonics}. The first is the line itself.")
        need_number(self.who, "memory", self.memory, 0.5, 1e4, "s", "Take 3 s if in doubt.")
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
    def choosing(self) -> bool:
        """Say whether the grid has to be found."""
        return len(self.candidates) > 1

    @property
    def hop(self) -> int:
        """Samples between two looks at the phase."""
        longest = GRID_HOP if self.choosing else min(HOP, 0.4 / max(self.away, 0.1))
        return max(round(longest * self.rate), 2)

    @property
    def wait(self) -> int:
        """Hops before one of several candidates is chosen."""
        return round(WAIT * self.rate / self.hop) if self.choosing else 0

    def sections(self, bandwidth: float) -> Sections:
        """Return the notches that the phasors are at the first candidate."""
        if not NARROWEST <= bandwidth < self.candidates[0]:
            raise ContractError(
                f"{type(self.who).__name__} needs {NARROWEST:g} Hz <= bandwidth < frequency; got {bandwidth:g} Hz at "
                f"{self.candidates[0]:g} Hz. Take 0.5 Hz if in doubt."
            )
        first = [h * self.candidates[0] for h in range(1, self.count + 1)]
        return np.concatenate([notch(f, f / bandwidth, self.rate) for f in first])

    def gears(self, bandwidth: float) -> Array:
        """Return the gain of a notch for the first valid sample of a channel, the second and so on, the last to stay.

        A phasor that begins is pulled hard, and ever less: what it was before is gone as the fourth power of time.
        """
        last = self.sections(bandwidth)[0, 0]
        begun = STEEP * PERIODS * self.rate / self.candidates[0]
        k = np.arange(max(np.ceil(STEEP / (1 - last) - begun), 0))
        return np.append(np.minimum(1 - STEEP / (k + begun), last), last)

    def settle(self, bandwidth: float) -> int:
        """Return after how many samples a channel is clean: its phasors are, and the frequency is known."""
        radius = np.sqrt(2 * self.gears(bandwidth) - 1)
        left = np.cumprod(radius)
        enough = SETTLED / (1.1 * (2 * self.count - 1))  # harmonics that begin disturb each other
        more = np.ceil(np.log(enough / left[-1]) / np.log(radius[-1]))
        found = 0 if self.choosing or not self.away else round(min(self.memory, FOUND) * self.rate)
        return found + (len(left) + int(more) if left[-1] > enough else int(np.argmax(left <= enough)) + 1)

    def chosen(self) -> int:
        """Return how many samples later all channels are clean, for the choice of a grid."""
        return (self.wait + 3) * self.hop if self.choosing else 0

    def felt(self, bandwidth: float) -> int:
        """Return for how many samples a disturbance is felt, a choice of another grid aside."""
        tracked = (round(18 * self.memory * self.rate) + 2 * self.hop) if self.away else 0
        return decay(self.sections(bandwidth), FORGOTTEN) + tracked + self.chosen() + round(14 * MEMORY * self.rate)


def pieces(start: int, n: int, *hops: int) -> Iterator[tuple[int, int]]:
    """Return the places at which a block is cut so that no piece reaches over a multiple of a hop."""
    a = 0
    while a < n:
        b = min(n, *(a + hop - (start + a) % hop for hop in hops))
        yield a, b
        a = b
