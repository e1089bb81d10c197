"""Run: the only owner of states; push chunks in, get chunks out, save, restore, swap."""

from __future__ import annotations

import hashlib
from bisect import insort
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np

from ranvier import kernels
from ranvier.errors import ContractError, StateError
from ranvier.stage._align import Align
from ranvier.stage._chain import Chain
from ranvier.stage._compose import check_ports
from ranvier.stage._explain import cost, explain
from ranvier.stage._graph import Graph, Node
from ranvier.stage._learner import Learner
from ranvier.stage._meter import Make, meter
from ranvier.stage._parallel import Parallel
from ranvier.stage._stage import Stage, as_tuple
from ranvier.stage._state import State
from ranvier.stream import Array, Block, Control, Events, Info, StreamInfo, concatenate, merge_events


class Run:
    """A stage in motion on given streams.

    Everything is designed, allocated and compiled here; `push` and `step` only compute.

    Parameters
    ----------
    stage
        A stage, chain, parallel or graph. A recipe that was not fitted cannot be started.
    *infos
        What flows into each of its ports.
    cores
        How many threads may share the channels of a compiled loop, this one included; fewer where they would not
        pay. The results are the same to the bit.

    Attributes
    ----------
    info
        What comes out (a tuple for several ports).
    controls
        What was applied so far, in order: what a recording must hold besides the samples.
    """

    def __init__(self, stage: Stage, *infos: Info, cores: int = 1) -> None:
        if not isinstance(stage, Stage):
            raise ContractError(
                f"Run needs a fitted stage; got {type(stage).__name__}, which was never fitted. Call its fit first."
            )
        self.stage = stage
        self.infos = infos
        self.info: Any = stage.describe(*infos)
        self.controls: list[Control] = []
        self._waiting: list[_Waiting] = []
        self._meter: Make | None = None
        if not isinstance(cores, int | np.integer) or cores < 1:
            raise ContractError(f"Run needs whole cores >= 1; got {cores!r}. Take 1, or as many as may be kept busy.")
        self.cores = cores
        with kernels.cores(cores):
            self._state: State = stage.init(*infos)
        first = infos[0] if len(infos) == 1 else None
        plain = isinstance(first, StreamInfo) and first.is_signal and len(stage.inputs) == 1
        self._one = (first.dtype, first.n_channels) if plain and isinstance(first, StreamInfo) else None

    def push(self, *chunks: Any) -> Any:
        """Feed one chunk a port and return what comes out, in memory of its own."""
        outs = [tuple(x.copy() for x in as_tuple(self._process(part))) for part in self._parts(chunks)]
        joined = outs[0] if len(outs) == 1 else tuple(_join(list(xs)) for xs in zip(*outs, strict=True))
        return joined if len(joined) > 1 else joined[0]

    def step(self, *chunks: Any) -> Any:
        """Feed one chunk a port and return what comes out in lent memory, to be used before the next call."""
        if self._one is not None and len(chunks) == 1 and not self._waiting:
            block, (dtype, channels) = chunks[0], self._one
            if type(block) is Block:
                data = block.data
                if data.dtype is dtype and data.ndim == 2 and data.shape[1] == channels and data.flags.aligned:
                    return self.stage.process(self._state, block)
        parts = self._parts(chunks)
        return self._process(parts[0]) if len(parts) == 1 else self.push(*chunks)

    def _process(self, part: tuple[tuple[_Waiting, ...], tuple[Any, ...]]) -> Any:
        due, chunks = part
        with kernels.cores(self.cores) if due else nullcontext():
            for control, stage in due:
                self._apply(control, stage)
        return self.stage.process(self._state, *chunks)

    def _parts(self, chunks: tuple[Any, ...]) -> list[tuple[tuple[_Waiting, ...], tuple[Any, ...]]]:
        """Cut the chunks where Controls fall due, after refusing what was not described."""
        check_ports("Run", self.stage.inputs, chunks)
        for chunk, info in zip(chunks, self.infos, strict=True):
            if not isinstance(chunk, Block | Events):
                raise ContractError(
                    f"Run needs a Block or Events from {info.name!r}; got {type(chunk).__name__}. "
                    "Put samples into a Block with the index of the first: Block(samples, start)."
                )
            if isinstance(chunk, Block) and isinstance(info, StreamInfo):
                data = chunk.data
                if data.dtype == info.dtype and not data.flags.aligned:
                    raise ContractError(
                        f"Run needs samples that lie in memory at multiples of their size; got {data.dtype} "
                        f"{data.shape} from {info.name!r} that do not. Copy them: np.array(samples)."
                    )
                if data.dtype != info.dtype or data.shape[1:] != info.shape:
                    raise ContractError(
                        f"Run needs blocks of {info.dtype} (n, {', '.join(map(str, info.shape))}) from {info.name!r}, "
                        f"as described; got {data.dtype} {data.shape}. Convert them, or describe the stream as it is."
                    )
        if not self._waiting:
            return [((), chunks)]
        first = chunks[0]
        parts = []
        due: tuple[_Waiting, ...] = ()
        while self._waiting and self._waiting[0][0].at_sample < first.stop:
            control, stage = self._waiting.pop(0)
            at = max(control.at_sample, first.start)
            if at > first.start:
                places = [self._place(port, chunk, at) for port, chunk in enumerate(chunks)]
                parts.append((due, tuple(_cut(c, c.start, p) for c, p in zip(chunks, places, strict=True))))
                chunks = tuple(_cut(c, p, c.stop) for c, p in zip(chunks, places, strict=True))
                first, due = chunks[0], ()
            due += ((replace(control, at_sample=at), stage),)
        return [*parts, (due, chunks)]

    def _place(self, port: int, chunk: Any, at: int) -> int:
        """Return where a chunk is cut for sample `at` of the first port, by the ratio of their rates."""
        ratio = self.infos[port].rate / self.infos[0].rate if self.infos[0].rate else 1
        place: int = min(max(ceil(at * ratio), chunk.start), chunk.stop)
        return place

    def control(self, control: Control) -> None:
        """Let a Control take effect at its sample of the first port, or at the next chunk if that has passed.

        `controls` holds it with the sample at which it took effect. An `Align` keeps timeouts and
        resumes with the samples that they concern, so they are handed to it at once.
        """
        if control.kind in ("timeout", "resume"):
            self._apply(control, None)
        else:
            self._wait(control, None)

    def _wait(self, control: Control, stage: Stage | None) -> None:
        insort(self._waiting, (control, stage), key=lambda w: w[0].at_sample)

    def swap(self, node: str, stage: Stage, at: int) -> None:
        """Replace the stage of a node from source sample `at` on; it must put out the very same stream.

        Parameters
        ----------
        node
            Place in a chain (``"2"``), name in a graph, path through nested ones (``"front/2"``); empty
            for the whole stage.
        """
        control = Control(at_sample=at, kind="swap", node=node, payload={"stage": stage.id})
        _replace(self.stage, node.split("/") if node else [], stage, self.infos)  # refuses what does not fit
        rehearsal = Run(self.stage, *self.infos, cores=self.cores)  # compiles what the swap will need
        swaps = [w for w in self._waiting if w[1] is not None]
        insort(swaps, (control, stage), key=lambda w: w[0].at_sample)
        with kernels.cores(self.cores):
            for due, new in swaps:
                rehearsal._apply(due, new)
        self._wait(control, stage)

    def _apply(self, control: Control, new: Stage | None) -> None:
        path = control.node.split("/") if control.node else []
        if new is not None:
            self.stage, given = _replace(self.stage, path, new, self.infos)
            fresh = new.init(*given)
            if path:
                self._find(path[:-1])[1].children[path[-1]] = fresh
            else:
                self._state = fresh
            speaks = any(p.kind == "events" for p in new.outputs)
            for depth in range(len(path) - 1, -1, -1):
                parent, state = self._find(path[:depth])
                if isinstance(parent, Chain):  # its plan holds the stages of before, however deep the new one lies
                    heard = state.children.get(str(int(path[depth]) + 1))
                    if speaks and heard is not None:  # what the events of before said holds no longer
                        heard.reset()
                        speaks = False
                    parent.bind(state, *_replace(self.stage, path[:depth], parent, self.infos)[1])
        else:
            stage, state = self._find(path)
            if control.kind == "learn" and isinstance(stage, Learner):
                stage.learn(state, control.payload)
            elif control.kind in ("timeout", "resume") and isinstance(stage, Align):
                control = stage.control(state, control)
            else:
                raise StateError(
                    f"Run needs a node that takes {control.kind!r}; got {type(stage).__name__} at {control.node!r}. "
                    "Send learn to a Learner, timeout and resume to an Align."
                )
        self.controls.append(control)
        if self._meter is not None:
            meter(self.stage, self._state, self._meter)

    def _find(self, path: list[str]) -> tuple[Stage, State]:
        stage, state = self.stage, self._state
        for name in path:
            if name not in _children(stage):
                known = ", ".join(_children(stage)) or "none"
                raise StateError(
                    f"Run has no node {name!r} in {type(stage).__name__}; known are {known}. Mend the path."
                )
            stage, state = _children(stage)[name], state.children[name]
        return stage, state

    def save(self) -> dict[str, Array]:
        """Return everything that the run remembers, as copies of plain arrays under flat names.

        ``stage.id`` holds the id of the present stage (after a swap, the new one) and a hash of its streams.
        A swap or learning that still waits for its sample is no array: StateError.
        """
        if self._waiting:
            control = self._waiting[0][0]
            raise StateError(
                f"save needs a run in which no Control waits; got {len(self._waiting)}, the first a {control.kind!r} "
                f"for sample {control.at_sample}. Save after it was applied, or send it after restore."
            )
        return {_ID: _letters(self.stage, self.infos)} | {name: a.copy() for name, a in self._state.flat().items()}

    def restore(self, saved: Mapping[str, Array]) -> None:
        """Go on from what `save` returned, in a run of the same stage on the same streams; else StateError."""
        theirs = np.asarray(saved[_ID]) if _ID in saved else np.zeros(0, np.uint8)
        if not np.array_equal(theirs, _letters(self.stage, self.infos)):
            raise StateError(
                f"restore needs the state of {type(self.stage).__name__} {self.stage.id}; got that of "
                f"{''.join(chr(c) for c in theirs.ravel()[:16]) or 'an unnamed stage'}. "
                "Restore it in a run of the stage that saved it, with the same parameters, on the same streams."
            )
        self._state.load({name: a for name, a in saved.items() if name != _ID})

    def explain(self, block: int = 0) -> str:
        """Return what runs in one compiled loop, where loops were cut and why, a line a part.

        Parameters
        ----------
        block
            Samples of a block with which the time of a sample and channel is measured beside it; 0 for none.
        """
        lines = [str(line) for line in explain(self.stage, self._state)]
        ns = cost(self.stage, self.infos, block) if block else None
        return "\n".join([*lines, *([f"{ns:.3g} ns a sample and channel in blocks of {block}"] if ns else [])])

    def meter(self, make: Make) -> None:
        """Have each part of the plan tell how long it takes at every call.

        Parameters
        ----------
        make
            From the name of a part to what takes its times [ns].
        """
        self._meter = make
        meter(self.stage, self._state, make)

    @property
    def nbytes(self) -> int:
        """Size of the state [bytes]."""
        return self._state.nbytes


