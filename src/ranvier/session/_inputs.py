"""What went into the graph of a recorded session: raw samples as they were seen, Controls, events; fed in any cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np

from ranvier.errors import FormatError, StateError
from ranvier.session._compose import find_align, lateness
from ranvier.session._cues import events_of
from ranvier.session._loop import AHEAD
from ranvier.stage import Run, as_tuple
from ranvier.stream import Array, Block, Control, info_from_table

LAST = 2**62  # behind every sample


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of one port's samples; the graph begins anew with each `life`."""

    port: int
    samples: Array
    start: int
    life: int
    time: float  # of its end, by what was counted [s]


@dataclass(frozen=True, slots=True)
class Life:
    """From where on the graph was as if it had just begun: index of each port; and of the events, where it is known."""

    stops: tuple[int, ...]
    events: int | None = None


@dataclass
class Inputs:
    """The inputs of a recorded session, in the order of time; of all sessions, where it was resumed.

    Parameters
    ----------
    recording
        An opened `.rvr` recording.
    ports
        Names of its raw streams, in the order of the graph's ports.

    Attributes
    ----------
    lives
        Where the graph began anew, the beginning left out.
    controls
        What it was told besides samples, and in which life.
    unwatched
        Up to where the samples of sessions go whose end was not written: their last decisions may be missing.
    """

    recording: Any
    ports: list[str]
    lives: list[Life] = field(init=False, default_factory=list)
    controls: list[tuple[int, Control]] = field(init=False, default_factory=list)
    unwatched: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.raw = [self.recording.raw(name) for name in self.ports]
        self.infos = [r.info for r in self.raw]
        table = self.recording.head["session"].get("events")
        self.event_info: Any = None if table is None else info_from_table(table)
        self.events: Any = None if table is None else events_of(self.recording.log("event"))
        self.unseen: list[list[tuple[int, int]]] = [[] for _ in self.ports]
        end: tuple[int, ...] | None = None
        for note in self.recording.log():
            said = note.payload
            if note.kind == "control":
                self._take(said)
            elif note.kind == "text" and said.get("of") == "end":
                end = tuple(said["stops"])
            elif note.kind == "gap" and said.get("reason") == "session resumed" and "stops" in said:
                self._begin(tuple(said["stops"][name] for name in self.ports), end)
                end = None
        self._begin((LAST,) * len(self.ports), end)
        self.lives.pop()

    def _begin(self, stops: tuple[int, ...], end: tuple[int, ...] | None) -> None:
        """A session begins where another has ended."""
        if end is None:
            self.unwatched.append(stops[0])
        else:
            for port, (a, b) in enumerate(zip(end, stops, strict=True)):
                self.unseen[port].append((a, b))
        self.lives.append(Life(stops))

    def _take(self, said: Any) -> None:
        kind = said.get("kind")
        if kind in ("unseen", "restart"):
            self.unseen[int(said["port"])].append((int(said["from"]), int(said["to"])))
            if kind == "restart":
                self.lives.append(Life(tuple(said["stops"]), int(said["events"])))
        elif kind in ("timeout", "resume"):
            control = Control(at_sample=int(said["at_sample"]), kind=kind, node=said["node"], payload=said["payload"])
            self.controls.append((len(self.lives), control))
        else:
            raise StateError(
                f"A replay needs Controls that it knows; the recording has {kind!r}. Replay it with the version of "
                "Ranvier that made it."
            )

    @property
    def n_samples(self) -> int:
        """Of all ports."""
        return sum(b - a for r in self.raw for a, b in r.stretches)

    def turns(self, size: int | None, late: Sequence[float], ahead: float) -> Iterator[Turn]:
        """Yield the samples in blocks of at most `size`, those of several ports interleaved.

        Parameters
        ----------
        size
            Samples; None for as recorded.
        late
            Time of sample 0 of each port after that of the first [s].
        ahead
            How far others may run ahead of the first [s].
        """
        flows = [self._flow(port, size, late[port]) for port in range(len(self.ports))]
        heads = [next(f, None) for f in flows]
        reached = 0.0
        while there := [h for h in heads if h is not None]:
            turn, first = min(there, key=lambda h: (h.life, h.time)), heads[0]
            if first is not None and first.life == turn.life and turn.time > reached + ahead:
                turn = first
            if turn.port == 0:
                reached = turn.time
            yield turn
            heads[turn.port] = next(flows[turn.port], None)

    def _flow(self, port: int, size: int | None, late: float) -> Iterator[Turn]:
        rate = float(self.infos[port].rate)
        begins = [life.stops[port] for life in self.lives]
        for d in self.raw[port].blocks(size):
            pieces = [(d.start, d.start + len(d.samples))]
            for a, b in (*self.unseen[port], *((i, i) for i in begins)):
                pieces = [p for x, y in pieces for p in ((x, min(y, a)), (max(x, b), y)) if p[0] < p[1]]
            for x, y in pieces:
                yield Turn(port, d.samples[x - d.start : y - d.start], x, sum(i <= x for i in begins), y / rate + late)

    def through(self, run: Run, size: int | None, advance: Callable[[float], None]) -> list[Block]:
        """Let everything flow through a graph; return what came out first, in memory of its own."""
        fresh = run.save()
        controls, life, told = deque(self.controls), 0, 0
        out: list[Block] = []
        stops = [0] * len(self.ports)
        align = find_align(run.stage) if len(self.ports) > 1 else None
        late = lateness(align, [p.name for p in run.stage.inputs if p.kind == "signal"])
        for turn in self.turns(size, late, AHEAD * align[1].patience if align else inf):
            if turn.life != life:
                told = next((e.events for e in self.lives[life : turn.life] if e.events is not None), told)
                life = turn.life
                run.restore(fresh)
            block = Block(np.ascontiguousarray(turn.samples), turn.start)
            while controls and (controls[0][0] < life or (controls[0][0] == life and self._near(controls, turn))):
                at, control = controls.popleft()
                if at == life:
                    run.control(control)
            until = self.lives[life].events if life < len(self.lives) else None
            stop = told if turn.port else block.stop if until is None else min(block.stop, until)
            made = run.push(*self._chunks(run, turn.port, block, stops, told, max(stop, told)))
            stops[turn.port], told = block.stop, max(stop, told)
            first = as_tuple(made)[0]
            if not isinstance(first, Block):
                raise FormatError("A replay needs a graph that puts out decisions; this one puts out events.")
            if first.n:
                out.append(first)
            advance(block.n)
        return out

    @staticmethod
    def _near(controls: deque[tuple[int, Control]], turn: Turn) -> bool:
        """Say whether the sample of the next Control comes with this turn."""
        return turn.port == 0 and controls[0][1].at_sample < turn.start + len(turn.samples)

    def _chunks(self, run: Run, port: int, block: Block, stops: list[int], told: int, heard: int) -> list[Any]:
        """Return what goes into every port of a graph with a block of one of them."""
        signals = [Block(np.zeros((0, *i.shape), i.dtype), s) for i, s in zip(self.infos, stops, strict=True)]
        signals[port] = block
        flow = iter(signals)
        return [next(flow) if p.kind == "signal" else self.events.cut(told, heard) for p in run.stage.inputs]
