"""Epoch: pieces of a signal around events."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, ClassVar, final

import numpy as np

from ranvier.errors import ContractError, StateError
from ranvier.features._grid import spread
from ranvier.stage import EVENTS, SIGNAL, Port, Scratch, Stage, State, Tags, counter, need_events, need_signal
from ranvier.stream import Array, Block, Events, Info, Origin, StreamInfo, all_valid, codes_of, is_all_valid

AHEAD = 4096  # events that may wait for their signal
PIECE = 1024  # samples that are taken in at a time
_NEVER = np.iinfo(np.int64).min


@final
@dataclass(frozen=True, eq=False)
class Epoch(Stage):
    """Cut a signal around events: one window an event.

    Parameters
    ----------
    tmin, tmax
        Begin and end of a window [s from the event]; both rounded to samples; tmin may be negative.
    on
        Labels of the events that count; ``*`` stands for anything.
    patience
        How much later than the signal at its instant an event may come [s]; it may come any time before.

    Notes
    -----
    *In*: signal ``(n,)``, and events counted in samples of the same source. *Out*: windows ``(length, n)``, rate
    0, in the order of the events, counted from 0; `at` is the newest source sample in each. Sample 0 of a window
    is the first sample of the signal at or after the event, tmin later. A window that meets a jump of the index,
    or whose event came too late, is left out and counted in the state (``dropped``). Validity stays with each
    number. Delays before it are not made up for: behind `ASR`, say, add its look-ahead to `tmin` and `tmax`, and to
    those of the trials. Delay: none added. Support and settle: a window more. Portable.

    Raises
    ------
    StateError
        When more than 4096 events wait for their signal.
    """

    tmin: float
    tmax: float
    on: tuple[str, ...] = ("*",)
    patience: float = 1.0

    inputs: ClassVar[tuple[Port, ...]] = (SIGNAL, EVENTS)
    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True, permutable=True)

    def describe(self, *infos: Info) -> StreamInfo:
        signal, events = infos
        info, marks = need_signal(self, signal), need_events(self, events)
        if not self.tmin < self.tmax:
            raise ContractError(f"Epoch needs tmin < tmax; got tmin={self.tmin:g} s, tmax={self.tmax:g} s. Swap them.")
        if not 0 <= self.patience <= 3600:
            raise ContractError(
                f"Epoch needs 0 <= patience <= 3600 s; got {self.patience:g} s. Take the longest delay of a marker."
            )
        mine, theirs = info.origin, marks.origin
        if (mine.source, mine.rate) != (theirs.source, theirs.rate):
            raise ContractError(
                f"Epoch needs events counted in samples of the signal's source, {mine.source!r} at "
                f"{float(mine.rate):g} Hz; got {theirs.source!r} at {float(theirs.rate):g} Hz. Count them so."
            )
        if not codes_of(marks, self.on):
            known = ", ".join(repr(v) for v in list(marks.labels.values())[:12]) or "none"
            raise ContractError(f"Epoch needs events labelled {self.on}; got labels {known}. Name labels that occur.")
        _, length = self._window(info)
        origin = Origin(
            source=mine.source, rate=mine.rate, step=Fraction(0), offset=Fraction(0),
            span=mine.span + ceil((length - 1) * mine.step),
        )  # fmt: skip
        return info.but(rate=Fraction(0), shape=(length, *info.shape), origin=origin, **spread(info, length))

    def _window(self, info: StreamInfo) -> tuple[int, int]:
        """Return where a window begins, from the event, and its length [samples]."""
        first = round(self.tmin * info.rate)
        length = round(self.tmax * info.rate) - first
        if length < 1:
            raise ContractError(
                f"Epoch needs a window of at least one sample, {1 / float(info.rate):g} s at {float(info.rate):g} Hz; "
                f"got tmin={self.tmin:g} s, tmax={self.tmax:g} s. Make it longer."
            )
        return first, length

    def init(self, *infos: Info) -> State:
        out = self.describe(*infos)
        info, marks = need_signal(self, infos[0]), need_events(self, infos[1])
        first, length = self._window(info)
        room = max(ceil(self.patience * info.rate) - first, length) + PIECE
        where = _Where(info.origin, marks.origin, first, np.array(codes_of(marks, self.on)))
        return State(
            (where, length, Scratch(out.shape, out.dtype, 4)),
            data=np.zeros((room, *info.shape), info.dtype),
            valid=np.ones((room, *info.shape), bool),
            index=np.full(room, _NEVER),
            seen=np.array([0, _NEVER, _NEVER]),  # samples heard, begin of this segment, index after the newest
            waiting=np.zeros(AHEAD, np.int64),
            waits=counter(),
            made=counter(),
            dropped=counter(),
        )

    def process(self, state: State, *chunks: Any) -> Block:
        block, events = chunks
        where, length, scratch = state.design
        seen = state["seen"]
        begins = deque(state["waiting"][: state["waits"][0]].tolist())
        begins.extend(where.begins(events))
        found = _complete(state, begins, length)
        if block.n and block.start != seen[2]:
            seen[1:] = block.start
            _leave_out(state, begins)
        for a in range(0, block.n, PIECE):
            _hear(state, block.cut(a, min(a + PIECE, block.n)))
            found += _complete(state, begins, length)
        _leave_out(state, begins)
        if len(begins) > AHEAD:
            raise StateError(
                f"Epoch needs the signal of an event before {AHEAD} later ones have come; got {len(begins)} events "
                "that wait. Send signal and events of the same stretch together."
            )
        state["waits"][0] = len(begins)
        state["waiting"][: len(begins)] = begins
        state["waiting"][len(begins) :] = 0
        data, valid = scratch.take(len(found))
        for i, (_, place) in enumerate(found):
            data[i], valid[i] = place
        at = np.array([where.newest(b + length - 1) for b, _ in found], np.int64)
        start = int(state["made"][0])
        state["made"][0] += len(found)
        return Block(data, start, all_valid(data.shape) if valid.all() else valid, at)


@dataclass(frozen=True)
class _Where:
    """From events to where their windows begin in the signal."""

    signal: Origin
    events: Origin
    first: int
    codes: Array

    def begins(self, events: Events) -> list[int]:
        mine = events.table["sample"][np.isin(events.table["code"], self.codes)].tolist()
        return [ceil((e * self.events.step + self.events.offset - self.signal.offset) / self.signal.step) + self.first
                for e in mine]  # fmt: skip

    def newest(self, sample: int) -> int:
        return self.signal.newest(sample)


def _hear(state: State, block: Block) -> None:
    """Write samples over the oldest ones of the ring."""
    seen = state["seen"]
    place = (seen[0] + np.arange(block.n)) % len(state["index"])
    clean = is_all_valid(block.valid)
    state["data"][place] = block.data if clean else np.where(block.valid, block.data, 0)
    state["valid"][place] = block.valid
    state["index"][place] = np.arange(block.start, block.stop)
    seen[0] += block.n
    seen[2] = block.stop


def _complete(state: State, begins: deque[int], length: int) -> list[tuple[int, tuple[Array, Array]]]:
    """Take the windows that end before the newest sample from the queue, and from the ring those that are there."""
    out = []
    while begins and begins[0] + length <= state["seen"][2]:
        begin = begins.popleft()
        wanted = np.arange(begin, begin + length)
        for place in np.flatnonzero(state["index"] == begin):
            places = (place + wanted - begin) % len(state["index"])
            if np.array_equal(state["index"][places], wanted):
                out.append((begin, (state["data"][places], state["valid"][places])))
                break
        else:
            state["dropped"][0] += 1
    return out


def _leave_out(state: State, begins: deque[int]) -> None:
    """Take from the queue the windows that begin before this segment: they meet a jump."""
    while begins and begins[0] < state["seen"][1]:
        begins.popleft()
        state["dropped"][0] += 1
