"""Align: join streams of different rates and sources sample by sample, without asking any clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, final

import numpy as np

from ranvier.errors import ContractError, StateError
from ranvier.stage._compose import describe_infos
from ranvier.stage._queue import head, keep, queue, waiting
from ranvier.stage._stage import Port, Stage, Tags, need_signal
from ranvier.stage._state import State
from ranvier.stream import Array, Block, Channels, Control, Info, Origin, StreamInfo

_CHANGES = 256  # timeouts and resumes of one stream that may lie ahead


@final
@dataclass(frozen=True, eq=False)
class Align(Stage):
    """Join signals: each sample of the first stream with the newest sample of the others that is not later.

    What comes out depends on the samples and on Controls alone. A stream that has fallen silent is waited
    for; a ``timeout`` Control makes its cells invalid from `at_sample` of the first stream on, whatever
    arrives, until a ``resume`` Control whose `at_sample` says from which sample on it counts again. Cells
    before a timeout are still waited for: send it for the next sample due, the `start` of the empty
    block that comes out.

    Parameters
    ----------
    names
        Port names, one a stream; the first sets rate and index.
    offsets
        Time of each stream's sample 0 after that of the first stream [s]; 0 for the first.
    patience
        How far one stream may run ahead of another [s], gaps of the other included.

    Notes
    -----
    *In*: signals ``(n_i,)``, whose indices may jump ahead. *Out*: ``(sum n_i,)`` at the first stream's
    rate. Where the first stream jumps, a new segment begins; what follows the jump never comes out in the same
    block as what was before it, but with the next call. Where another has a gap, its cells are invalid.
    Support 1 sample of the first stream, settle 0, exact.
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
        patience = Fraction(self.patience).limit_denominator(10**6)
        signals = [need_signal(self, i) for i in infos]
        queues = {str(i): queue(s, int(s.rate * patience) + 2) for i, s in enumerate(signals)}
        times = [
            (s.rate / out.rate, Fraction(o).limit_denominator(10**9) * s.rate)
            for s, o in zip(signals, self.offsets, strict=True)
        ]
        changes = np.zeros((len(infos), _CHANGES, 2), np.int64)  # from which sample on: 1 silent, 0 heard
        return State((out, times), queues, changes=changes, changed=np.zeros(len(infos), np.int64))

    def control(self, state: State, control: Control) -> Control:
        """Apply a ``timeout`` or ``resume`` of the stream in payload ``port``; return it as it took effect.

        `at_sample` counts the first stream's samples. What has come out stays: a Control for such a
        sample takes effect at the next one that is due.
        """
        name = control.payload.get("port")
        if name not in self.names[1:]:
            raise StateError(
                f"Align needs the port of a {control.kind} to be one of {', '.join(self.names[1:])}; got {name!r}. "
                f"The first stream, {self.names[0]!r}, is always waited for."
            )
        port = self.names.index(name)
        due = head(state.children["0"])
        table, n = state["changes"][port], int(state["changed"][port])
        gone = max(int(np.searchsorted(table[:n, 0], due, "right")) - 1, 0)  # the newest of the past still holds
        if n - gone == len(table):
            raise StateError(
                f"Align needs at most {len(table)} timeouts and resumes of a stream ahead of its samples; "
                f"got one more for {name!r}. Send them when their samples are near."
            )
        at = max(control.at_sample, due)
        rows = table[gone:n]
        place = int(np.searchsorted(rows[:, 0], at, "right"))
        rows = np.insert(rows, place, (at, control.kind == "timeout"), axis=0)
        table[: len(rows)], table[len(rows) :] = rows, 0
        state["changed"][port] = len(rows)
        return replace(control, at_sample=at)

    def process(self, state: State, *chunks: Any) -> Block:
        out, times = state.design
        queues = list(state.children.values())
        parts = [waiting(q, c, name) for q, c, name in zip(queues, chunks, self.names, strict=True)]
        index = parts[0][0]
        start = int(index[0]) if len(index) else chunks[0].start
        ready = index == np.arange(start, start + len(index))  # up to a jump
        wanted, heard = [index], [np.ones(len(index), bool)]
        for i in range(1, len(parts)):
            wanted.append(_matching(index, *times[i]))
            heard.append(~self._silent(state, i, index))
            ready &= ~heard[i] | (wanted[i] < queues[i]["stop"][0])
        n = len(index) if ready.all() else int(ready.argmin())
        data = np.zeros((n, *out.shape), out.dtype)
        valid = np.zeros((n, *out.shape), bool)
        place = 0
        for (have, x, good), want, hear in zip(parts, wanted, heard, strict=True):
            columns = slice(place, place := place + x.shape[1])
            at = np.searchsorted(have, want[:n])
            rows = np.flatnonzero(hear[:n] & (at < len(have)))
            rows = rows[have[at[rows]] == want[rows]]
            at = at[rows]
            valid[rows, columns] = good[at]
            data[rows, columns] = np.where(good[at], x[at], 0)
        due = int(index[n] if n < len(index) else queues[0]["stop"][0])
        for i, part in enumerate(parts):
            used = int(np.searchsorted(part[0], _matching(due, *times[i])))
            keep(queues[i], (part[0][used:], part[1][used:], part[2][used:]), self.names[i])
        return Block(data, start, valid)

    @staticmethod
    def _silent(state: State, port: int, index: Array) -> Array:
        """Say for which samples of the first stream another one counts as silent."""
        table = state["changes"][port][: state["changed"][port]]
        last = np.searchsorted(table[:, 0], index, "right") - 1
        silent = np.zeros(len(index), bool)
        silent[last >= 0] = table[last[last >= 0], 1] == 1
        return silent


def _matching(index: Any, ratio: Fraction, late: Fraction) -> Any:
    """Return the newest sample of a stream at or before each sample of the first: floor(index * ratio - late)."""
    d = ratio.denominator * late.denominator
    return (index * (ratio.numerator * late.denominator) - late.numerator * ratio.denominator) // d
