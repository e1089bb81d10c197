"""Activations: what only a stream can tell; how soon, how often right, how often at rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.evaluate._scores import Real
from ranvier.evaluate._splits import Streamed
from ranvier.stream import Recording, Trials, codes_of

Index = npt.NDArray[np.int64]
STEP = 0.25  # grid on which accuracy over time is given [s]


@dataclass(frozen=True, eq=False)
class Spoken:
    """Valid decisions of one recording: source sample, sample at which it was known, score of each class."""

    newest: Index
    known: Index
    scores: Real

    def between(self, begin: int, end: int) -> Spoken:
        """Return the decisions whose newest sample lies in ``[begin, end)``."""
        a, b = np.searchsorted(self.newest, [begin, end])
        return Spoken(self.newest[a:b], self.known[a:b], self.scores[a:b])


def over_time(inside: Sequence[Spoken], trials: Trials, test: Index, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return the share of trials that are right by each instant, from the decisions known until then."""
    rate = float(trials.rate)
    last = max((float(s.known[-1] - trials.onset[t]) / rate for s, t in zip(inside, test, strict=True) if len(s.known)),
               default=0.0)  # fmt: skip
    grid = np.arange(1, int(np.ceil(last / STEP)) + 1) * STEP
    right = np.zeros(len(grid))
    for s, t in zip(inside, test, strict=True):
        n = np.searchsorted(s.known, trials.onset[t] + grid * rate, side="right")
        mean = np.cumsum(s.scores, axis=0) / np.arange(1, len(s.scores) + 1)[:, None]
        for i, k in enumerate(n):
            right[i] += bool(k) and classes[int(np.argmax(mean[k - 1]))] == trials.label[t]
    return {"accuracy_over_time": [[float(g), float(v)] for g, v in zip(grid, right / len(test), strict=True)]}


def activations(s: Spoken, split: Streamed, rate: float) -> Iterator[tuple[int, int]]:
    """Yield (sample at which it was known, class) each time that a class begins to lead for long enough.

    Parameters
    ----------
    s
        Decisions in order.
    split
        `dwell` [s] and `margin`.
    rate
        Of the source [Hz].
    """
    leader, since, told = -1, 0, False
    for newest, known, row in zip(s.newest, s.known, s.scores, strict=True):
        first, second = np.argsort(-row, kind="stable")[:2]
        now = int(first) if row[first] - row[second] >= split.margin else -1
        if now != leader:
            leader, since, told = now, int(newest), False
        if leader >= 0 and not told and newest - since >= split.dwell * rate:
            told = True
            yield int(known), leader


def latency(
    inside: Sequence[Spoken], trials: Trials, test: Index, classes: tuple[str, ...], split: Streamed
) -> dict[str, Any]:
    rate, right, wrong = float(trials.rate), [], 0
    quiet = [i for i, c in enumerate(classes) if c in split.rest]
    active = [(s, t) for s, t in zip(inside, test, strict=True) if trials.label[t] not in split.rest]
    for s, t in active:
        first = next(((at, c) for at, c in activations(s, split, rate) if c not in quiet), None)
        if first is not None and classes[first[1]] == trials.label[t]:
            right.append((first[0] - int(trials.onset[t])) / rate)
        else:
            wrong += first is not None
    n = max(1, len(active))
    return {
        "activated_right": len(right) / n, "activated_wrong": wrong / n,
        "latency_median": float(np.median(right)) if right else None,
        "latency_p90": float(np.quantile(right, 0.9)) if right else None,
    }  # fmt: skip


def at_rest(
    recordings: Sequence[Recording], spoken: dict[int, Spoken], trials: Trials, test: Index,
    classes: tuple[str, ...], split: Streamed, ready: tuple[int, int],
) -> dict[str, Any]:  # fmt: skip
    """Return how often something is activated per minute of rest."""
    rate, count, total = float(trials.rate), 0, 0
    quiet = [i for i, c in enumerate(classes) if c in split.rest]
    for r, s in spoken.items():
        stretches = [(int(trials.begin[t]), int(trials.end[t])) for t in test
                     if trials.recording[t] == r and trials.label[t] in split.rest]  # fmt: skip
        rec = recordings[r]
        codes = [] if quiet else codes_of(rec.event_info, split.rest)
        for e in rec.events.table[np.isin(rec.events.table["code"], codes)]:
            begin, length = int(e["sample"]), int(e["duration"])
            if length > 1 and (r, begin) >= ready:
                stretches.append((begin, begin + length))
        for a, b in stretches:
            total += b - a
            count += sum(c not in quiet for _, c in activations(s.between(a, b), split, rate))
    return {
        "rest_minutes": total / rate / 60,
        "false_activations_per_min": count / (total / rate / 60) if total else None,
    }
