"""Spikes: threshold crossings of a band-passed signal, as events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, log
from typing import ClassVar, final

from ranvier.features._counts import BinnedCounts
from ranvier.features._grid import to_samples
from ranvier.kernels import Crossings, crossings_state
from ranvier.stage import EVENTS, EndStage, Port, Stage, State, Tags, need_number, need_signal
from ranvier.stream import EventInfo, Info, StreamInfo

HEARD = 127  # samples that a median is taken of, at most; odd, so that it is one of them
LABELS = {0: "spike", 1: "lost", 2: "back"}  # the codes that the kernel writes
LEAST = 15  # samples that it is taken of at least
FORGOTTEN = 1e-6  # part of an old estimate that is left where the support ends


@final
@dataclass(frozen=True, eq=False)
class Spikes(EndStage):
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
    is heard, so that at most 127 of them fill the noise window. Once a window the median is taken of those that
    were valid, if they are at least half, and the threshold changes from the next sample on. Channels take turns,
    sixteen at a time, so that the work is spread over time. The first estimate comes after half a window to one
    and a half of valid samples; a channel that was lost keeps its estimate, so it is back at the second valid sample.
    Computed in float32. Delay: none added. Settle: one and a half windows, until the first estimate. Support: of the
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
            settle=info.settle + ceil(1.5 * heard * stride * info.origin.step) + 1,
            delay=info.delay,
        )

    def end(self, info: StreamInfo) -> Crossings:
        heard, stride, weight = self._noise(info)
        return Crossings(
            self.threshold, to_samples(self, "refractory", self.refractory, info.rate), stride, heard, weight
        )

    def with_next(self, info: StreamInfo, following: Stage, given: Info) -> Crossings | None:
        bins = following.bins(given) if isinstance(following, BinnedCounts) else 0
        return replace(self.end(info), bin=bins) if bins else None

    def memory(self, info: StreamInfo) -> State:
        return State(**crossings_state(self.end(info), info.n_channels))
