"""What may be wrong with a channel in one hop, and how each fault is recognised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ranvier.channels._hop import Heard
from ranvier.channels._populations import FEW, Population
from ranvier.channels._predict import predicted
from ranvier.stream import Array

REASONS = ("good", "lost", "saturated", "flat", "lead-off", "mains", "noise", "bridged", "drifting", "uncorrelated",
           "unpredicted", "deviant")  # fmt: skip
(_, LOST, SATURATED, FLAT, LEAD_OFF, MAINS, NOISE, BRIDGED, DRIFTING, UNCORRELATED, UNPREDICTED, DEVIANT) = range(12)
SUDDEN = np.isin(np.arange(12), (SATURATED, FLAT))  # no doubt that more hops could remove
AT_RAIL = 0.05  # share of the samples at the extremes
STILL = 0.02  # of the usual amplitude: flat
DOMINATED = 0.5  # share of the power that is mains
OUT_OF_LINE = 3.0  # times the usual mains
BRIDGE, APART = 0.005, 0.1  # distance, in powers of the channel and in usual distances
DRIFT, STEADY = 2.0, 5.0  # movement of the mean in a second, in usual amplitudes and in usual movements
PREDICTION = 0.6  # correlation with what others predict; PREP takes 0.75 of 5 s, a second varies more
SPREAD = 0.2  # least robust standard deviation of log amplitudes: channels may be alike by chance
HYSTERESIS = 0.8  # what counts against a bad channel, of what counts against a good one


@dataclass(slots=True)
class Criteria:
    """Thresholds, and who is compared with whom."""

    judged: Array
    populations: list[Population]
    hop: float
    fast: bool
    mains: bool
    correlation: float
    deviation: float
    rail: float | None
    ignore: tuple[int, ...]
    kernels: Any

    def reasons(self, h: Heard, bad: Array) -> tuple[Array, Array]:
        """Return why each channel fails, 0 where it does not, and its value.

        That is by how much it misses the limit (1: just so); of a bridge, the other channel.
        """
        excess, partner = np.zeros((len(REASONS), len(bad))), np.zeros(len(bad), np.int64)
        with np.errstate(all="ignore"):
            self._alone(h, excess)
            usable = self.judged & ~(excess[: FLAT + 1] >= 1).any(0)
            for p in self.populations:
                who = p.members[usable[p.members]]
                if len(who) >= FEW:
                    self._compared(h, excess, p, who)
                    self._together(h, excess, p, who, bad, partner)
        excess[:, ~self.judged] = 0
        excess[list(self.ignore)] = 0
        fails = excess >= np.where(bad, HYSTERESIS, 1.0)
        for p in self.populations:  # what most channels do is no fault of one
            many = 2 * fails[MAINS:, p.members].sum(1) > max(usable[p.members].sum(), 1)
            fails[MAINS + np.flatnonzero(many)[:, None], p.members] = False
        fails[LEAD_OFF] = fails[UNCORRELATED] & fails[MAINS] & (LEAD_OFF not in self.ignore)
        excess[LEAD_OFF] = excess[MAINS]
        fails[LOST + 1 :, h.lost] = False
        reason = fails.argmax(0)
        return reason, np.where(reason == BRIDGED, partner, excess[reason, np.arange(len(reason))])

    def _alone(self, h: Heard, excess: Array) -> None:
        """What a channel shows by itself."""
        excess[LOST] = h.lost
        still = h.range <= 0
        railed = np.zeros(len(still), bool) if self.rail is None else np.abs(h.top) >= self.rail * (1 - 1e-6)
        excess[SATURATED] = np.where(still, 2.0 * railed, h.at_rail / AT_RAIL)
        excess[FLAT] = 2.0 * (still & ~railed)

    def _compared(self, h: Heard, excess: Array, p: Population, who: Array) -> None:
        """What shows beside the other channels, of which `who` say what is usual."""
        m = p.members
        sd, usual = h.sd[m], _median(h.sd[who])
        excess[FLAT, m] = np.maximum(
            excess[FLAT, m], np.where(sd > 0, STILL * usual / sd, 2.0) * (sd < STILL * usual)
        )  # fmt: skip
        if self.mains:
            hum, common = h.mains[m], _median(np.sqrt(h.mains[who]))
            excess[MAINS, m] = np.minimum(hum / sd**2 / DOMINATED, np.sqrt(hum) / (OUT_OF_LINE * common))
        if self.fast:
            z = _score(np.log(h.fast / h.slow) / 2, m, who) / self.deviation
            excess[NOISE, m] = np.where(h.fast[m] > _median(h.fast[who]), z, 0)
        excess[DEVIANT, m] = np.abs(_score(np.log(h.sd), m, who)) / self.deviation
        own, moved = np.maximum(np.sqrt(h.slow[m]), usual), h.moved[m]
        excess[DRIFTING, m] = np.minimum(
            moved / self.hop / (DRIFT * own), moved / (STEADY * _median(h.moved[who]))
        )  # fmt: skip

    def _together(self, h: Heard, excess: Array, p: Population, who: Array, bad: Array, partner: Array) -> None:
        """What shows in how channels go together: bridges, and what neighbours or all others know nothing of."""
        m = p.members
        apart, best, vouch = np.empty(len(bad)), np.empty(len(bad)), np.zeros(len(bad), bool)
        self.kernels.nearest(h.product, who, apart, partner)
        excess[BRIDGED, who] = np.minimum(BRIDGE * h.power[who], APART * _median(apart[who])) / apart[who]
        vouch[who] = ~bad[who] & ~(excess[BRIDGED, who] >= 1)
        self.kernels.correlated(h.product, m, p.near, vouch, np.empty(p.rank), best)
        if self.correlation:
            excess[UNCORRELATED, m] = np.where(best[m] >= 0, (1 - best[m]) / (1 - self.correlation), 0)
        if p.predict is not None:
            vouch[m] &= ~(excess[:, m] >= 1).any(0)
            excess[UNPREDICTED, m] = (1 - predicted(p.predict, h.product, vouch)[m]) / (1 - PREDICTION)


def _median(x: Array) -> float:
    """Return the median of a few numbers, in a tenth of the time that numpy's takes."""
    s = np.sort(x)
    return float(s[(len(s) - 1) // 2] + s[len(s) // 2]) / 2


def _score(x: Array, members: Array, usable: Array) -> Array:
    """Return how far each member lies from the median, in robust standard deviations."""
    middle = _median(x[usable])
    return np.asarray((x[members] - middle) / max(1.4826 * _median(np.abs(x[usable] - middle)), SPREAD))
