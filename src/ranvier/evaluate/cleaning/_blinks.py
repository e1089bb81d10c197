"""Blinks: how often and how large, where channels near the eyes are known."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ranvier.channels import Pick
from ranvier.denoise import Bandpass
from ranvier.evaluate.cleaning._profile import Profile
from ranvier.stage import Run
from ranvier.stream import Array, Block, StreamInfo

NEAR_EYES = re.compile(r"(eeg[ _-]?)?(fp1|fpz|fp2|af7|af8)\b", re.IGNORECASE)
BAND = (1.0, 10.0)  # where a blink's 0.2 to 0.4 s lie [Hz]
LEAST, TIMES = 40.0, 5.0  # a blink's peak, at least [uV] and in robust deviations of the band
APART = 0.4  # from blink to blink, at least [s]
KEPT = 60.0  # samples a second that are kept
MOST = 4  # channels that are looked at


@dataclass(frozen=True)
class Blinks:
    """How often [a minute] and how large [uV], on which channels."""

    a_minute: float
    peak: float
    channels: tuple[str, ...]


class Eyes:
    """Listens to the channels near the eyes; keeps 60 slow samples a second of each."""

    def __init__(self, info: StreamInfo, known: Profile) -> None:
        self.names = near_eyes(info, known)[:MOST]
        rate = float(info.rate)
        self._every = max(1, round(rate / KEPT))
        self._kept: list[Array] = []
        self._run = (
            Run(Pick(self.names) | Bandpass(*BAND, order=2), info) if self.names and rate > 3 * BAND[1] else None
        )
        self._rate = rate / self._every

    def add(self, block: Block) -> None:
        if self._run is not None and block.n:
            out = self._run.step(block)
            first = -out.start % self._every
            self._kept.append(np.where(out.valid, out.data, 0)[first :: self._every].astype("f4"))

    def found(self) -> Blinks | None:
        """Return the blinks; None where no channel near the eyes is known, or there are less than 10 s."""
        if not self._kept:
            return None
        x = np.concatenate(self._kept)
        if len(x) < 10 * self._rate:
            return None
        peaks = [_peaks(np.abs(column), self._rate) for column in x.T]
        counts = np.array([len(p) for p in peaks])
        largest = [float(np.median(p)) for p in peaks if len(p)]
        return Blinks(float(np.median(counts)) * 60 * self._rate / len(x), max(largest, default=0.0), self.names)


def near_eyes(info: StreamInfo, known: Profile) -> tuple[str, ...]:
    """Return the channels that show blinks, by kind or by name."""
    c = info.channels
    eog = [n for n, k, u in zip(c.names, c.kinds, c.units, strict=True) if k == "eog" and u == "uV"]
    if known.kind != "eeg":
        return ()
    front = [n for n in known.electrodes if NEAR_EYES.match(n) and c.units[c.names.index(n)] == "uV"]
    return tuple(front + eog)


def _peaks(x: Array, rate: float) -> Array:
    """Return the heights of peaks that stand out, the largest first where two are too near."""
    limit = max(LEAST, TIMES * 1.4826 * float(np.median(x)))
    top = np.flatnonzero((x[1:-1] >= x[:-2]) & (x[1:-1] > x[2:]) & (x[1:-1] > limit)) + 1
    kept: list[int] = []
    for k in top[np.argsort(-x[top], kind="stable")]:
        if all(abs(k - other) >= APART * rate for other in kept):
            kept.append(int(k))
    return np.asarray(x[kept])
