"""BinnedCounts: how many events each sender gave in bins of equal length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from ranvier.features._grid import Grid, nowhere, to_samples
from ranvier.stage import EVENTS, Port, Stage, State, Tags, need_events
from ranvier.stream import Block, Channels, EventInfo, Info, StreamInfo


@final
@dataclass(frozen=True, eq=False)
class BinnedCounts(Stage):
    """Count events in bins of equal length, each sender (for spikes: each channel) for itself.

    Parameters
    ----------
    length
        Of a bin [s]; rounded to samples.

    Notes
    -----
    *In*: events. *Out*: ``(n_sources,)`` float32 at rate / length, named after the senders; bin k covers the
    samples ``[k * length, (k + 1) * length)`` and comes out once the events' watermark has passed its end, with
    events or without. Where the events' index jumps, a bin that was begun is dropped. Delay: none added.
    Support and settle: a bin more. Portable.

    Examples
    --------
    >>> from ranvier.stage import Run
    >>> from ranvier.stream import EventInfo, Events, StreamInfo
    >>> info = EventInfo.of(StreamInfo.signal(1000, 1), {0: "spike"}, sources=("C3",))
    >>> Run(BinnedCounts(length=0.02), info).push(Events.at([3, 19, 20], stop=45)).data.ravel()
    array([2., 1.], dtype=float32)
    """

    length: float

    inputs: ClassVar[tuple[Port, ...]] = (EVENTS,)
    tags: ClassVar[Tags] = Tags(exactness="portable")

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_events(self, given)
        as_signal = StreamInfo(
            name=info.name,
            rate=info.rate,
            channels=Channels.of(info.sources, "feature", "1"),
            shape=(len(info.sources),),
            dtype=np.dtype(np.float32),
            origin=info.origin,
            support=info.support,
            settle=info.settle,
            delay=info.delay,
        )
        return self._grid(info).describe(as_signal)

    def _grid(self, info: EventInfo) -> Grid:
        length = to_samples(self, "length", self.length, info.rate)
        return Grid(length, length)

    def init(self, *infos: Info) -> State:
        self.describe(*infos)
        info = need_events(self, infos[0])
        return State(self._grid(info), seen=nowhere(), count=np.zeros(len(info.sources), np.int64))

    def process(self, state: State, *chunks: Any) -> Block:
        (events,) = chunks
        grid: Grid = state.design
        if events.stop > events.start and state["seen"][1] != events.start:
            state.reset()
        k = grid.next(state["seen"], events.start, events.stop)
        bins = max(events.stop // grid.hop - k, 0)
        counts = np.zeros((bins + 1, len(state["count"])), np.int64)
        counts[0] = state["count"]
        place = events.table["sample"] // grid.hop - k
        here = (place >= 0) & (place <= bins)
        np.add.at(counts, (place[here], events.table["source"][here]), 1)
        state["count"][:] = counts[bins]
        return Block(counts[:bins].astype(np.float32), k)
