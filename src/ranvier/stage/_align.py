"""Align: join streams of different rates and sources sample by sample, without asking any clock."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import numpy as np

from ranvier.errors import ContractError, StateError
from ranvier.stage._compose import describe_infos
from ranvier.stage._stage import Port, Stage, Tags, need_signal
from ranvier.stage._state import State, counter
from ranvier.stream import Block, Channels, Control, Info, Origin, StreamInfo


@final
@dataclass(frozen=True, eq=False)
class Align(Stage):
    """Join signals: each sample of the first stream with the newest sample of the others that is not later.

    What comes out depends on the samples and on Controls alone: a stream that has fallen silent is
    waited for until a ``timeout`` Control says from which sample of the first stream on it counts as
    invalid.

    Parameters
    ----------
    names
        Port names, one a stream; the first sets rate and index.
    offsets
        Time of each stream's sample 0 after that of the first stream [s]; 0 for the first.
    patience
        How far one stream may run ahead of another [s].

    Notes
    -----
    *In*: signals ``(n_i,)``. *Out*: ``(sum n_i,)`` at the first stream's rate. Support 1 sample of the
    first stream, settle 0, exact.
    """

    names: tuple[str, ...] = ("first", "second")
    offsets: tuple[float, ...] = (0.0, 0.0)
    patience: float = 1.0

    tags = Tags(exactness="portable", linear=False, permutable=False)

    @property
    def inputs(self) -> tuple[Port, ...]:  # type: ignore[override]
        return tuple(Port(n, "signal") for n in self.names)

    def describe(self, *infos: Info) -> StreamInfo:
        named = describe_infos(self, infos)
        if len(self.names) < 2 or len(self.offsets) != len(self.names) or self.offsets[0] != 0:
            raise ContractError(
                f"Align needs two or more names and one offset each, the first 0 s; got names={self.names}, "
                f"offsets={self.offsets} s. Give offsets relative to the first stream."
            )
        if self.patience <= 0:
            raise ContractError(f"Align needs patience > 0 s; got {self.patience:g} s. Allow at least one block.")
        signals = [need_signal(self, i) for i in named.values()]
        first = signals[0]
        channels: Channels | None = None
        names = [n for s in signals for n in s.channels.names]
        for port, s in zip(self.names, signals, strict=True):
            c = s.channels
            if len(set(names)) < len(names):
                c = Channels.of([f"{port}.{n}" for n in c.names], c.kinds, c.units, c.positions, c.groups)
            channels = c if channels is None else channels + c
        if channels is None:
            raise ContractError("Align needs streams; got none.")
        return first.but(
            channels=channels,
            shape=(len(channels),),
            dtype=np.result_type(*[s.dtype for s in signals]),
            origin=Origin(source=first.name, rate=first.rate),
        )

    def init(self, *infos: Info) -> State:
        out = self.describe(*infos)
        arrays: dict[str, Any] = {"next": counter(-1), "silent": np.full(len(infos), -1, np.int64)}
        rates = [i.rate for i in infos]
        for i, info in enumerate(infos):
            room = int(info.rate * Fraction(self.patience).limit_denominator(10**6)) + 2
            shape = info.shape  # type: ignore[union-attr]
            dtype = info.dtype  # type: ignore[union-attr]
            arrays |= {
                f"data{i}": np.zeros((room, *shape), dtype),
                f"valid{i}": np.zeros((room, *shape), bool),
                f"held{i}": counter(),
                f"start{i}": counter(-1),
            }
        shifts = [Fraction(o).limit_denominator(10**9) for o in self.offsets]
        return State((out, rates, shifts), **arrays)

    def control(self, state: State, control: Control) -> None:
        """Apply a ``timeout`` (payload ``port``) or ``resume`` of one stream from a sample of the first on."""
        port = self.names.index(str(control.payload["port"]))
        state["silent"][port] = control.at_sample if control.kind == "timeout" else -1

    def process(self, state: State, *chunks: Any) -> Block:
        out, rates, shifts = state.design
        parts = [self._pending(state, i, c) for i, c in enumerate(chunks)]
        first = parts[0]
        stop = first.stop
        for i in range(1, len(parts)):
            silent = int(state["silent"][i])
            known = self._covered(parts[i].stop, rates[0], rates[i], shifts[i])
            stop = min(stop, known if silent < 0 or known > silent else first.stop)
        n = max(stop - first.start, 0)
        data = np.zeros((n, *out.shape), out.dtype)
        valid = np.zeros((n, *out.shape), bool)
        place = 0
        index = np.arange(first.start, first.start + n)
        for i, p in enumerate(parts):
            width = p.data.shape[1]
            at = index if i == 0 else self._matching(index, rates[0], rates[i], shifts[i])
            at = at - p.start
            there = (at >= 0) & (at < p.n)
            data[there, place : place + width] = p.data[at[there]]
            valid[there, place : place + width] = p.valid[at[there]]
            place += width
        for i, p in enumerate(parts):
            if i == 0:
                used = n
            elif n:
                used = int(self._matching(index[-1:], rates[0], rates[i], shifts[i])[0]) - p.start
            else:
                used = 0
            self._keep(state, i, p.cut(min(max(used, 0), p.n), p.n))
        return Block(data, first.start, valid)

    @staticmethod
    def _matching(index: Any, first: Fraction, rate: Fraction, shift: Fraction) -> Any:
        """Return the newest sample of a stream at or before each sample of the first one."""
        ratio = rate / first
        late = shift * rate
        d = ratio.denominator * late.denominator
        return (index * (ratio.numerator * late.denominator) - late.numerator * ratio.denominator) // d

    @staticmethod
    def _covered(stop: int, first: Fraction, rate: Fraction, shift: Fraction) -> int:
        """Return the first sample of the first stream whose match is not known yet."""
        return int(-(-((stop / rate + shift) * first) // 1))

    def _pending(self, state: State, i: int, new: Block) -> Block:
        held = int(state[f"held{i}"][0])
        if new.n and held and new.start != int(state[f"start{i}"][0]) + held:
            held = 0
        if not held:
            return new
        old = state[f"data{i}"][:held], state[f"valid{i}"][:held]
        data, valid = np.concatenate([old[0], new.data]), np.concatenate([old[1], new.valid])
        return Block(data, int(state[f"start{i}"][0]), valid)

    def _keep(self, state: State, i: int, rest: Block) -> None:
        room = len(state[f"data{i}"])
        if rest.n > room:
            raise StateError(
                f"Align needs streams that stay within patience={self.patience:g} s of each other; got "
                f"{self.names[i]!r} is {rest.n - room} samples beyond. Send a timeout Control for the silent one."
            )
        state[f"held{i}"][0] = rest.n
        state[f"start{i}"][0] = rest.start
        for name, a in (("data", rest.data), ("valid", rest.valid)):
            state[f"{name}{i}"][: rest.n] = a
            state[f"{name}{i}"][rest.n :] = 0