_ID = "stage.id"  # the dot keeps it apart from names in states and graphs
_Waiting = tuple[Control, Stage | None]  # a Control, and the stage that a swap brings


def _letters(stage: Stage, infos: tuple[Info, ...]) -> Array:
    """Return what a state belongs to: the stage's id, and a hash of the streams that it runs on."""
    streams = hashlib.sha256(repr(infos).encode()).hexdigest()[:16]
    return np.frombuffer((stage.id + streams).encode(), np.uint8).copy()


def _cut(chunk: Any, start: int, stop: int) -> Any:
    if isinstance(chunk, Block):
        return chunk.cut(start - chunk.start, stop - chunk.start)
    return chunk.cut(start, stop)


def _join(chunks: list[Any]) -> Any:
    full = [c for c in chunks if isinstance(c, Block) and c.n]
    for a, b in pairwise(full):
        if a.stop != b.start:
            raise StateError(
                f"push needs a result without a jump; got samples up to {a.stop} and from {b.start} on, where "
                "a Control cut the chunk. Push up to the Control's sample, then the rest."
            )
    return concatenate(chunks) if isinstance(chunks[0], Block) else merge_events(chunks)


def _children(stage: Stage) -> dict[str, Stage]:
    if isinstance(stage, Chain):
        return {str(i): s for i, s in enumerate(stage.stages)}
    if isinstance(stage, Parallel):
        return {str(i): s for i, s in enumerate(stage.branches)}
    if isinstance(stage, Graph):
        return {n.name: n.stage for n in stage.nodes}
    return {}


