"""Panes: two streams side by side, cut into pieces that are looked at together, with bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ranvier.evaluate.cleaning._spectrum import LONGEST
from ranvier.stage import Run, Stage, infos_of
from ranvier.stream import Array, Block, Recording, StreamInfo

Advance = Callable[[float], None]
NUMBERS = 1 << 20  # numbers that are read, or lie in a pane, at once


@dataclass(slots=True)
class Pane:
    """What came in and what came out at the same instants of the source: ``(n, n_channels)`` each, and the masks."""

    start: int
    before: Array
    before_ok: Array
    after: Array
    after_ok: Array

    @property
    def ok(self) -> Array:
        """Where both are valid."""
        return self.before_ok & self.after_ok


def block_size(info: StreamInfo) -> int:
    """Return how many samples are read at a time: 10 s, fewer where there are many channels."""
    return max(1, min(round(10 * info.rate), NUMBERS // info.n_channels))


def pane_size(info: StreamInfo, seconds: float = 4.0, least: int = LONGEST) -> int:
    """Return the samples of a pane: 4 s, fewer where there are many channels, but enough for a spectrum's window."""
    wanted = round(seconds * info.rate)
    return max(1, min(wanted, max(NUMBERS // info.n_channels, least)))


def side_by_side(first: Stage, second: Stage | None, recording: Recording, advance: Advance) -> Iterator[list[Any]]:
    """Yield, for each block that is read, what comes out of one stage or two, in memory of their own."""
    runs = [Run(s, *infos_of(s, recording)) for s in (first, second) if s is not None]
    events = recording.events
    for chunk in recording.blocks(block_size(recording.info)):
        yield [
            run.push(*[chunk if p.kind == "signal" else events.cut(chunk.start, chunk.stop) for p in run.stage.inputs])
            for run in runs
        ]
        advance(chunk.n)


def paired(outs: Iterator[list[Any]], late: int, same: list[int] | None = None) -> Iterator[Pane]:
    """Yield pieces of equal instants: sample k of the second stream beside sample ``k - late`` of the first.

    Parameters
    ----------
    outs
        Of `side_by_side`; where there is one stream, it stands beside itself.
    late
        Delay of the second [samples].
    same
        Which channels of the first the second has, in its order; None for all.
    """
    waiting: list[Block] = []
    for blocks in outs:
        before, after = blocks[0], blocks[-1]
        if before.n:
            waiting.append(before)
        first, stop = after.start - late, after.stop - late
        for b in waiting:
            low, high = max(first, b.start), min(stop, b.stop)
            if low < high:
                x, y = b.cut(low - b.start, high - b.start), after.cut(low - first, high - first)
                data, valid = (x.data, x.valid) if same is None else (x.data[:, same], x.valid[:, same])
                yield Pane(low, data, valid, y.data, y.valid)
        if after.n:
            waiting = [b for b in waiting if b.stop > stop]


def panes(pieces: Iterator[Pane], size: int) -> Iterator[Pane]:
    """Yield the same samples in panes that end at multiples of `size`, or where the index jumps."""
    held: list[Pane] = []
    for piece in pieces:
        if held and held[-1].start + len(held[-1].after) != piece.start:
            yield _joined(held)
            held = []
        a, n = 0, len(piece.after)
        while a < n:
            b = min(n, a + size - (piece.start + a) % size)
            parts = (getattr(piece, f)[a:b] for f in ("before", "before_ok", "after", "after_ok"))
            held.append(Pane(piece.start + a, *parts))
            if (piece.start + b) % size == 0:
                yield _joined(held)
                held = []
            a = b
    if held:
        yield _joined(held)


def _joined(parts: list[Pane]) -> Pane:
    if len(parts) == 1:
        return parts[0]
    fields = ("before", "before_ok", "after", "after_ok")
    return Pane(parts[0].start, *(np.concatenate([getattr(p, f) for p in parts]) for f in fields))
