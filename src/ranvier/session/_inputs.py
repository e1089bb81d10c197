"""What went into the graph of a recorded session: raw samples as they were seen, Controls, events; fed in any cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ranvier.errors import FormatError, StateError
from ranvier.session._cues import events_of
from ranvier.stage import Run, as_tuple
from ranvier.stream import Array, Block, Control, info_from_table


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of one port's samples; `fresh` where the graph had to begin anew before it."""

    port: int
    samples: Array
    start: int
    fresh: bool = False


@dataclass
class Inputs:
    """The inputs of a recorded session, in the order of time.

    Parameters
    ----------
    recording
        An opened `.rvr` recording.
    ports
        Names of its raw streams, in the order of the graph's ports.
    """

    recording: Any
    ports: list[str]
    stops: list[int] = field(init=False)
    controls: list[Control] = field(init=False)

    def __post_init__(self) -> None:
        self.raw = [self.recording.raw(name) for name in self.ports]
        self.infos = [r.info for r in self.raw]
        ends = [n for n in self.recording.log("text") if n.payload.get("of") == "end"]
        self.stops = [2**62] * len(self.ports) if not ends else list(ends[-1].payload["stops"])
        self.ended = bool(ends)
        table = self.recording.head["session"].get("events")
        self.event_info: Any = None if table is None else info_from_table(table)
        self.events: Any = None if table is None else events_of(self.recording.log("event"))
        self.unseen: list[list[tuple[int, int, bool]]] = [[] for _ in self.ports]
        self.controls = []
        for note in self.recording.log("control"):
            self._take(note.payload)

    def _take(self, said: Any) -> None:
        kind = said.get("kind")
        if kind in ("unseen", "restart"):
            self.unseen[int(said["port"])].append((int(said["from"]), int(said["to"]), kind == "restart"))
        elif kind in ("timeout", "resume"):
            self.controls.append(
                Control(at_sample=int(said["at_sample"]), kind=kind, node=said["node"], payload=said["payload"])
            )
        else:
            raise StateError(
                f"A replay needs Controls that it knows; the recording has {kind!r}. Replay it with the version of "
                "Ranvier that made it."
            )

    @property
    def n_samples(self) -> int:
        """Of all ports, as far as the graph has seen them."""
        return sum(
            min(b, stop) - a for r, stop in zip(self.raw, self.stops, strict=True) for a, b in r.stretches if a < stop
        )

    def turns(self, size: int | None) -> Iterator[Turn]:
        """Yield the samples in blocks of at most `size`, those of several ports interleaved by time."""
        flows = [self._flow(port, size) for port in range(len(self.ports))]
        heads: list[Any] = [next(f, None) for f in flows]
        while any(h is not None for h in heads):
            port = min(
                (i for i, h in enumerate(heads) if h is not None),
                key=lambda i: (heads[i].start + len(heads[i].samples)) / float(self.infos[i].rate),
            )
            turn = heads[port]
            if turn is not None:
                yield turn
            heads[port] = next(flows[port], None)

    def _flow(self, port: int, size: int | None) -> Iterator[Turn]:
        holes, stop = self.unseen[port], self.stops[port]
        fresh = False
        for d in self.raw[port].blocks(size):
            pieces = [(d.start, min(d.start + len(d.samples), stop))]
            for a, b, anew in holes:
                pieces = [p for x, y in pieces for p in ((x, min(y, a)), (max(x, b), y)) if p[0] < p[1]]
                fresh |= anew and d.start <= a < d.start + len(d.samples)
            for x, y in [p for p in pieces if p[0] < p[1]]:
                yield Turn(port, d.samples[x - d.start : y - d.start], x, fresh)
                fresh = False

    def through(self, run: Run, size: int | None, advance: Callable[[float], None]) -> list[Block]:
        """Let everything flow through a graph; return what came out first, in memory of its own."""
        fresh = run.save()
        for control in self.controls:
            run.control(control)
        out: list[Block] = []
        stops = [0] * len(self.ports)
        for turn in self.turns(size):
            if turn.fresh:
                run.restore(fresh)
            block = Block(np.ascontiguousarray(turn.samples), turn.start)
            made = run.push(*self._chunks(run, turn.port, block, stops))
            stops[turn.port] = block.stop
            first = as_tuple(made)[0]
            if not isinstance(first, Block):
                raise FormatError("A replay needs a graph that puts out decisions; this one puts out events.")
            if first.n:
                out.append(first)
            advance(block.n)
        return out

    def _chunks(self, run: Run, port: int, block: Block, stops: list[int]) -> list[Any]:
        """Return what goes into every port of a graph with a block of one of them."""
        signals = [Block(np.zeros((0, *i.shape), i.dtype), s) for i, s in zip(self.infos, stops, strict=True)]
        signals[port] = block
        flow = iter(signals)
        first = signals[0]
        return [next(flow) if p.kind == "signal" else self.events.cut(stops[0], first.stop) for p in run.stage.inputs]
