"""Scenes: seeded input for any ports, and how to let it flow through a stage in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ranvier.stage import Run, Stage, as_tuple
from ranvier.stream import EVENT, Block, EventInfo, Events, Info, StreamInfo, all_valid, is_all_valid

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Scene:
    """One whole chunk for each port of a stage, over the same stretch of time."""

    infos: tuple[Info, ...]
    chunks: tuple[Any, ...]

    @property
    def n(self) -> int:
        """Length in samples of the first port."""
        first = self.chunks[0]
        return int(first.stop - first.start)

    @property
    def start(self) -> int:
        return int(self.chunks[0].start)

    def cut(self, a: int, b: int) -> tuple[Any, ...]:
        """Return the pieces of every port from place `a` to place `b`, counted on the first port."""
        return tuple(_piece(c, self._place(i, a), self._place(i, b)) for i, c in enumerate(self.chunks))

    def _place(self, port: int, place: int) -> int:
        first, mine = self.chunks[0], self.chunks[port]
        whole, own = first.stop - first.start, mine.stop - mine.start
        return place if whole == own else int(place * own // max(whole, 1))

    def pieces(self, cuts: Sequence[int]) -> list[tuple[Any, ...]]:
        """Return the scene in pieces of the given lengths; what is left over comes last."""
        out, at = [], 0
        for n in cuts:
            out.append(self.cut(at, min(at + n, self.n)))
            at = min(at + n, self.n)
        if at < self.n or not out:
            out.append(self.cut(at, self.n))
        return out

    def with_blocks(self, change: Any) -> Scene:
        """Return the scene with every block replaced by what `change(block, info)` makes of it."""
        chunks = [change(c, i) if isinstance(c, Block) else c for c, i in zip(self.chunks, self.infos, strict=True)]
        return Scene(self.infos, tuple(chunks))


def _piece(chunk: Any, a: int, b: int) -> Any:
    if isinstance(chunk, Block):
        return chunk.cut(a, b)
    return chunk.cut(chunk.start + a, chunk.start + b)


def samples(info: StreamInfo, n: int, rng: Rng) -> Any:
    """Make plausible numbers for a stream: coloured noise, whole counts, or covariances."""
    shape = info.shape
    if len(shape) == 2 and shape[0] == shape[1] == info.n_channels:
        raw = rng.standard_normal((n, 3 * shape[0], shape[0]))
        data = raw.swapaxes(1, 2) @ raw / (3 * shape[0]) * 100.0
    else:
        white = rng.standard_normal((n, *shape))
        slow = np.cumsum(rng.standard_normal((n, *shape)), axis=0) * 0.05
        data = 20.0 * white + slow
    if np.issubdtype(info.dtype, np.integer):
        return np.clip(np.round(data * 10), -32000, 32000).astype(info.dtype)
    return data.astype(info.dtype)


def mask(shape: tuple[int, ...], rng: Rng, part: float = 0.02) -> Any:
    """Draw a mask: single cells, stretches of one channel, one stretch of all channels."""
    valid = rng.random(shape) >= part
    n = shape[0]
    if n > 8 and len(shape) > 1:
        for _ in range(3):
            a, b = sorted(rng.integers(0, n, 2))
            valid[a : a + min(b - a, n // 6), ..., rng.integers(shape[-1])] = False
        a = int(rng.integers(0, n - 1))
        valid[a : a + max(1, n // 40)] = False
    return valid


def scene(infos: Sequence[Info], seconds: float, seed: int, *, start: int = 0, masked: bool = False) -> Scene:
    """Make a seeded scene that starts at source sample `start`."""
    rng = np.random.default_rng(seed)
    chunks: list[Any] = []
    lead = next((i for i in infos if isinstance(i, StreamInfo)), infos[0])
    for info in infos:
        rate = float(info.rate) or float(info.origin.rate) / 10
        n = max(8, round(seconds * rate))
        begin = round(start * rate / (float(lead.rate) or rate))
        if isinstance(info, EventInfo):
            chunks.append(_events(info, begin, n, rng))
            continue
        data = samples(info, n, rng)
        valid = mask(data.shape, rng) if masked else all_valid(data.shape)
        at = None if info.rate else np.cumsum(rng.integers(1, 50, n)).astype(np.int64) + begin
        chunks.append(Block(data, begin, valid, at))
    return Scene(tuple(infos), tuple(chunks))


def _events(info: EventInfo, start: int, n: int, rng: Rng) -> Events:
    count = max(2, n // 40)
    table = np.zeros(count, EVENT)
    table["sample"] = np.sort(rng.integers(start, start + n, count))
    table["code"] = rng.choice(list(info.labels) or [0], count)
    table["source"] = rng.integers(0, len(info.sources), count)
    table["value"] = rng.standard_normal(count)
    return Events(start, start + n, table)


def cuts_of(n: int, seed: int) -> dict[str, list[int]]:
    """Return the ways in which every stage is cut: whole, ones, 64 + rest, random with empty ones."""
    rng = np.random.default_rng(seed)
    ways = {"whole": [n], "64 + rest": [64, max(n - 64, 0)]}
    ways["ones"] = [1] * min(n, 96) + [max(n - 96, 0)]
    for i in range(2):
        parts: list[int] = []
        while sum(parts) < n:
            parts.append(int(rng.choice([0, 0, 1, 2, 3, 7, 33, int(rng.integers(1, max(2, n // 3)))])))
        ways[f"random {i}"] = parts
    return ways


def flow(stage: Stage, infos: Sequence[Info], pieces: Sequence[tuple[Any, ...]]) -> tuple[list[list[Any]], Run]:
    """Push pieces through a fresh run; return for each output port what came out piece by piece, and the run."""
    run = Run(stage, *infos)
    outs: list[list[Any]] = [[] for _ in stage.outputs]
    for piece in pieces:
        for port, chunk in zip(outs, as_tuple(run.push(*piece)), strict=True):
            port.append(chunk)
    return outs, run


@dataclass(frozen=True, eq=False)
class Output:
    """Everything that came out of one port: one number array with its mask and index, or an event table."""

    index: Any
    data: Any
    valid: Any
    at: Any

    @classmethod
    def of(cls, chunks: list[Any]) -> Output:
        """Join the chunks of a port; the index tells jumps."""
        if not isinstance(chunks[0], Block):
            table = np.concatenate([c.table for c in chunks])
            return cls(table["sample"], table, np.ones(len(table), bool), np.array([chunks[0].start, chunks[-1].stop]))
        index = np.concatenate([np.arange(b.start, b.stop) for b in chunks])
        data = np.concatenate([b.data for b in chunks])
        valid = np.concatenate([b.valid for b in chunks])
        at = None if chunks[0].at is None else np.concatenate([b.at for b in chunks])
        return cls(index, data, valid, at)


def read_only(block: Block, _: Any = None) -> Block:
    """Return a block in read-only memory with padded rows."""
    if block.data.ndim == 2:
        wide = np.zeros((block.n, block.data.shape[1] + 3), block.data.dtype)
        wide[:, : block.data.shape[1]] = block.data
        data = wide[:, : block.data.shape[1]]
    else:
        data = block.data.copy()
    data.flags.writeable = False
    valid = block.valid if is_all_valid(block.valid) else block.valid.copy()
    if valid.flags.owndata:
        valid.flags.writeable = False
    return Block(data, block.start, valid, block.at)
