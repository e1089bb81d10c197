"""What may be wrong with a channel in one hop, and how each fault is recognised."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from ranvier.channels._predict import Predictors, predicted
from ranvier.stream import Array, Channels

REASONS = ("good", "lost", "saturated", "flat", "lead-off", "mains", "noise", "bridged", "drifting", "uncorrelated",
           "unpredicted", "deviant")  # fmt: skip
(_, LOST, SATURATED, FLAT, LEAD_OFF, MAINS, NOISE, BRIDGED, DRIFTING, UNCORRELATED, UNPREDICTED, DEVIANT) = range(12)
SUDDEN = np.isin(np.arange(12), (SATURATED, FLAT))  # no doubt that more hops could remove
NEAR = 6  # neighbours that a channel is compared with
FEW = 4  # channels that it takes to say what is usual
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
class Heard:
    """One hop: powers, extremes and how channels go together, one number a channel each."""

    count: Array
    all: Array
    mains: Array
    slow: Array
    fast: Array
    range: Array
    at_rail: Array
    mean: Array
    moved: Array
    product: Array
    lost: Array

    @classmethod
    def of(cls, rows: dict[str, Array], product: Array, anchor: Array, before: Array, hop: int, stride: int) -> Heard:
        """Make it of what the kernel wrote, and of what was taken off every sample."""
        n = rows["count"]
        m = np.maximum(n, 1)
        mean = anchor + rows["sum"] / m
        slow = np.diag(product)[: len(n)] * stride / m
        return cls(
            n, rows["all"] / m, rows["mains"] / m, slow, rows["fast"] / m, rows["top"] - rows["bottom"],
            (rows["tops"] + rows["bottoms"] - 2) / m, mean, np.abs(mean - before), product, n < hop / 2,
        )  # fmt: skip


@dataclass(slots=True)
class Criteria:
    """Thresholds, and who is compared with whom."""

    judged: Array
    near: Array
    hop: float
    predict: Predictors | None
    fast: bool
    mains: bool
    correlation: float
    deviation: float
    rail: float | None
    ignore: tuple[int, ...]
    rank: int
    kernels: Any

    @staticmethod
    def centre(slow: Array) -> None:
        """Take the mean of each column off, leaving 0 where nothing was heard."""
        there = slow != 0
        slow -= np.where(there, slow.sum(0) / np.maximum(there.sum(0), 1), 0)

    def reasons(self, h: Heard, bad: Array) -> tuple[Array, Array]:
        """Return why each channel fails, 0 where it does not, and by how much it misses the limit (1: just so)."""
        excess = np.zeros((len(REASONS), len(bad)))
        with np.errstate(all="ignore"):
            self._alone(h, excess)
            usable = self.judged & ~(excess[: FLAT + 1] >= 1).any(0)
            if usable.sum() >= FEW:
                self._compared(h, excess, usable, bad)
        excess[:, ~self.judged] = 0
        excess[list(self.ignore)] = 0
        fails = excess >= np.where(bad, HYSTERESIS, 1.0)
        for r in range(MAINS, len(REASONS)):  # what most channels do is no fault of one
            if 2 * fails[r].sum() > max(usable.sum(), 1):
                fails[r] = False
        fails[LEAD_OFF] = fails[UNCORRELATED] & fails[MAINS] & (LEAD_OFF not in self.ignore)
        excess[LEAD_OFF] = excess[MAINS]
        fails[LOST + 1 :, h.lost] = False
        reason = fails.argmax(0)
        return reason, excess[reason, np.arange(len(reason))]

    def _alone(self, h: Heard, excess: Array) -> None:
        """What a channel shows by itself."""
        excess[LOST] = h.lost
        still = h.range <= 0
        railed = np.zeros(len(still), bool) if self.rail is None else np.abs(h.mean) >= self.rail * (1 - 1e-6)
        excess[SATURATED] = np.where(still, 2.0 * railed, h.at_rail / AT_RAIL)
        excess[FLAT] = 2.0 * (still & ~railed)

    def _compared(self, h: Heard, excess: Array, usable: Array, bad: Array) -> None:
        """What shows beside the other channels."""
        sd = np.sqrt(h.all)
        usual = _median(sd[usable])
        excess[FLAT] = np.maximum(excess[FLAT], np.where(sd > 0, STILL * usual / sd, 2.0) * (sd < STILL * usual))
        if self.mains:
            hum = np.sqrt(h.mains)
            excess[MAINS] = np.minimum(h.mains / h.all / DOMINATED, hum / (OUT_OF_LINE * _median(hum[usable])))
        if self.fast:
            z = _score(np.log(h.fast / h.slow) / 2, usable) / self.deviation
            excess[NOISE] = np.where(h.fast > _median(h.fast[usable]), z, 0)
        excess[DEVIANT] = np.abs(_score(np.log(h.all) / 2, usable)) / self.deviation
        own = np.maximum(np.sqrt(h.slow), usual)
        excess[DRIFTING] = np.minimum(h.moved / self.hop / (DRIFT * own), h.moved / (STEADY * _median(h.moved[usable])))
        self._together(h, excess, usable, bad)

    def _together(self, h: Heard, excess: Array, usable: Array, bad: Array) -> None:
        """What shows in how channels go together: bridges, and what neighbours or all others know nothing of."""
        power = np.diag(h.product)[: len(usable)]
        apart, best = np.empty(len(power)), np.empty(len(power))
        self.kernels.nearest(h.product, usable, apart)
        excess[BRIDGED] = np.minimum(BRIDGE * power / apart, APART * _median(apart[usable]) / apart)
        vouch = usable & ~bad & ~(excess[BRIDGED] >= 1)
        self.kernels.correlated(h.product, vouch, self.near, np.empty(self.rank), best)
        if self.correlation:
            excess[UNCORRELATED] = np.where(best >= 0, (1 - best) / (1 - self.correlation), 0)
        if self.predict is not None:
            vouch &= ~(excess >= 1).any(0)
            excess[UNPREDICTED] = (1 - predicted(self.predict, h.product, vouch)) / (1 - PREDICTION)


def _median(x: Array) -> float:
    """Return the median of a few numbers, in a tenth of the time that numpy's takes."""
    s = np.sort(x)
    return float(s[(len(s) - 1) // 2] + s[len(s) // 2]) / 2


def _score(x: Array, usable: Array) -> Array:
    """Return how far each lies from the median, in robust standard deviations."""
    away = x - _median(x[usable])
    return away / max(1.4826 * _median(np.abs(away[usable])), SPREAD)


def neighbours(channels: Channels, chosen: list[int]) -> tuple[Array, int]:
    """Return whom each channel is compared with, and which of its correlations counts, from the largest.

    The largest with the six nearest; where positions are not known, the one that a twentieth of all lies above: the
    largest of many is large by chance.
    """
    n = len(channels)
    out = np.zeros((n, n), bool)
    where = [channels.positions[i] for i in chosen]
    known = len(chosen) > NEAR + 1 and all(p is not None for p in where)
    if not known:
        out[np.ix_(chosen, chosen)] = True
    else:
        p = np.array(where, float)
        d = np.round(np.linalg.norm(p[:, None] - p[None], axis=2), 7)
        np.fill_diagonal(d, np.inf)
        out[np.ix_(chosen, chosen)] = d <= np.sort(d, 1)[:, NEAR - 1 : NEAR]
    np.fill_diagonal(out, False)
    return out, 1 if known else max(1, ceil(0.05 * (len(chosen) - 1)))
