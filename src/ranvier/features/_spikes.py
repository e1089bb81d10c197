"""Spikes: threshold crossings of a band-passed signal, as events."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log
from typing import ClassVar, final

import numpy as np

from ranvier.features._grid import to_samples
from ranvier.stage import EVENTS, BlockStage, Port, State, Tags, counter, need_number, need_signal
from ranvier.stream import EVENT, Array, Block, EventInfo, Events, Info, StreamInfo, is_all_valid

HEARD = 255  # samples that a median is taken of, at most; odd, so that it is one of them
LABELS = {0: "spike", 1: "lost", 2: "back"}  # the codes that the kernel writes
LEAST = 15  # samples that it is taken of at least
WRITTEN = ("sample", "source", "code", "value")  # columns that the kernel writes
ROWS = 512  # instants that are searched at a time
FORGOTTEN = 1e-6  # part of an old estimate that is left where the support ends


@final
@dataclass(frozen=True, eq=False)
class Spikes(BlockStage):
    """Threshold crossings: where a channel falls below -threshold times its running noise.

    Parameters
    ----------
    threshold
        Multiple of the noise.
    refractory
        Time after a crossing in which a channel gives no other [s].
    noise_window
        Length of the stretch that one noise estimate is made of [s].
    noise_memory
        Time constant with which new estimates replace old ones [s]; until it has passed they are averaged.

    Notes
    -----
    *In*: signal ``(n,)``, band-passed. *Out*: events in order of time, then channel, then code; ``source`` is the
    channel. "spike": a crossing, at the first sample below the threshold; ``value`` is the amplitude there.
    "lost": the first sample at which the channel is not listened to. "back": the first at which it is again.

    A channel is listened to at a sample if it is valid there and at the sample before, and its noise is known and
    not 0. At a fresh start none is, which no event says.

    The noise of a channel is ``median(|x|) / 0.6745``. Every `stride` samples of the absolute index one sample
    is heard, so that at most 255 of them fill the noise window; when a channel has heard enough valid ones, it
    is estimated anew and the threshold changes from the next sample on. Channels take turns, so that the work
    is spread over time: channel c of n begins c / n of a window late. The first estimate takes one to two windows
    of valid samples; a channel that was lost keeps its estimate, so it is back at the second valid sample.
    Computed in float32. Delay: none added. Settle: two windows, until the first estimate. Support: of the
    estimates. Portable.

    References
    ----------
    Quian Quiroga, Nadasdy & Ben-Shaul, Neural Computation 16, 1661-1687 (2004): the noise estimate.
    Chestek et al., J. Neural Engineering 8, 045005 (2011): crossings at -4.5 times the noise.
    """

    threshold: float = 4.5
    refractory: float = 0.001
    noise_window: float = 0.25
    noise_memory: float = 5.0

    outputs: ClassVar[tuple[Port, ...]] = (EVENTS,)
    tags: ClassVar[Tags] = Tags(exactness="portable", recursive=True)

    def _noise(self, info: StreamInfo) -> tuple[int, int, float]:
        """Return how many samples are heard, how far they are apart, and the weight of a new estimate."""
        window = to_samples(self, "noise_window", self.noise_window, info.rate, LEAST)
        heard = min(HEARD, window - 1 + window % 2)
        need_number(self, "noise_memory", self.noise_memory, 0, 1e6, "s", "Take 5 s if in doubt.")
        stride = window // heard
        return heard, stride, min(1.0, heard * stride / float(info.rate) / self.noise_memory)

    def describe(self, *infos: Info) -> EventInfo:
        (given,) = infos
        info = need_signal(self, given)
        need_number(self, "threshold", self.threshold, 0, 1e6, "times the noise", "Take 4.5 if in doubt.")
        to_samples(self, "refractory", self.refractory, info.rate)
        heard, stride, weight = self._noise(info)
        estimates = 2 if weight == 1 else 2 + log(FORGOTTEN) / log(1 - weight)
        return EventInfo(
            name="spikes",
            rate=info.rate,
            labels=dict(LABELS),
            sources=info.channels.names,
            origin=info.origin,
            support=info.support + ceil(estimates * heard * stride * info.origin.step),
            settle=info.settle + ceil(2 * heard * stride * info.origin.step),
            delay=info.delay,
        )

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels import _spikes

        n = info.n_channels
        heard, stride, weight = self._noise(info)
        refractory = to_samples(self, "refractory", self.refractory, info.rate)
        room = n * (ROWS // refractory + 1 + ROWS)  # at worst a channel goes or comes at every row
        state = State(
            None,
            before=np.full(n, -np.inf, np.float32),
            threshold=np.full(n, -np.inf, np.float32),
            free=np.full(n, np.iinfo(np.int64).min, np.int64),
            listened=np.zeros(n, np.uint8),
            look=counter(n),
            estimates=np.zeros(n, np.int32),
            noise=np.zeros(n, np.float32),
            heard=np.zeros((n, heard), np.float32),
            filled=-(np.arange(n) * heard // n).astype(np.int32),
        )
        s = state.arrays
        state.design = (
            _spikes.search,
            (
                s["before"],
                s["threshold"],
                s["free"],
                refractory,
                s["listened"],
                s["look"],
                s["heard"],
                s["filled"],
                s["estimates"],
                s["noise"],
            ),
            (stride, self.threshold, weight),
            (np.empty(room, np.int64), np.empty((2, room), np.int32), np.empty(room, np.float32)),
        )
        return state

    def step(self, state: State, block: Block) -> Events:
        x = np.ascontiguousarray(block.data, np.float32)
        masked = not is_all_valid(block.valid)
        if masked:
            x = np.where(block.valid, x, np.float32(np.nan))
        tables = [_search(state, x[a : a + ROWS], masked, block.start + a) for a in range(0, block.n, ROWS)]
        table = tables[0] if len(tables) == 1 else np.concatenate(tables) if tables else None
        return Events(block.start, block.stop, table)


def _search(state: State, x: Array, masked: bool, start: int) -> Array:
    """Return the events in rows of float32, nan where invalid, from index `start` on."""
    kernel, memory, parameters, found = state.design
    table = np.zeros(kernel(x, masked, start, *memory, *parameters, *found), EVENT)
    sample, who, value = found
    for name, a in zip(WRITTEN, (sample, *who, value), strict=True):
        table[name] = a[: len(table)]
    return table
