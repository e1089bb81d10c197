"""Streamed: recordings in arrival order, in small chunks; labels late, decisions as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError
from ranvier.evaluate._bench import Bench, columns
from ranvier.evaluate._leak import LeakRule, clean
from ranvier.evaluate._scores import Real
from ranvier.evaluate._splits import Streamed
from ranvier.stage import Chain, Run, Stage, infos_of
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


def stream_trials(
    bench: Bench, trials: Trials, split: Streamed, classes: tuple[str, ...], leak: LeakRule
) -> tuple[Index, Real, dict[str, Any], Stage | None]:
    """Return which trials were tested, their mean scores, what only a stream can tell, and the first decoder."""
    order = np.lexsort((trials.onset, trials.recording))
    if len(order) <= split.warmup:
        raise ContractError(
            f"Streamed needs more trials than the {split.warmup} of the warm-up; got {len(order)}. Shorten warmup."
        )
    delay = round(split.label_delay * trials.rate)
    warm = order[: split.warmup] if bench.tail is not None else order[:0]
    ready = max(((int(trials.recording[t]), int(trials.end[t]) + delay) for t in warm), default=(0, 0))
    fit = _Teacher(bench, trials, delay, leak)
    fitted = first = fit(warm, ready)
    spoken: dict[int, Spoken] = {}
    refits = 0
    for r in range(ready[0], len(bench.recordings)):
        run = Run(bench.whole(fitted), *infos_of(bench.whole(fitted), bench.recordings[r]))
        heard = []
        for chunk in bench.recordings[r].blocks(split.block):
            if split.refit and bench.tail is not None:
                arrived = fit.arrived(order, (r, chunk.start))
                if len(arrived) - len(warm) >= split.refit * (refits + 1):
                    refits = (len(arrived) - len(warm)) // split.refit
                    fitted = fit(arrived, (r, chunk.start))
                    _swap(run, bench.whole(fitted), chunk.start)
            events = bench.recordings[r].events
            given = [chunk if p.kind == "signal" else events.cut(chunk.start, chunk.stop) for p in run.stage.inputs]
            heard.append((chunk.stop, run.push(*given)))
        spoken[r] = _listen(run, heard, classes)
    test = np.array([t for t in order if (int(trials.recording[t]), int(trials.begin[t])) >= ready], dtype=np.int64)
    if not len(test):
        raise ContractError("Streamed needs trials after the warm-up; got none. Shorten warmup or label_delay.")
    span = run.info.origin.span
    begin, end = trials.begin + span - 1, trials.end
    inside = [spoken[int(trials.recording[t])].between(int(begin[t]), int(end[t])) for t in test]
    scores = np.stack([s.scores.mean(axis=0) if len(s.scores) else np.full(len(classes), np.nan) for s in inside])
    facts: dict[str, Any] = {"block": split.block, "warmup": len(warm), "refits": refits}
    facts |= _over_time(inside, trials, test, classes)
    facts |= _latency(inside, trials, test, classes, split)
    facts |= _at_rest(bench.recordings, spoken, trials, test, classes, split, ready)
    return test, scores, facts, first


class _Teacher:
    """Fits the tail on trials whose labels are known by some instant."""

    def __init__(self, bench: Bench, trials: Trials, delay: int, leak: LeakRule) -> None:
        self.bench, self.trials, self.delay, self.leak = bench, trials, delay, leak

    def arrived(self, order: Index, now: tuple[int, int]) -> Index:
        """Return the trials whose labels have arrived."""
        t = self.trials
        earlier = t.recording[order] < now[0]
        here = (t.recording[order] == now[0]) & (t.end[order] + self.delay <= now[1])
        return np.asarray(order[earlier | here])

    def __call__(self, train: Index, now: tuple[int, int]) -> Stage | None:
        """Return the tail fitted on trials, none of which sees a trial whose label is still to come."""
        if self.bench.tail is None:
            return None
        everything = np.arange(len(self.trials))
        pending = np.setdiff1d(everything, self.arrived(everything, now))
        reach = self.leak.reach([self.bench.info])
        later = clean(self.trials, train, pending, reach, replace(self.leak, purge=True), 0)
        return self.bench.fit(self.trials[later])


def _swap(run: Run, new: Stage, at: int) -> None:
    """Replace the stages that were fitted anew, while running."""
    if not (isinstance(new, Chain) and isinstance(run.stage, Chain)):
        run.swap("", new, at)
        return
    for i, (old, fresh) in enumerate(zip(run.stage.stages, new.stages, strict=True)):
        if old != fresh:
            run.swap(str(i), fresh, at)


def _listen(run: Run, heard: Sequence[tuple[int, Any]], classes: tuple[str, ...]) -> Spoken:
    from ranvier.stage import Stream

    place = columns(run.info, classes)
    stream = Stream(run.info, [])
    newest, known, scores = [], [], []
    for stop, block in heard:
        good = block.valid.all(axis=1)
        newest.append(stream.newest(block)[good])
        known.append(np.full(int(good.sum()), stop, dtype=np.int64))
        found = block.data[good].astype(np.float64)
        scores.append(np.where(place >= 0, found[:, place], -np.inf))
    return Spoken(np.concatenate(newest), np.concatenate(known), np.concatenate(scores))


def _over_time(inside: Sequence[Spoken], trials: Trials, test: Index, classes: tuple[str, ...]) -> dict[str, Any]:
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


def _latency(
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


def _at_rest(
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
