"""Spikes: threshold crossings of a band-passed signal, as events."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log
from typing import ClassVar, final

import numpy as np

from ranvier.features._grid import to_samples
from ranvier.stage import EVENTS, BlockStage, Port, State, Tags, need_number, need_signal
from ranvier.stream import EVENT, Array, Block, EventInfo, Events, Info, StreamInfo, is_all_valid

HEARD = 255  # samples that a median is taken of, at most; odd, so that it is one of them
LEAST = 15  # samples that it is taken of at least
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
    *In*: signal ``(n,)``, band-passed. *Out*: events, one a crossing, at the first sample below the threshold;
    ``source`` is the channel, ``value`` the amplitude at that sample, in order of time, then channel.

    The noise of a channel is ``median(|x|) / 0.6745``. Every `stride` samples of the absolute index one sample
    is heard, so that at most 255 of them fill the noise window; when a channel has heard enough valid ones, it
    is estimated anew and the threshold changes from the next sample on. Channels take turns, so that the work
    is spread over time: channel c of n begins c / n of a window late. There are no events before a channel's
    first estimate, which takes one to two windows, nor where the noise is 0. The first valid sample after an
    invalid one is no crossing. Computed in float32. Delay, settle: none added. Support: of the estimates.
    Portable.

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
            labels={0: "spike"},
            sources=info.channels.names,
            origin=info.origin,
            support=info.support + ceil(estimates * heard * stride * info.origin.step),
            settle=info.settle,
            delay=info.delay,
        )

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels import _spikes

        n = info.n_channels
        heard, stride, weight = self._noise(info)
        refractory = to_samples(self, "refractory", self.refractory, info.rate)
        room = n * (ROWS // refractory + 1)
        state = State(
            None,
            before=np.full(n, -np.inf, np.float32),
            threshold=np.full(n, -np.inf, np.float32),
            free=np.full(n, np.iinfo(np.int64).min, np.int64),
            estimates=np.zeros(n, np.int32),
            noise=np.zeros(n, np.float32),
            heard=np.zeros((n, heard), np.float32),
            filled=-(np.arange(n) * heard // n).astype(np.int32),
        )
        s = state.arrays
        state.design = (
            _spikes.search,
            (s["before"], s["threshold"], s["free"], refractory, s["heard"], s["filled"], s["estimates"], s["noise"]),
            (stride, self.threshold, weight),
            (np.empty(room, np.int64), np.empty(room, np.int32), np.empty(room, np.float32)),
        )
        return state

    def step(self, state: State, block: Block) -> Events:
        x = np.ascontiguousarray(block.data, np.float32)
        if not is_all_valid(block.valid):
            x = np.where(block.valid, x, np.float32(np.nan))
        tables = [_search(state, x[a : a + ROWS], block.start + a) for a in range(0, block.n, ROWS)]
        table = tables[0] if len(tables) == 1 else np.concatenate(tables) if tables else None
        return Events(block.start, block.stop, table)


def _search(state: State, x: Array, start: int) -> Array:
    """Return the crossings in rows of float32, nan where invalid, from index `start` on."""
    kernel, memory, parameters, found = state.design
    table = np.zeros(kernel(x, start, *memory, *parameters, *found), EVENT)
    for name, a in zip(("sample", "source", "value"), found, strict=True):
        table[name] = a[: len(table)]
    return table
