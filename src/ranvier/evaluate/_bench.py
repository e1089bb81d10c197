"""Bench: a pipeline laid over recordings; the front runs once, what is trained is fitted in every fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError
from ranvier.evaluate._scores import Real
from ranvier.stage import Chain, Estimator, Goal, Recipe, Stage, Stream, Trainable, apply, chain, feed, infos_of, inside
from ranvier.stage import Run as StageRun
from ranvier.stream import Block, Recording, StreamInfo, Targets, Trials

Index = npt.NDArray[np.int64]
PIECES = 2000  # blocks of a recording that are streamed one by one; the rest comes in larger ones
COARSE = 1000  # [samples]
UNKNOWN = -1e300  # score of a class that the decoder does not know: below all others


def steps_of(pipeline: Stage | Trainable) -> tuple[Any, ...]:
    """Return what a pipeline consists of, in order."""
    if isinstance(pipeline, Recipe):
        return pipeline.steps
    return pipeline.stages if isinstance(pipeline, Chain) else (pipeline,)


@dataclass(frozen=True, eq=False)
class Bench:
    """A pipeline over the recordings of one unit.

    Parameters
    ----------
    front
        The stages before the first trainable; None where there are none.
    tail
        The rest, to be fitted; None where nothing is.
    recordings
        What it was laid over.
    streams
        Each recording after the front.
    """

    front: Stage | None
    tail: Recipe | None
    recordings: tuple[Recording, ...]
    streams: tuple[Stream, ...]

    @classmethod
    def of(cls, pipeline: Stage | Trainable, recordings: Sequence[Recording]) -> Bench:
        """Run the front over whole recordings."""
        steps = steps_of(pipeline)
        first = next((i for i, s in enumerate(steps) if not isinstance(s, Stage)), len(steps))
        for s in steps[first:]:
            if not isinstance(s, Stage | Estimator):
                raise ContractError(
                    f"Evaluation needs stages and estimators; got {type(s).__name__}. Derive it from Estimator."
                )
        front = chain(*steps[:first]) if first else None
        tail = Recipe(steps[first:]) if first < len(steps) else None
        streams = Recipe(steps[:first]).prepare(recordings)
        return cls(front, tail, tuple(recordings), tuple(streams))

    @property
    def info(self) -> StreamInfo:
        """Description of what comes out of the front."""
        return self.streams[0].info

    def fit(self, goal: Goal, streams: Sequence[Stream] | None = None) -> Stage | None:
        """Return the fitted tail; None where nothing is to be fitted."""
        return None if self.tail is None else self.tail.fit_streams(self.streams if streams is None else streams, goal)

    def whole(self, fitted: Stage | None) -> Stage:
        """Return front and fitted tail as the one stage that would run live."""
        return chain(*[s for s in (self.front, fitted) if s is not None])

    def decisions(self, fitted: Stage | None, which: Iterable[int], trials: Trials | None = None) -> dict[int, Stream]:
        """Return what the fitted tail makes of some of the recordings.

        Where it has no memory, what lies outside `trials` may be left out: no decision differs by it.
        """
        if fitted is None:
            return {r: self.streams[r] for r in which}
        a, b = self.info, cast(StreamInfo, fitted.describe(*self.streams[0].offered(fitted)))
        memory = (a.origin.span, a.support, a.settle) != (b.origin.span, b.support, b.settle)
        if memory or trials is None:
            return {r: apply(fitted, self.streams[r]) for r in which}
        return {r: apply(fitted, _around(self.streams[r], trials[trials.recording == r])) for r in which}

    def learned_from(self, fitted: Stage | None) -> list[StreamInfo]:
        """Return the streams that something in the tail was fitted on."""
        if fitted is None or self.tail is None:
            return [self.info]
        after = 0
        for s in reversed(self.tail.steps):
            if not isinstance(s, Stage):
                break
            after += 1
        stages = fitted.stages if isinstance(fitted, Chain) else (fitted,)
        infos, out = [], self.info
        for s in stages[: len(stages) - after]:
            infos.append(out)
            out = cast(StreamInfo, s.describe(*replace(self.streams[0], info=out).offered(s)))
        return infos


def _around(stream: Stream, trials: Trials) -> Stream:
    """Return the samples of a stream that lie inside trials."""
    blocks = []
    for block in stream.blocks:
        wanted = np.zeros(block.n, bool)
        for begin, end in zip(trials.begin, trials.end, strict=True):
            wanted[inside(stream, block, int(begin), int(end))] = True
        edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
        blocks += [block.cut(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return Stream(stream.info, blocks, stream.recording)


def columns(info: StreamInfo, classes: Sequence[str]) -> Index:
    """Return where in the decisions the score of each class stands, -1 where it has none."""
    names = list(info.channels.names)
    if not info.is_signal or any(k != "class" for k in info.channels.kinds):
        raise ContractError(
            f"Evaluation needs one score a class at the end of a pipeline; got samples of shape {info.shape} of kind "
            f"{', '.join(sorted(set(info.channels.kinds)))}. End it with a classifier, or score against targets."
        )
    if not set(names) & set(classes):
        raise ContractError(
            f"Evaluation needs decisions among the classes {', '.join(classes)}; got {', '.join(names)}. "
            "Name the classes of the trials as the decoder does."
        )
    return np.array([names.index(c) if c in names else -1 for c in classes], dtype=np.int64)


def trial_scores(decisions: dict[int, Stream], trials: Trials, which: Index, classes: Sequence[str]) -> Real:
    """Return the mean score of each class over the valid decisions inside each trial, NaN without any.

    A class that the decoder does not know scores below all others.
    """
    out = np.full((len(which), len(classes)), np.nan)
    begin, end = trials.begin, trials.end
    for row, t in enumerate(which):
        stream = decisions[int(trials.recording[t])]
        parts = []
        for block in stream.blocks:
            part = inside(stream, block, int(begin[t]), int(end[t]))
            if part.start < part.stop:
                good = block.valid[part].all(axis=1)
                parts.append(block.data[part][good])
        found = np.concatenate(parts) if parts else np.empty((0, 1))
        if len(found):
            place = columns(stream.info, classes)
            mean = found.mean(axis=0, dtype=np.float64)
            out[row] = np.where(place >= 0, mean[place], UNKNOWN)
    return out


def followed(decisions: Stream, targets: Targets, begin: int, end: int) -> tuple[Real, Real, Index]:
    """Return targets, what was decoded, and the source sample of each, where both are known."""
    info = decisions.info
    if not info.is_signal or tuple(info.channels.names) != targets.names:
        raise ContractError(
            f"Evaluation needs a pipeline that decodes {', '.join(targets.names)}; got "
            f"{', '.join(info.channels.names)}. End it with Ridge, Wiener or Kalman, fitted on these targets."
        )
    truth, values, places = [], [], []
    for block in decisions.blocks:
        newest = decisions.newest(block)
        a, b = np.searchsorted(newest, [max(begin, targets.start), min(end, targets.stop)])
        good = np.arange(a, b)[block.valid[a:b].all(axis=1)]
        truth.append(targets.values[newest[good] - targets.start])
        values.append(np.asarray(block.data[good], dtype=np.float64))
        places.append(newest[good])
    return np.concatenate(truth), np.concatenate(values), np.concatenate(places)


def same_when_streamed(bench: Bench, fitted: Stage | None, decisions: dict[int, Stream], cuts: Sequence[int]) -> bool:
    """Say whether decisions in small blocks are, to the bit, those made of whole recordings."""
    whole = bench.whole(fitted)
    for r, offline in decisions.items():
        rec = bench.recordings[r]
        expected = _bits(offline.blocks)
        for size in cuts:
            run = StageRun(whole, *infos_of(whole, rec))
            heard = [b for part in _cuts(rec.n_samples, size) for b in feed(run, rec, *part) if b.n]
            if _bits(heard) != expected:
                return False
    return True


def _cuts(n: int, size: int) -> list[tuple[int, int, int]]:
    """Return (block, start, stop): all of it in blocks of `size`, or, where those are too many, the middle."""
    middle = min(n, size * PIECES)
    a = (n - middle) // 2
    return [(COARSE, 0, a), (size, a, a + middle), (COARSE, a + middle, n)]


def _bits(blocks: Sequence[Block]) -> tuple[bytes, ...]:
    """Return indices, numbers, masks and instants as bytes."""
    if not blocks:
        return ()
    index = np.concatenate([np.arange(b.start, b.stop) for b in blocks])
    data = np.concatenate([b.data for b in blocks])
    valid = np.concatenate([b.valid for b in blocks])
    at = np.concatenate([b.at for b in blocks if b.at is not None] or [np.zeros(0, np.int64)])
    return index.tobytes(), data.tobytes(), valid.tobytes(), at.tobytes()
