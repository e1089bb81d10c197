"""Polyphase: what filters of finite length share, whether they change the rate or not."""

from __future__ import annotations

import abc
from dataclasses import replace
from fractions import Fraction
from typing import ClassVar, final

import numpy as np

from ranvier.denoise._windowed import Taps
from ranvier.stage import BlockStage, Scratch, State, Tags, counter, need_signal
from ranvier.stream import Block, Info, StreamInfo, is_all_valid


class Polyphase(BlockStage):
    """Taps at a fine grid, `up` points a sample, of which every `down`-th is worked out; subclasses design them."""

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True, permutable=True)

    @abc.abstractmethod
    def response(self, info: StreamInfo) -> Taps:
        """Return the taps on the fine grid, refusing what cannot be."""

    @abc.abstractmethod
    def ratio(self, info: StreamInfo) -> Fraction:
        """Return output rate over input rate."""

    @abc.abstractmethod
    def lag(self, taps: Taps) -> Fraction:
        """Return the group delay in points of the fine grid."""

    @final
    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        ratio, taps = self.ratio(info), self.response(info)
        step = info.origin.step
        reach = int(-(-(-(-len(taps) // ratio.numerator) - 1) * step // 1))
        return info.but(
            dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32),
            rate=info.rate * ratio,
            origin=replace(info.origin, step=step / ratio),
            support=info.support + reach,
            settle=info.settle + reach,
            delay=info.delay + self.lag(taps) / (info.rate * ratio.numerator),
        )

    @final
    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._polyphase import polyphase

        ratio, out = self.ratio(info), self.describe(info)
        up, taps = ratio.numerator, self.response(info)
        phases = np.zeros((-(-len(taps) // up), up), out.dtype)
        phases.ravel()[: len(taps)] = taps
        length = len(phases)
        return State(
            (
                polyphase[out.dtype],
                np.ascontiguousarray(phases.T),
                ratio,
                Scratch(out.shape, out.dtype),
                np.empty((0, 0), bool),
            ),
            ring=np.zeros((length, out.n_channels), out.dtype),
            run=np.zeros(out.n_channels, np.int32),
            newest=counter(),
        )

    @final
    def step(self, state: State, block: Block) -> Block:
        polyphase, taps, ratio, scratch, no_mask = state.design
        up, down = ratio.numerator, ratio.denominator
        start, stop = -(-block.start * up // down), -(-block.stop * up // down)
        y, w = scratch.take(stop - start)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else no_mask
        first = start * down - block.start * up
        bad = polyphase(x, ok, masked, state["ring"], state["run"], state["newest"], taps, first, down, y, w)
        return Block(y, start, w if bad else None)
