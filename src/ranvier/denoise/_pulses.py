"""PulseStage: what knows when stimulation pulses come, by their events, their period, or their steps."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from math import ceil
from typing import Any, final

import numpy as np

from ranvier.errors import ContractError, StateError
from ranvier.stage import EVENTS, SIGNAL, Port, Stage, State, counter, need_events, need_signal
from ranvier.stage._block_stage import follow, segmented
from ranvier.stage._queue import keep, queue, waiting
from ranvier.stream import Array, Block, Events, Info, StreamInfo, codes_of

AHEAD = 4096  # pulses that may be known before their samples come


@dataclass(frozen=True, eq=False)
class PulseStage(Stage):
    """A stage that does something at each stimulation pulse; exactly one of `period`, `jump` and `on` is given.

    Parameters
    ----------
    period
        From pulse to pulse [samples], not rounded.
    phase
        Index of one pulse, for `period` [samples], not rounded: a pulse begins at the first sample at or after it.
    jump
        Step from one sample of a channel to the next above which a pulse begins there [unit of the stream].
    on
        Labels of the events that are pulses; ``*`` stands for anything. They come by a second port, and a sample
        comes out once it is known that no event before it is to come.
    patience
        How long samples may wait for their events [s].
    """

    period: float | None = None
    phase: float = 0.0
    jump: float | None = None
    on: tuple[str, ...] = ()
    patience: float = 1.0

    @property
    def inputs(self) -> tuple[Port, ...]:  # type: ignore[override]
        return (SIGNAL, EVENTS) if self.on else (SIGNAL,)

    @abc.abstractmethod
    def describe_pulses(self, info: StreamInfo) -> StreamInfo:
        """Return what comes out; refuse what does not fit."""

    @abc.abstractmethod
    def prepare(self, info: StreamInfo) -> State:
        """Return the state at a fresh start."""

    @abc.abstractmethod
    def step(self, state: State, block: Block, marks: Array) -> Block:
        """Transform a block that follows the last one without a jump; `marks` says where pulses begin."""

    @final
    def describe(self, *infos: Info) -> StreamInfo:
        name = type(self).__name__
        info = need_signal(self, infos[0])
        given = [bool(self.on), self.period is not None, self.jump is not None]
        if sum(given) != 1 or len(infos) != len(self.inputs):
            raise ContractError(
                f"{name} needs one of period, jump and on, and events with on only; got period={self.period}, "
                f"jump={self.jump}, on={self.on} and {len(infos)} input(s). Say when pulses come in one way."
            )
        if self.period is not None and not (1 < self.period < 2**40 and abs(self.phase) < 2**40):
            raise ContractError(f"{name} needs a period > 1 sample; got {self.period:g}. Give rate / frequency.")
        if self.jump is not None and not 0 < self.jump < np.inf:
            raise ContractError(f"{name} needs jump > 0 {info.channels.units[0]}; got {self.jump:g}. Look at them.")
        if self.on:
            marks = need_events(self, infos[1])
            mine, theirs = info.origin, marks.origin
            if not 0 <= self.patience <= 3600:
                raise ContractError(f"{name} needs 0 <= patience <= 3600 s; got {self.patience:g} s. Take 1 s.")
            if (mine.source, mine.rate) != (theirs.source, theirs.rate):
                raise ContractError(
                    f"{name} needs events counted in samples of the signal's source, {mine.source!r} at "
                    f"{float(mine.rate):g} Hz; got {theirs.source!r} at {float(theirs.rate):g} Hz. Count them so."
                )
            if not codes_of(marks, self.on):
                known = ", ".join(repr(v) for v in list(marks.labels.values())[:12]) or "none"
                raise ContractError(f"{name} needs events labelled {self.on}; got labels {known}. Name some.")
        out = self.describe_pulses(info)
        return out.but(dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32))

    def samples(self, info: StreamInfo, length: float) -> int:
        """Return a length [s] in samples, at least one, and shorter than the period."""
        n = round(length * info.rate) if 0 < length < 3600 else 0
        if n < 1 or (self.period is not None and n >= self.period):
            most = "3600 s" if self.period is None else f"{self.period / float(info.rate):g} s, the period"
            raise ContractError(
                f"{type(self).__name__} needs a length of a sample or more ({1 / float(info.rate):g} s), below {most}; "
                f"got {length:g} s. Take what an artefact lasts."
            )
        return n

    @final
    def init(self, *infos: Info) -> State:
        self.describe(*infos)
        info = need_signal(self, infos[0])
        state = segmented(self.prepare(info))
        if self.on:
            marks = need_events(self, infos[1])
            state.design = (np.array(codes_of(marks, self.on)), info.origin, marks.origin)
            state.children["queue"] = queue(info, ceil(self.patience * info.rate) + 2)
            state.arrays |= {"told": counter(), "n": counter(), "pulses": np.zeros(AHEAD, np.int64)}
        return state

    @final
    def process(self, state: State, *chunks: Any) -> Block:
        block = chunks[0]
        if self.on:
            return self._in_time(state, block, chunks[1])
        if self.period is None:
            marks = np.zeros(block.n, bool)
        else:
            pulses = np.floor((np.arange(block.start - 1, block.stop) - self.phase) / self.period)
            marks = np.diff(pulses) > 0
        return self.step(follow(state, block), block, marks)

    def _in_time(self, state: State, block: Block, events: Events) -> Block:
        """Go on as far as events are complete, and keep the rest."""
        name = type(self).__name__
        rest = state.children["queue"]
        index, data, valid = waiting(rest, block, SIGNAL.name, name)
        codes, mine, theirs = state.design
        count = int(state["n"][0])

        def where(sample: int) -> int:
            """Return the first of my samples at or after an event."""
            found: int = ceil((sample * theirs.step + theirs.offset - mine.offset) / mine.step)
            return found

        new = [where(s) for s in events.table["sample"][np.isin(events.table["code"], codes)].tolist()]
        pulses = np.concatenate([state["pulses"][:count], np.array(new, np.int64)])
        state["told"][0] = told = max(int(state["told"][0]), where(events.stop))
        start = int(index[0]) if len(index) else block.start
        ready = (index == np.arange(start, start + len(index))) & (index < told)
        n = len(index) if ready.all() else int(ready.argmin())
        marks = np.zeros(n, bool)
        marks[pulses[(pulses >= start) & (pulses < start + n)] - start] = True
        part = Block(data[:n], start, valid[:n])
        out = self.step(follow(state, part), part, marks)
        keep(rest, (index[n:], data[n:], valid[n:]), SIGNAL.name, name)
        due = int(index[n]) if n < len(index) else start + n
        pulses = pulses[pulses >= due]
        if len(pulses) > AHEAD:
            raise StateError(
                f"{name} needs the samples of a pulse before {AHEAD} later ones are known; got {len(pulses)}. "
                "Send signal and events of the same stretch together."
            )
        state["n"][0] = len(pulses)
        state["pulses"][: len(pulses)], state["pulses"][len(pulses) :] = pulses, 0
        return out
