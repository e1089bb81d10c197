"""Parallel: stages side by side, ``a & b``, their outputs joined channel by channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, final

import numpy as np

from ranvier.errors import ContractError, StateError
from ranvier.stage._compose import combine_tags, describe_infos, union_ports, wire
from ranvier.stage._stage import Port, Stage, Tags
from ranvier.stage._state import State, counter
from ranvier.stream import Block, Channels, Info, Origin, StreamInfo, is_all_valid

_EVENT_ROOM = 64  # event-locked samples that a branch may be ahead of another


@final
@dataclass(frozen=True, eq=False)
class Parallel(Stage):
    """Branches that see the same input; made by ``a & b``, which flattens.

    Outputs are joined along the last axis, aligned to whole samples: a branch with less delay is held
    back until the slowest one speaks of the same instant. What remains below one sample is `residue`.

    Parameters
    ----------
    branches
        Stages with one signal output each, of the same rate and shape but for the last axis.
    """

    branches: tuple[Stage, ...]

    @cached_property
    def inputs(self) -> tuple[Port, ...]:  # type: ignore[override]
        return union_ports(self.branches[0].inputs, (b.inputs for b in self.branches[1:]))

    @cached_property
    def tags(self) -> Tags:  # type: ignore[override]
        return replace(combine_tags(self.branches), permutable=False)

    def _outs(self, *infos: Info) -> list[StreamInfo]:
        named = describe_infos(self, infos)
        outs: list[StreamInfo] = []
        for branch in self.branches:
            out = branch.describe(*wire(branch.inputs, named))
            if not isinstance(out, StreamInfo):
                raise ContractError(f"Parallel needs one signal from every branch; got {out!r}. End it with a signal.")
            outs.append(out)
        a = outs[0]
        for b in outs[1:]:
            if (a.rate, a.shape[:-1]) != (b.rate, b.shape[:-1]):
                raise ContractError(
                    f"Parallel needs branches of one rate and shape; got {float(a.rate):g} Hz {a.shape} and "
                    f"{float(b.rate):g} Hz {b.shape}. Give them the same hop, or resample."
                )
        return outs

    @staticmethod
    def _lags(outs: list[StreamInfo]) -> list[Fraction]:
        """Return how many samples each branch is held back, before rounding."""
        if not outs[0].rate:
            return [Fraction(0)] * len(outs)
        heard = [o.origin.offset - o.delay * o.origin.rate for o in outs]
        return [(h - min(heard)) / o.origin.step for h, o in zip(heard, outs, strict=True)]

    def residue(self, *infos: Info) -> tuple[Fraction, ...]:
        """Return by how much each branch is still too early after alignment [s]."""
        outs = self._outs(*infos)
        return tuple(
            (lag - lag // 1) / o.rate if o.rate else Fraction(0) for lag, o in zip(self._lags(outs), outs, strict=True)
        )

    def describe(self, *infos: Info) -> StreamInfo:
        outs = self._outs(*infos)
        lags = [int(lag // 1) for lag in self._lags(outs)]
        first = outs[0]
        origin = first.origin
        newest = [o.origin.offset - lag * o.origin.step for lag, o in zip(lags, outs, strict=True)]
        offset = max(newest)
        held = [int(-((n - offset) // 1)) for n in newest]
        heard = [n - o.delay * origin.rate for n, o in zip(newest, outs, strict=True)]
        older = [min(h, int(max(heard) - t)) for h, t in zip(held, heard, strict=True)]  # delay is not window
        return first.but(
            channels=_join_channels(outs),
            shape=(*first.shape[:-1], sum(o.shape[-1] for o in outs)),
            dtype=np.result_type(*[o.dtype for o in outs]),
            origin=Origin(
                source=origin.source, rate=origin.rate, step=origin.step, offset=offset,
                span=max(o.origin.span + h for o, h in zip(outs, older, strict=True)),
            ),
            support=max(o.support + h for o, h in zip(outs, held, strict=True)),
            settle=max(o.settle + h for o, h in zip(outs, held, strict=True)),
            delay=max(o.delay + lag / o.rate if o.rate else o.delay for o, lag in zip(outs, lags, strict=True)),
        )  # fmt: skip

    def allocate(self, *infos: Info) -> State:
        outs = self._outs(*infos)
        named = describe_infos(self, infos)
        lags = [int(lag // 1) for lag in self._lags(outs)]
        if outs[0].rate:
            ahead = [lag - o.origin.offset / o.origin.step for lag, o in zip(lags, outs, strict=True)]
            room = int(max(ahead) - min(ahead)) + max(lags) + 3
        else:
            room = _EVENT_ROOM
        arrays: dict[str, Any] = {"next": counter(-1)}
        children = {}
        for i, (branch, out) in enumerate(zip(self.branches, outs, strict=True)):
            children[str(i)] = branch.allocate(*wire(branch.inputs, named))
            arrays |= {
                f"data{i}": np.zeros((room, *out.shape), out.dtype),
                f"valid{i}": np.zeros((room, *out.shape), bool),
                f"at{i}": np.zeros(room, np.int64),
            }
        arrays |= {"held": np.zeros(len(outs), np.int64), "start": np.full(len(outs), -1, np.int64)}
        place = {p.name: i for i, p in enumerate(self.inputs)}
        wires = [tuple(place[p.name] for p in b.inputs) for b in self.branches]
        design = (lags, np.result_type(*[o.dtype for o in outs]), wires)
        return State(design, children, **arrays)

    def bind(self, state: State, *infos: Info) -> None:
        named = describe_infos(self, infos)
        for branch, child in zip(self.branches, state.children.values(), strict=True):
            if child.design is None or isinstance(branch, Parallel):
                branch.bind(child, *wire(branch.inputs, named))

    def init(self, *infos: Info) -> State:
        state = self.allocate(*infos)
        self.bind(state, *infos)
        return state

    def process(self, state: State, *chunks: Any) -> Block:
        wires = state.design[2]
        first = next((c for c in chunks if isinstance(c, Block)), None)
        if first is not None and first.n:
            if state["next"][0] not in (-1, first.start):
                state.reset()
            state["next"][0] = first.stop
        parts: list[Block] = [
            branch.process(child, *[chunks[i] for i in wire])
            for branch, child, wire in zip(self.branches, state.children.values(), wires, strict=True)
        ]
        return self.join(state, parts)

    def join(self, state: State, parts: list[Block]) -> Block:
        """Return what the branches say about the same instants, side by side."""
        lags, dtype, _ = state.design
        a, lag = parts[0], lags[0]
        level = all(p.start + g == a.start + lag and p.n == a.n for p, g in zip(parts, lags, strict=True))
        if not level or state["held"].any():
            start, parts = self._align(state, parts, lags)
        else:
            start = a.start + lag
        data = np.concatenate([t.data for t in parts], axis=-1, dtype=dtype)
        valid = None
        if not all(is_all_valid(t.valid) for t in parts):
            valid = np.concatenate([t.valid for t in parts], axis=-1)
        ats = [t.at for t in parts if t.at is not None]
        return Block(data, start, valid, np.maximum.reduce(ats) if ats else None)

    def is_level(self, *infos: Info) -> bool:
        """Say whether no branch is held back, so that rows that come at once are what comes out."""
        return not any(lag // 1 for lag in self._lags(self._outs(*infos)))

    def chain_of(self, i: int, state: State, info: Info) -> tuple[list[Stage], list[tuple[Info, ...]], list[State]]:
        """Return the stages of a branch, what flows into each, and what they remember."""
        from ranvier.stage._chain import Chain

        branch, kept = self.branches[i], state.children[str(i)]
        if isinstance(branch, Chain):
            return list(branch.stages), branch.infos(info)[:-1], list(kept.children.values())
        return [branch], [(info,)], [kept]

    def _align(self, state: State, new: list[Block], lags: list[int]) -> tuple[int, list[Block]]:
        """Return what all branches can say about the same instants, and keep the rest."""
        parts = [self._pending(state, i, p) for i, p in enumerate(new)]
        start = max(p.start + lag for p, lag in zip(parts, lags, strict=True))
        stop = max(start, min(p.stop + lag for p, lag in zip(parts, lags, strict=True)))
        taken = [p.cut(start - lag - p.start, stop - lag - p.start) if stop > start else p.cut(0, 0)
                 for p, lag in zip(parts, lags, strict=True)]  # fmt: skip
        for i, (p, lag) in enumerate(zip(parts, lags, strict=True)):
            self._keep(state, i, p.cut(min(max(stop - lag - p.start, 0), p.n), p.n))
        return start, taken

    @staticmethod
    def _pending(state: State, i: int, new: Block) -> Block:
        """Return what a branch had left over, followed by what it says now."""
        held = int(state["held"][i])
        if not held:
            return new
        old = Block(state[f"data{i}"][:held], int(state["start"][i]), state[f"valid{i}"][:held])
        at = None if new.at is None else np.concatenate([state[f"at{i}"][:held], new.at])
        data, valid = np.concatenate([old.data, new.data]), np.concatenate([old.valid, new.valid])
        return Block(data, old.start, valid, at)

    @staticmethod
    def _keep(state: State, i: int, rest: Block) -> None:
        room = len(state[f"at{i}"])
        if rest.n > room:
            raise StateError(
                f"Parallel needs branches at most {room} samples ahead of each other; got branch {i} {rest.n} ahead. "
                "Give them windows that end at like times, or the others fewer events."
            )
        state["held"][i] = rest.n
        state["start"][i] = rest.start if rest.n else -1
        for name, a in (("data", rest.data), ("valid", rest.valid), ("at", rest.at)):
            if a is not None:
                state[f"{name}{i}"][: rest.n] = a
                state[f"{name}{i}"][rest.n :] = 0


def _join_channels(outs: list[StreamInfo]) -> Channels:
    """Join channels; names that occur in several branches get the branch's number."""
    names = [n for o in outs for n in o.channels.names]
    twice = len(set(names)) < len(names)
    joined: Channels | None = None
    for i, o in enumerate(outs, start=1):
        c = o.channels
        if twice:
            c = Channels.of([f"{n}.{i}" for n in c.names], c.kinds, c.units, c.positions, c.groups)
        joined = c if joined is None else joined + c
    if joined is None:
        raise ContractError("Parallel needs at least one branch; got none. Write a & b.")
    return joined


def parallel(*branches: Stage) -> Parallel:
    """Put stages side by side, flattening."""
    flat: list[Stage] = []
    for b in branches:
        flat += b.branches if isinstance(b, Parallel) else (b,)
    return Parallel(tuple(flat))
