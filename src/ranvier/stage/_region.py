"""Region: neighbouring stages in one compiled loop, as the part of a plan that is called with a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ranvier import kernels
from ranvier.errors import StateError
from ranvier.stage._block_stage import LevelStage
from ranvier.stage._loop_stage import ChannelStage, EndStage, GateStage
from ranvier.stage._stage import SIGNAL, Stage
from ranvier.stage._state import State
from ranvier.stream import EVENT, Array, Block, Events, StreamInfo, concatenate, merge_events

PIECE = 512  # samples of a gap that are put in at a time


@dataclass(frozen=True, eq=False)
class End:
    """Where a region ends.

    Parameters
    ----------
    work
        What the kernel does there.
    stages, infos, states
        Whose doing it is: none for the signal itself, one, or a stage and the next.
    """

    work: Any
    stages: tuple[Stage, ...] = ()
    infos: tuple[Any, ...] = ()
    states: tuple[State, ...] = ()

    @property
    def memory(self) -> dict[str, Array] | None:
        """Arrays that the kernel works on."""
        if not self.states:
            return None
        own = dict(self.states[0].children["stage"].arrays)
        return own | self.states[1].arrays if len(self.states) > 1 else own

    @property
    def hop(self) -> tuple[int, int]:
        """Samples of a hop and hops of a window; 0, 0 where no rows come out."""
        if isinstance(self.work, kernels.Tally):
            return self.work.hop, self.work.hops
        return (self.work.bin, 1) if isinstance(self.work, kernels.Crossings) and self.work.bin else (0, 0)


@dataclass(frozen=True, eq=False)
class Outlet:
    """One of the things that come out: ends `first` to before `last`, whose rows lie side by side, as `dtype`."""

    first: int
    last: int
    dtype: Any = None


class Region:
    """A compiled loop; each stage keeps its own state.

    Parameters
    ----------
    stages, infos, states
        The spine: what happens to the signal, in order.
    ends
        Where it goes.
    outlets
        What is made of the ends.
    more
        Counters of stages that only need to know which index comes next.
    """

    inputs = (SIGNAL,)

    def __init__(
        self,
        stages: Sequence[Stage],
        infos: Sequence[StreamInfo],
        states: Sequence[State],
        ends: Sequence[End],
        outlets: Sequence[Outlet],
        more: Sequence[State] = (),
    ) -> None:
        self.stages, self.ends, self.outlets = tuple(stages), tuple(ends), tuple(outlets)
        self.states = (*states, *[e.states[0] for e in ends if e.states], *more)
        self._told = [e.states[1] for e in ends if len(e.states) > 1]  # they hear only what the loop tells them
        first = infos[0] if stages else ends[0].infos[0]
        gate = next((s for s in stages if isinstance(s, GateStage)), None)
        self._longest = gate.longest(first) if gate is not None else 0
        last = ends[0].infos[0] if not stages else stages[-1].describe(infos[-1])
        n, columns, column = first.n_channels, [], 0
        for e in ends:
            columns.append(column)
            column += n if e.hop[0] else 0
        self._columns = columns
        result = np.dtype(np.float64 if last.dtype == np.float64 else np.float32)
        self._source = first.dtype if first.dtype in kernels.KINDS else result
        self._converts = self._source != first.dtype
        program = kernels.Program(
            [_element(s, i) for s, i in zip(stages, infos, strict=True)],
            [(len(stages) - 1, e.work) for e in ends],
            columns, n, kernels.KINDS[self._source], kernels.KINDS[result], outlets[0].last > 1,
        )  # fmt: skip
        arrays = [None if isinstance(s, LevelStage) else z.children["stage"].arrays
                  for s, z in zip(stages, states, strict=True)]  # fmt: skip
        follow = [s.arrays["next"] for s in self.states]
        self.loop = kernels.Loop(program, arrays, [e.memory for e in ends], follow)
        self._next = follow[0]
        self._most = kernels.EVENT_ROOM if self.loop.events is not None else 0
        self._single = len(self.outlets) == 1
        self._n = n
        self._itemsize = self._source.itemsize
        self._hops = [e.hop[0] for e in ends]
        self._empty = [
            np.empty((0, (o.last - o.first) * n), result if o.dtype is None else o.dtype) for o in self.outlets
        ]

    def __call__(self, block: Block) -> Any:
        """Run a block; one chunk for one outlet, a tuple for several, in lent memory."""
        n = len(block.data)
        if n and not (self._most and n > self._most):
            found = self._loop(block)
            if found is not None:
                return self._give(0, found, block) if self._single else self._all(found, block)
        out = self._pieces(block)
        return out[0] if self._single else out

    def _loop(self, block: Block) -> list[int] | None:
        data, mask = block.data, block.valid
        if self._converts:
            with np.errstate(all="ignore"):  # what is too large for the type becomes infinite, which is marked
                data = data.astype(self._source, order="C")
        elif data.strides[1] != self._itemsize and self._n > 1:
            data = np.ascontiguousarray(data)
        row, cell = mask.strides
        if cell != 1 and (row or cell or not mask[0, 0]):
            mask = np.ascontiguousarray(mask)
        return self.loop(data, mask, block.start)

    def _all(self, found: list[int], block: Block) -> tuple[Any, ...]:
        return tuple(self._give(i, found, block) for i in range(len(self.outlets)))

    def _give(self, i: int, found: list[int], block: Block) -> Block | Events:
        outlet = self.outlets[i]
        j = outlet.first
        if self._hops[j]:
            first, n = found[2 * j], found[2 * j + 1]
            return self._rows(outlet, first, n, found[-2]) if n else Block(self._empty[i], first)
        if self.loop.events is not None and not isinstance(self.ends[j].work, kernels.Store):
            return Events(block.start, block.stop, self.loop.events[: found[-1]].view(EVENT)[:, 0])
        made, n = self.loop.signals[j], len(block.data)
        return Block(made.data[:n], block.start, made.valid[:n] if found[-3] else None, block.at)

    def _rows(self, outlet: Outlet, first: int, n: int, bad: int) -> Block:
        rows = self.loop.rows
        data, valid = rows.data[:n], rows.valid[:n] if bad else None  # type: ignore[union-attr]
        if outlet.first > 0 or outlet.last < len(self.ends):
            columns = slice(self._columns[outlet.first], self._columns[outlet.last - 1] + self._n)
            data, valid = np.ascontiguousarray(data[:, columns]), None if valid is None else valid[:, columns]
        if outlet.dtype is not None and outlet.dtype != data.dtype:
            data = data.astype(outlet.dtype)
        return Block(data, first, valid)

    def _nothing(self, start: int) -> tuple[Any, ...]:
        """Return what comes out when nothing goes in."""
        out: list[Any] = []
        for outlet in self.outlets:
            end = self.ends[outlet.first]
            hop, hops = end.hop
            if hop:
                heard = [(e.memory or {})["heard"] for e in self.ends[outlet.first : outlet.last]]
                begin = max(int(h[0]) if h[1] == start else start for h in heard)
                first = max(-(-begin // hop), (start - hop * hops) // hop + 1)
                out.append(Block(self._empty[len(out)], first))
            elif isinstance(end.work, kernels.Store):
                out.append(Block(self.loop.signals[outlet.first].data[:0], start))
            else:
                out.append(Events(start, start))
        return tuple(out)

    def _pieces(self, block: Block) -> tuple[Any, ...]:
        """Run what one call of the loop cannot: nothing, a jump of the index, a gap, many samples with events."""
        following = int(self._next[0])
        if not block.n:
            return self._nothing(following if self._longest and following >= 0 else block.start)
        parts = [block]
        if following >= 0 and block.start != following:
            missing = block.start - following
            if 0 < missing <= self._longest:
                parts = [*_missing(following, block), block]
            else:
                self._forget(block.start)
        else:
            self._forget(block.start)
        most = self._most or max(p.n for p in parts)
        parts = [p.cut(a, min(a + most, p.n)) for p in parts for a in range(0, p.n, most)]
        outs = []
        for part in parts:
            found = self._loop(part)
            if found is None:
                self._forget(part.start)
                found = self._loop(part)
            outs.append([x if len(parts) == 1 else x.copy() for x in self._all(found or [], part)])
        if len(outs) == 1:
            return tuple(outs[0])
        return tuple(_join(list(xs)) for xs in zip(*outs, strict=True))

    def _forget(self, start: int) -> None:
        """Begin afresh what expected another index."""
        if any(s.arrays["next"][0] not in (-1, start) for s in self.states):
            for state in self._told:
                state.reset()
        for state in self.states:
            if state.arrays["next"][0] not in (-1, start):
                state.reset()


def _missing(start: int, block: Block) -> list[Block]:
    """Return blocks without anything valid for a gap of the index."""
    row = np.zeros((1, *block.data.shape[1:]), block.data.dtype)
    out = []
    for a in range(start, block.start, PIECE):
        n = min(PIECE, block.start - a)
        data = np.broadcast_to(row, (n, *block.data.shape[1:]))
        out.append(Block(data, a, np.zeros(data.shape, bool)))
    return out


def _join(chunks: list[Any]) -> Any:
    return concatenate(chunks) if isinstance(chunks[0], Block) else merge_events(chunks)


def _element(stage: Stage, info: StreamInfo) -> Any:
    if isinstance(stage, ChannelStage):
        return stage.work(info)
    if isinstance(stage, GateStage):
        return stage.gate(info)
    return stage.level(info) if isinstance(stage, LevelStage) else None


def region_of(stages: Sequence[Stage], infos: Sequence[Any], states: Sequence[State]) -> Region:
    """Return the region of stages in a row: what comes out of the last is what comes out.

    An `EndStage` may be the last, or the last but one where the two of them are done in one.
    """
    at = next((i for i, s in enumerate(stages) if isinstance(s, EndStage)), len(stages))
    if at == len(stages):
        return Region(stages, infos, states, [End(kernels.Store())], [Outlet(0, 1)])
    end = end_of(stages[at:], infos[at:], states[at:])
    return Region(stages[:at], infos[:at], states[:at], [end], [outlet_of(end, 0)])


def outlet_of(end: End, place: int) -> Outlet:
    """Return the outlet of one end alone."""
    dtype = end.stages[-1].describe(end.infos[-1]).dtype if end.hop[0] else None
    return Outlet(place, place + 1, dtype)


def end_of(stages: Sequence[Stage], infos: Sequence[Any], states: Sequence[State]) -> End:
    """Return the end that one stage makes, or two of them."""
    head = stages[0]
    if not isinstance(head, EndStage):
        raise StateError(f"A loop needs an EndStage where it ends; got {type(head).__name__}.")
    work = head.end(infos[0])
    if len(stages) > 1:
        work = head.with_next(infos[0], stages[1], infos[1]) or work
    return End(work, tuple(stages), tuple(infos), tuple(states))