def _replace(stage: Stage, path: list[str], new: Stage, infos: tuple[Info, ...]) -> tuple[Stage, tuple[Info, ...]]:
    """Return the stage with the one at `path` replaced, and what flows into that one."""
    if not path:
        before, after = stage.describe(*infos), new.describe(*infos)
        if before != after:
            raise ContractError(
                f"swap needs a stage that puts out the same stream; got {after} instead of {before}. "
                "Streams stay constant while anything runs; start a new run for another stream."
            )
        return new, infos
    inside = _children(stage)
    if path[0] not in inside:
        raise ContractError(f"swap needs a node that exists; got {path[0]!r}, known are {', '.join(inside) or 'none'}.")
    if isinstance(stage, Chain):
        i = int(path[0])
        given = stage.infos(*infos)[i]
        inner, found = _replace(stage.stages[i], path[1:], new, given)
        return Chain((*stage.stages[:i], inner, *stage.stages[i + 1 :])), found
    if isinstance(stage, Graph):
        wires = stage.infos(*infos)
        node = next(n for n in stage.nodes if n.name == path[0])
        inner, found = _replace(node.stage, path[1:], new, tuple(wires[s] for s in node.inputs))
        nodes = tuple(Node(n.name, inner, n.inputs) if n is node else n for n in stage.nodes)
        return Graph(stage.ports, nodes, stage.results), found
    if not isinstance(stage, Parallel):
        raise ContractError(f"swap needs a chain, parallel or graph around the node; got {type(stage).__name__}.")
    i = int(path[0])
    named = {p.name: x for p, x in zip(stage.inputs, infos, strict=True)}
    inner, found = _replace(stage.branches[i], path[1:], new, tuple(named[p.name] for p in stage.branches[i].inputs))
    return Parallel((*stage.branches[:i], inner, *stage.branches[i + 1 :])), found
