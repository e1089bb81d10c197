"""A live run of a decoder: samples come when they are due, every figure is kept, and at the end it is replayed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ranvier.cli._referee import Attempt, Referee
from ranvier.stage import Run, Stage, infos_of
from ranvier.stream import Block, Recording, Trials

SHOWN = 8.0  # [s] of signal that is kept for drawing


@dataclass(frozen=True, eq=False)
class Until:
    """The beginning of a recording: what a decoder may learn from before it decodes the rest.

    Parameters
    ----------
    whole
        The recording.
    n_samples
        How much of it is there.
    """

    whole: Recording
    n_samples: int

    @property
    def info(self) -> Any:
        return self.whole.info

    @property
    def event_info(self) -> Any:
        return self.whole.event_info

    @property
    def events(self) -> Any:
        return self.whole.events.cut(0, self.n_samples)

    @property
    def entities(self) -> Any:
        return self.whole.entities

    def blocks(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        """Yield the signal up to `n_samples`."""
        yield from self.whole.blocks(size, start, self.n_samples if stop is None else min(stop, self.n_samples))


class Pace:
    """Lets a sample come when it is due by the clock; or at once, where nobody waits.

    Parameters
    ----------
    rate
        Samples per second [Hz].
    start
        The sample that is due now.
    fast
        Do not wait.
    """

    def __init__(self, rate: float, start: int, fast: bool) -> None:
        self.rate, self.start, self.fast = rate, start, fast
        self.began = time.perf_counter()

    def due(self, sample: int) -> float:
        """Return when a sample is there, on the clock of `time.perf_counter` [s]."""
        return self.began + (sample - self.start) / self.rate

    def spare(self, sample: int) -> float:
        """Return how long it is until a sample is there [s]; for ever where nobody waits."""
        return float("inf") if self.fast else self.due(sample) - time.perf_counter()

    def wait(self, sample: int) -> None:
        """Return when a sample is there."""
        left = 0.0 if self.fast else self.due(sample) - time.perf_counter()
        if left > 0:
            time.sleep(left)


@dataclass(kw_only=True)
class Live:
    """A decoder that runs, and what is seen of it.

    Parameters
    ----------
    stage
        The fitted pipeline.
    recording
        Where samples come from.
    trials
        What is asked in the part that is decoded.
    start, stop
        That part [samples].
    size
        Samples that come at a time.
    shown
        The channel whose signal is kept for drawing.
    """

    stage: Stage
    recording: Recording
    trials: Trials
    start: int
    stop: int
    size: int
    shown: int = 0
    now: int = field(init=False)
    referee: Referee = field(init=False)
    wave: deque[float] = field(init=False)
    compute: list[float] = field(init=False, default_factory=list)  # [s] a block
    age: list[float] = field(init=False, default_factory=list)  # [s] a decision
    outputs: list[Block] = field(init=False, default_factory=list)
    first: float = field(init=False, default=float("nan"))  # clock at the first decision [s]

    def __post_init__(self) -> None:
        self.now = self.start
        self.run = Run(self.stage, *infos_of(self.stage, self.recording))
        self.referee = Referee(self.run.info, self.trials)
        self.wave = deque(maxlen=max(1, int(SHOWN * self.rate)))

    @property
    def rate(self) -> float:
        return float(self.recording.info.rate)

    def go(self, fast: bool, look: Callable[[Live, Sequence[Attempt], float], None]) -> None:
        """Run to the end; `look` gets, after each block, the trials that ended and the time to spare [s]."""
        pace = Pace(self.rate, self.start, fast)
        for block in self.recording.blocks(self.size, self.start, self.stop):
            pace.wait(block.stop)
            begin = time.perf_counter()
            out = self.run.push(block)
            end = time.perf_counter()
            self.compute.append(end - begin)
            if out.n:
                self.outputs.append(out)
                self.first = end if np.isnan(self.first) else self.first
                if not fast:
                    newest = self.run.info.origin.newest(out.stop - 1)
                    self.age.append(end - pace.due(newest + 1))
            self.now = block.stop
            self.wave.extend(block.data[:, self.shown].tolist())
            look(self, self.referee.hear(out, self.now), pace.spare(block.stop + self.size))

    def replayed(self, size: int, advance: Callable[[float], None] = lambda _: None) -> bool:
        """Say whether the same samples in blocks of `size` give the same decisions, to the bit."""
        run = Run(self.stage, *infos_of(self.stage, self.recording))
        again = []
        for block in self.recording.blocks(size, self.start, self.stop):
            out = run.push(block)
            advance(block.n)
            if out.n:
                again.append(out)
        return bits(again) == bits(self.outputs)


def bits(blocks: Sequence[Block]) -> tuple[bytes, ...]:
    """Return indices, numbers and masks of all samples as bytes."""
    if not blocks:
        return ()
    index = np.concatenate([np.arange(b.start, b.stop) for b in blocks])
    data, valid = np.concatenate([b.data for b in blocks]), np.concatenate([b.valid for b in blocks])
    return index.tobytes(), data.tobytes(), valid.tobytes()


def percentiles(seconds: Sequence[float], scale: float) -> dict[str, float]:
    """Return the middle, the 99th percentile and the largest, times `scale`."""
    if not seconds:
        return {"p50": float("nan"), "p99": float("nan"), "max": float("nan")}
    p50, p99 = np.quantile(np.asarray(seconds) * scale, [0.5, 0.99])
    return {"p50": float(p50), "p99": float(p99), "max": float(max(seconds) * scale)}
