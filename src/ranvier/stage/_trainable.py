"""Trainable: what becomes a stage by `fit`; it is not a stage, so nothing unfitted can be started."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError
from ranvier.stage._chain import Chain, chain
from ranvier.stage._compose import union_ports
from ranvier.stage._feed import infos_of, through
from ranvier.stage._run import Run
from ranvier.stage._stage import SIGNAL, Port, Stage
from ranvier.stream import Array, Block, Events, Info, Recording, StreamInfo, Targets, Trials, is_all_valid

Goal = Trials | Sequence[Targets]


@dataclass(frozen=True, eq=False, kw_only=True)
class Samples:
    """What an estimator is fitted on: samples that lie wholly inside a trial, valid throughout unless it asks for all.

    Parameters
    ----------
    x
        Shape ``(n, *shape)``.
    valid
        Which numbers may be read, of the shape of `x`; None for all.
    y
        Label of each (text), or what it should follow, float64 ``(n, n_values)``.
    stretch
        Number of the unbroken stretch of each, within one trial or target: its samples follow one another.
    names, units
        Of the continuous targets.
    dropped
        Samples left out because something in them was invalid.
    """

    x: Array
    y: npt.NDArray[Any]
    stretch: npt.NDArray[np.int64]
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    dropped: int = 0
    valid: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Stream:
    """A whole recording after some stages: description and blocks, which jump where a segment ends.

    `recording` is where it comes from: its events flow into later stages that take some.
    """

    info: StreamInfo
    blocks: list[Block]
    recording: Recording | None = None

    def offered(self, stage: Stage) -> tuple[Info, ...]:
        """Return what flows into the ports of a stage: this signal first, then the events of the recording."""
        _, *others = stage.inputs
        if others and self.recording is None:
            raise ContractError(
                f"{type(stage).__name__} needs {', '.join(p.name for p in others)} beside the signal; got a signal "
                "alone. Fit on a recording, which has its events."
            )
        return (self.info, *[self.recording.event_info for _ in others if self.recording is not None])

    def newest(self, block: Block) -> npt.NDArray[np.int64]:
        """Return the newest source sample that each sample of a block can see."""
        if block.at is not None:
            return block.at
        step, offset = self.info.origin.step, self.info.origin.offset
        k = np.arange(block.start, block.stop, dtype=np.int64)
        d = step.denominator * offset.denominator
        return (k * (step.numerator * offset.denominator) + offset.numerator * step.denominator) // d


class Trainable(abc.ABC):
    """What learns from recordings and trials, and becomes a frozen stage."""

    inputs: tuple[Port, ...] = (SIGNAL,)

    @abc.abstractmethod
    def fit(self, recordings: Recording | Sequence[Recording], trials: Goal) -> Stage:
        """Return a new frozen stage with its input contract; same data and seed, same stage."""

    def __or__(self, other: Any) -> Any:
        return recipe(self, other) if isinstance(other, Stage | Trainable) else NotImplemented


class Estimator(Trainable):
    """A trainable whose author writes `fit_samples` only.

    `whole` says that it is fitted on samples that are valid throughout; else on all, and `Samples.valid` says what of
    them may be read.
    """

    whole: ClassVar[bool] = True

    @abc.abstractmethod
    def fit_samples(self, info: StreamInfo, samples: Samples) -> Stage:
        """Return the fitted stage for streams like `info`."""

    @final
    def fit(self, recordings: Recording | Sequence[Recording], trials: Goal) -> Stage:
        return Recipe((self,)).fit(recordings, trials)


@final
@dataclass(frozen=True, eq=False)
class Recipe(Trainable):
    """A chain with something to be fitted in it; fitted left to right through the very same `process`.

    Parameters
    ----------
    steps
        Stages and trainables in the order of the data's way.
    """

    steps: tuple[Stage | Trainable, ...]

    @property
    def inputs(self) -> tuple[Port, ...]:  # type: ignore[override]
        first, *rest = self.steps
        return union_ports(first.inputs, (s.inputs[1:] for s in rest))

    @property
    def front(self) -> Stage | None:
        """The stages before the first trainable: what need not be refitted in every fold."""
        stages = self._leading()
        return chain(*stages) if stages else None

    def _leading(self) -> list[Stage]:
        out: list[Stage] = []
        for s in self.steps:
            if not isinstance(s, Stage):
                break
            out.append(s)
        return out

    def prepare(self, recordings: Recording | Sequence[Recording]) -> list[Stream]:
        """Run the leading stages over whole recordings."""
        several = [recordings] if isinstance(recordings, Recording) else list(recordings)
        front = self.front
        streams = []
        for rec in several:
            if front is None:
                streams.append(Stream(rec.info, list(rec.blocks(max(1, int(rec.info.rate * 10)))), rec))
            else:
                streams.append(Stream(front.describe(*infos_of(front, rec)), through(front, rec), rec))
        return streams

    def fit(self, recordings: Recording | Sequence[Recording], trials: Goal) -> Stage:
        return self.fit_streams(self.prepare(recordings), trials)

    def fit_streams(self, streams: Sequence[Stream], trials: Goal) -> Stage:
        """Fit on recordings that `prepare` has run through the leading stages."""
        stages = self._leading()
        current = list(streams)
        pending: list[Stage] = []
        rest = self.steps[len(stages) :]
        for i, step in enumerate(rest):
            if isinstance(step, Stage):
                fitted = step
            else:
                for p in pending:
                    current = [apply(p, s) for s in current]
                pending = []
                info = same_info([s.info for s in current])
                samples = collect(current, trials, getattr(step, "whole", True))
                fitted = _fit(step, info, samples)
            stages.append(fitted)
            if any(not isinstance(later, Stage) for later in rest[i + 1 :]):
                pending.append(fitted)
        return chain(*stages)


def _fit(step: Any, info: StreamInfo, samples: Samples) -> Stage:
    if not isinstance(step, Estimator):
        raise ContractError(f"Recipe needs stages and estimators; got {type(step).__name__}. Derive it from Estimator.")
    if not len(samples.x):
        raise ContractError(
            f"{type(step).__name__} needs at least one valid sample that lies wholly inside a trial; got none "
            f"({samples.dropped} dropped as invalid, window {info.origin.span} source samples). "
            "Make windows shorter than the trials, or the trials longer."
        )
    bad = int((~np.isfinite(samples.x) & (True if samples.valid is None else samples.valid)).sum())
    if bad:
        raise ContractError(
            f"{type(step).__name__} needs finite samples; got {bad} numbers of {samples.x.size} that are not. "
            "Put denoise.Integrity at the entrance, which marks them invalid."
        )
    return step.fit_samples(info, samples)


def apply(stage: Stage, stream: Stream) -> Stream:
    """Run a stage over what came out of earlier ones; events, if it takes some, are all known from the start."""
    run, rec = Run(stage, *stream.offered(stage)), stream.recording
    _, *others = stage.inputs
    known: list[Events] = []
    if rec is not None and others and stream.blocks:
        stop = max(rec.events.stop, int(stream.newest(stream.blocks[-1])[-1]) + 1)
        known = [Events(0, stop, rec.events.table), Events(stop, stop)]
    out = [run.push(b, *[known[min(i, 1)] for _ in others]) for i, b in enumerate(stream.blocks)]
    return Stream(run.info, [b for b in out if b.n], rec)


def collect(streams: Sequence[Stream], trials: Goal, whole: bool = True) -> Samples:
    """Gather the samples that lie wholly inside trials (or have targets).

    They are valid throughout; or, where they need not be `whole`, all of them: what follows a lost one is no neighbour
    of what went before it.
    """
    if isinstance(trials, Trials):
        return _collect_trials(streams, trials, whole)
    return _collect_targets(streams, trials, whole)


def _good(block: Block, places: npt.NDArray[np.int64], whole: bool) -> npt.NDArray[np.bool_]:
    if not whole or is_all_valid(block.valid):
        return np.ones(len(places), bool)
    return np.asarray(block.valid[places].all(axis=tuple(range(1, block.valid.ndim))), dtype=bool)


def inside(stream: Stream, block: Block, begin: int, end: int) -> slice:
    """Return the samples of a block whose window lies wholly in source samples ``begin <= i < end``."""
    newest = stream.newest(block)
    a, b = np.searchsorted(newest, [begin + stream.info.origin.span - 1, end])
    return slice(int(a), int(max(a, b)))


def _collect_trials(streams: Sequence[Stream], trials: Trials, whole: bool) -> Samples:
    x, valid, y, which, dropped, stretches = [], [], [], [], 0, -1
    for r, stream in enumerate(streams):
        mine = np.flatnonzero(trials.recording == r)
        begins, ends = trials.begin, trials.end
        for t in mine:
            following = -1  # index of the sample that would go on with the stretch
            for block in stream.blocks:
                part = inside(stream, block, int(begins[t]), int(ends[t]))
                places = np.arange(part.start, part.stop)
                ok = _good(block, places, whole)
                dropped += int((~ok).sum())
                places = places[ok]
                if not len(places):
                    continue
                x.append(block.data[places])
                if not whole:
                    valid.append(block.valid[places])
                y += [trials.label[t]] * len(places)
                index = block.start + places
                which.append(stretches + np.cumsum(np.diff(index, prepend=following - 1) != 1))
                following, stretches = int(index[-1]) + 1, int(which[-1][-1])
    shape = streams[0].info.shape
    return Samples(
        x=np.concatenate(x) if x else np.empty((0, *shape), streams[0].info.dtype), y=np.array(y, dtype=np.str_),
        stretch=np.concatenate(which) if which else np.empty(0, np.int64), dropped=dropped,
        valid=np.concatenate(valid) if valid else None,
    )  # fmt: skip


def _collect_targets(streams: Sequence[Stream], targets: Sequence[Targets], whole: bool) -> Samples:
    if len(targets) != len(streams):
        raise ContractError(f"fit needs targets for each recording; got {len(targets)} for {len(streams)}.")
    x, valid, y, which, dropped, stretches = [], [], [], [], 0, -1
    for stream, goal in zip(streams, targets, strict=True):
        following = -1  # index of the sample that would go on with the stretch
        for block in stream.blocks:
            newest = stream.newest(block)
            a, b = np.searchsorted(newest, [goal.start + stream.info.origin.span - 1, goal.stop])
            places = np.arange(a, max(a, b))
            ok = _good(block, places, whole)
            dropped += int((~ok).sum())
            places = places[ok]
            x.append(block.data[places])
            if not whole:
                valid.append(block.valid[places])
            y.append(goal.values[newest[places] - goal.start])
            index = block.start + places
            which.append(stretches + np.cumsum(np.diff(index, prepend=following - 1) != 1))
            if len(places):
                following, stretches = int(index[-1]) + 1, int(which[-1][-1])
    if not x:
        x, y = [np.empty((0, *streams[0].info.shape), streams[0].info.dtype)], [targets[0].values[:0]]
        which = [np.empty(0, np.int64)]
    return Samples(
        x=np.concatenate(x), y=np.concatenate(y), stretch=np.concatenate(which),
        names=targets[0].names, units=targets[0].units, dropped=dropped,
        valid=np.concatenate(valid) if valid else None,
    )  # fmt: skip


def same_info(infos: Sequence[StreamInfo]) -> StreamInfo:
    """Refuse recordings that differ in channels, units, rate or shape."""
    from ranvier.stage._contract import Contract

    first = Contract.of(infos[0])
    for info in infos[1:]:
        if Contract.of(info) != first:
            first.check(Recipe(()), info)
    return infos[0]


def recipe(*steps: Any) -> Recipe:
    """Put stages and trainables in sequence, flattening."""
    flat: list[Any] = []
    for s in steps:
        if isinstance(s, Recipe):
            flat += s.steps
        elif isinstance(s, Chain):
            flat += s.stages
        else:
            flat.append(s)
    return Recipe(tuple(flat))
