"""Streamed: recordings in arrival order, in small chunks; labels late, decisions as they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError
from ranvier.evaluate._activation import Spoken, at_rest, latency, over_time
from ranvier.evaluate._bench import UNKNOWN, Bench, columns
from ranvier.evaluate._leak import LeakRule, clean
from ranvier.evaluate._scores import Real
from ranvier.evaluate._splits import Streamed
from ranvier.stage import Chain, Run, Stage, Stream, infos_of
from ranvier.stream import Trials

Index = npt.NDArray[np.int64]


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
    facts |= over_time(inside, trials, test, classes)
    facts |= latency(inside, trials, test, classes, split)
    facts |= at_rest(bench.recordings, spoken, trials, test, classes, split, ready)
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
    place = columns(run.info, classes)
    stream = Stream(run.info, [])
    newest, known, scores = [], [], []
    for stop, block in heard:
        good = block.valid.all(axis=1)
        newest.append(stream.newest(block)[good])
        known.append(np.full(int(good.sum()), stop, dtype=np.int64))
        found = block.data[good].astype(np.float64)
        scores.append(np.where(place >= 0, found[:, place], UNKNOWN))
    return Spoken(np.concatenate(newest), np.concatenate(known), np.concatenate(scores))
