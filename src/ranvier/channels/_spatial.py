"""Spatial: what references and interpolation share: weights made for the electrodes valid now, faded when these change.

A *set* is the electrodes that the weights are made for. It changes only while no fade runs, to what is valid at that
very sample; so it depends on samples alone, and weights are worked out at most once a fade, however a mask flickers.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, final

import numpy as np

from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, need_signal
from ranvier.stage._state import counter
from ranvier.stream import Array, Block, Info, StreamInfo, is_all_valid

KEPT = 4  # tables kept for pairs of sets that were in use


@dataclass(frozen=True)
class Sums:
    """Weighted sums for one set: a row each, of channels, weights and how many of them must be valid."""

    row: Array
    other: Array
    weight: Array
    least: Array


class Spatial(BlockStage):
    """Each channel minus a weighted sum of others, or that sum in its place; subclasses say which weights.

    Subclasses are dataclasses with a field ``fade`` [s].
    """

    fade: float
    replace: ClassVar[bool] = False  # the sum takes the place of the channel, where it has one
    fill: ClassVar[bool] = False  # and is valid where the channel is not

    @abc.abstractmethod
    def plan(self, info: StreamInfo) -> Any:
        """Return what is worked out once, refusing what cannot be; has `part`, the channels that belong to sets."""

    @abc.abstractmethod
    def of(self, plan: Any, was: Array, now: Array) -> Array:
        """Return the row of each channel, -1 where it is passed on as it is, for an old and a new set."""

    @abc.abstractmethod
    def sums(self, plan: Any, there: Array, of: Array, old: bool) -> Sums:
        """Return the rows for a set; the same channels in the same order for any two sets with one `of`."""

    @final
    def samples(self, info: StreamInfo) -> int:
        """Return the length of a fade in samples."""
        if not 0 <= self.fade <= 10:
            raise ContractError(
                f"{type(self).__name__} needs a fade from 0 to 10 s; got {self.fade} s. Take 0.05 if in doubt."
            )
        return ceil(round(self.fade * float(info.rate), 6))

    @final
    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        self.plan(info)
        reach = ceil(2 * self.samples(info) * info.origin.step)
        return info.but(
            dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32),
            support=info.support + reach,
            settle=info.settle + reach,
        )

    @final
    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._spread import spread
        from ranvier.kernels._tile import TILE

        out, plan = self.describe(info), self.plan(info)
        design = Design(self, plan, self.samples(info), spread[out.dtype], Scratch(out.shape, out.dtype), TILE)
        n = info.n_channels
        return State(
            design, held=np.zeros(n, out.dtype), was=np.ones(n, bool), now=np.ones(n, bool), faded=counter(-1)
        )  # fmt: skip

    @final
    def step(self, state: State, block: Block) -> Block:
        design: Design = state.design
        y, w = design.scratch.take(block.n)
        if not block.n:
            return Block(y, block.start)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else w
        there = ok | ~design.plan.part if masked else None
        x = np.ascontiguousarray(block.data, y.dtype)
        was, now, faded = state["was"], state["now"], state["faded"]
        if faded[0] < 0:  # the first sample of a segment: nothing to fade from
            now[:] = True if there is None else there[0]
            was[:], faded[0] = now, design.fade
        careful = masked or not now.all() or not was.all()
        if careful and not masked:
            w[:] = True
        at = 0
        while at < block.n:
            if faded[0] >= design.fade:
                stop = _change(there, now, at, block.n)
                if stop == at:
                    now[:] = True if there is None else there[at]
                    faded[0] = 0
                    if not design.fade:
                        was[:] = now
                    continue
            else:
                stop = min(block.n, at + design.fade - int(faded[0]))
            table = design.table(was, now)
            design.spread(
                x[at:stop], ok[at:stop], masked, careful, state["held"], *table, int(faded[0]), design.fade,
                self.replace, self.fill, design.room, design.flags, y[at:stop], w[at:stop],
            )  # fmt: skip
            if faded[0] < design.fade:
                faded[0] += stop - at
                if faded[0] == design.fade:
                    was[:] = now
            at = stop
        return Block(y, block.start, w if careful else None)


def _change(there: Array | None, now: Array, at: int, n: int) -> int:
    """Return the first place from `at` where the valid electrodes are not those of the set; `n` if there is none."""
    if there is None:
        return n if now.all() else at
    differs = (there[at:] != now).any(axis=1)
    first = int(differs.argmax())
    return at + first if differs[first] else n


class Design:
    """What a running stage works with: its plan, and the tables of the sets that were in use of late."""

    def __init__(self, stage: Spatial, plan: Any, fade: int, spread: Any, scratch: Scratch, tile: int) -> None:
        self.stage, self.plan, self.fade, self.spread, self.scratch = stage, plan, fade, spread, scratch
        self.room = np.zeros((3, *scratch.shape, tile), scratch.dtype)
        self.flags = np.ones((2, *scratch.shape, tile), bool)
        self._tables: dict[bytes, tuple[Array, ...]] = {}

    def table(self, was: Array, now: Array) -> tuple[Array, ...]:
        """Return what the kernel needs to know of an old and a new set: rows, sources, weights, counts."""
        key = np.packbits(was).tobytes() + np.packbits(now).tobytes()
        found = self._tables.get(key)
        if found is None:
            of = self.stage.of(self.plan, was, now)
            old = self.stage.sums(self.plan, was, of, old=True)
            new = self.stage.sums(self.plan, now, of, old=False)
            weights = np.stack([old.weight, new.weight]).astype(self.scratch.dtype)
            least = np.stack([old.least, new.least]).astype(np.int32)
            place = np.repeat(np.arange(len(new.least)), np.diff(new.row))
            moves = (least[0] != least[1]) | np.isin(np.arange(len(new.least)), place[weights[0] != weights[1]])
            found = (new.row, new.other, of, weights, least, moves)
            while len(self._tables) >= KEPT:
                self._tables.pop(next(iter(self._tables)))
            self._tables[key] = found
        return found
