"""record.faults: what is plainly wrong with a recording, found in one pass with bounded memory."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ranvier.record._base import BaseRecording
from ranvier.stream import StreamInfo

Floats = npt.NDArray[np.float64]
_CHUNK = 1 << 18  # numbers looked at at once
_SPECTRUM = 10.0  # seconds whose spectrum is looked at


class Finding(NamedTuple):
    """One fault: where, what, how much, and in a sentence. `channel` is empty where all are meant."""

    channel: str
    kind: str
    amount: float
    unit: str
    text: str


class _Tally:
    """What one pass over the samples counts, per channel."""

    def __init__(self, info: StreamInfo) -> None:
        c = info.n_channels
        self.long = max(2, math.ceil(info.rate))  # 1 s
        self.n, self.sum, self.squares = np.zeros(c), np.zeros(c), np.zeros(c)
        self.shift = np.full(c, np.nan)
        self.missing, self.flat = np.zeros(c, np.int64), np.zeros(c, np.int64)
        self.low, self.high = np.full(c, np.inf), np.full(c, -np.inf)
        self.at_low, self.at_high = np.zeros(c, np.int64), np.zeros(c, np.int64)
        self.last, self.run = np.full(c, np.nan), np.zeros(c, np.int64)
        self.stop = -1

    def add(self, x: Floats, start: int) -> None:
        if start != self.stop:  # behind a gap every run begins anew
            self.last[:], self.run[:] = np.nan, 0
        self.stop = start + len(x)
        good = np.isfinite(x)
        self.missing += (~good).sum(0)
        first = np.where(good.any(0), x[good.argmax(0), np.arange(x.shape[1])], np.nan)
        self.shift = np.where(np.isnan(self.shift), first, self.shift)
        y = np.where(good, x - np.nan_to_num(self.shift), 0.0)
        self.n += good.sum(0)
        self.sum += y.sum(0)
        self.squares += (y * y).sum(0)
        run = self._runs(x)
        self.flat += (run > self.long).sum(0) + self.long * (run == self.long).sum(0)
        equal = np.where(run == 3, 3, run > 3)
        for sign, edge, count in ((1, "low", "at_low"), (-1, "high", "at_high")):
            here = sign * np.where(good, sign * x, np.inf).min(0)
            known = getattr(self, edge)
            beyond = sign * here < sign * known
            reached = ((x == here) * equal).sum(0)
            kept = np.where(beyond, 0, getattr(self, count)) + np.where(beyond | (here == known), reached, 0)
            setattr(self, count, kept)
            setattr(self, edge, np.where(beyond, here, known))

    def _runs(self, x: Floats) -> npt.NDArray[np.int64]:
        """Return how many samples have kept their value up to each; 1 where it has just changed."""
        place = np.arange(1, len(x) + 1)[:, None]
        same = np.concatenate([(x[:1] == self.last), x[1:] == x[:-1]])
        since = np.maximum.accumulate(np.where(same, 0, place), axis=0)
        run = np.where(since > 0, place - since + 1, place + self.run)
        self.last, self.run = x[-1], run[-1]
        return run

    def deviation(self) -> Floats:
        n = np.maximum(self.n, 1)
        spread: Floats = np.sqrt(np.maximum(self.squares / n - (self.sum / n) ** 2, 0.0))
        return spread


def _line_noise(x: Floats, rate: float, line: float) -> Floats:
    """Return the power at a line frequency over the median power 2 to 6 Hz beside it, per channel."""
    good = np.isfinite(x)
    mean = np.where(good, x, 0).sum(axis=0) / np.maximum(good.sum(axis=0), 1)
    y = np.where(good, x - mean, 0)
    power = np.abs(np.fft.rfft(y * np.hanning(len(y))[:, None], axis=0)) ** 2
    off = np.abs(np.fft.rfftfreq(len(y), 1 / rate) - line)
    beside = np.median(power[(off >= 2) & (off <= 6)], axis=0)
    ratio: Floats = power[off <= 0.5].max(0) / np.maximum(beside, np.finfo(float).tiny)
    return ratio


def faults(recording: BaseRecording, seconds: float | None = None) -> list[Finding]:
    """Return what is plainly wrong with a recording.

    Looked for, per channel: numbers missing (NaN); stretches of 1 s or more without any change; 3 or
    more equal samples in a row at the lowest or highest value (a rail); power at 50 or 60 Hz at least
    100 times that beside it, in the first 10 s; a standard deviation far from that of the other
    channels of its kind (robust z > 5 of its logarithm). And gaps.

    Parameters
    ----------
    recording
        What `record.open` returned.
    seconds
        How much of it to look at [s]; None for all.
    """
    info = recording.info
    rate = float(info.rate)
    stop = recording.n_samples if seconds is None else min(recording.n_samples, max(1, round(seconds * rate)))
    tally = _Tally(info)
    first: list[Floats] = []
    enough = round(_SPECTRUM * rate)
    for block in recording.blocks(max(1, _CHUNK // info.n_channels), stop=stop):
        x = block.data.astype(np.float64)
        tally.add(x, block.start)
        if block.stop <= recording.segments[0].stop and sum(len(f) for f in first) < enough:
            first.append(x)
    found = [*_gaps(recording, stop), *_constant(info, tally, rate)]
    potential = [i for i, u in enumerate(info.channels.units) if u == "uV" and info.channels.kinds[i] != "trigger"]
    found += _odd(info, tally.deviation(), potential)
    start = np.concatenate(first)[:enough] if first else np.empty((0, info.n_channels))
    for line in (50.0, 60.0):
        if len(start) >= 2 * rate and line + 6 < rate / 2 and potential:
            ratio = _line_noise(start[:, potential], rate, line)
            found += [
                Finding(
                    info.channels.names[i],
                    "line noise",
                    float(r),
                    "1",
                    f"{info.channels.names[i]} has {r:.0f} times the power at {line:g} Hz that it has beside it.",
                )
                for i, r in zip(potential, ratio, strict=True)
                if r >= 100
            ]
    return found


def _gaps(recording: BaseRecording, stop: int) -> list[Finding]:
    parts, rate = recording.segments, float(recording.info.rate)
    return [
        Finding(
            "",
            "gap",
            (b.start - a.stop) / rate,
            "s",
            f"{(b.start - a.stop) / rate:g} s are missing after {a.stop / rate:g} s.",
        )
        for a, b in itertools.pairwise(parts)
        if b.start < stop
    ]


def _constant(info: StreamInfo, t: _Tally, rate: float) -> list[Finding]:
    found = []
    for i, name in enumerate(info.channels.names):
        if t.missing[i]:
            found.append(
                Finding(
                    name,
                    "missing",
                    float(t.missing[i]),
                    "samples",
                    f"{name} has {t.missing[i]} samples that are no number.",
                )
            )
        if info.channels.kinds[i] == "trigger":
            continue
        if t.flat[i]:
            found.append(
                Finding(
                    name, "flat", t.flat[i] / rate, "s", f"{name} does not change for {t.flat[i] / rate:g} s in all."
                )
            )
        for edge, count in ((t.low[i], t.at_low[i]), (t.high[i], t.at_high[i])):
            if count and t.low[i] < t.high[i] and info.channels.units[i] == "uV":
                found.append(
                    Finding(
                        name,
                        "rail",
                        float(count),
                        "samples",
                        f"{name} stays at its extreme of {edge:g} {info.channels.units[i]} for {count} samples in all.",
                    )
                )
    return found


def _odd(info: StreamInfo, spread: Floats, potential: list[int]) -> list[Finding]:
    found: list[Finding] = []
    for kind in dict.fromkeys(info.channels.kinds[i] for i in potential):
        index = [i for i in potential if info.channels.kinds[i] == kind and spread[i] > 0]
        if len(index) < 5:
            continue
        level = np.log(spread[index])
        centre = np.median(level)
        width = max(1.4826 * float(np.median(np.abs(level - centre))), 0.1)  # 0.1: channels this alike are not odd
        for i, z in zip(index, (level - centre) / width, strict=True):
            if abs(z) > 5:
                name = info.channels.names[i]
                found.append(
                    Finding(
                        name,
                        "amplitude",
                        float(spread[i]),
                        "uV",
                        f"{name} has a standard deviation of {spread[i]:.3g} uV; the middle of the {kind} channels is "
                        f"{np.exp(centre):.3g} uV.",
                    )
                )
    return found
