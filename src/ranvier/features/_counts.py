"""BinnedCounts: how many events each sender gave in bins of equal length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from ranvier.features._grid import Grid, to_samples
from ranvier.kernels import bins_state
from ranvier.stage import EVENTS, Port, Stage, State, Tags, need_events
from ranvier.stream import Array, Block, Channels, EventInfo, Events, Info, StreamInfo


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
    events or without. Where the events' index jumps, a bin that was begun is dropped.

    Where the labels are those of `Spikes`, only "spike" is counted, and a bin is invalid for a sender that was not
    listened to during any part of it: from a fresh start to its first "back", and from each "lost" to the next
    "back" (with "lost" alone, senders are listened to from the start). An invalid bin holds what was heard. Other
    events are all counted, whatever their code, and all bins are valid. Delay: none added. Support and settle: a
    bin more. Portable.

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

    def bins(self, given: Info) -> int:
        """Return how many samples a bin has, where what comes in are crossings alone."""
        info = need_events(self, given)
        return self._grid(info).hop if tuple(info.labels.values()) == ("spike", "lost", "back") else 0

    def init(self, *infos: Info) -> State:
        self.describe(*infos)
        info = need_events(self, infos[0])
        codes = {label: code for code, label in info.labels.items()}
        known = (codes["spike"], codes.get("lost"), codes.get("back")) if _speaks_of_loss(codes) else None
        state = bins_state(len(info.sources))
        state["away"][:] = known is not None and "back" in codes
        return State((self._grid(info), known), **state)

    def process(self, state: State, *chunks: Any) -> Block:
        (events,) = chunks
        grid, known = state.design
        if events.stop > events.start and state["heard"][1] != events.start:
            state.reset()
        k = grid.next(state["heard"], events.start, events.stop)
        begun = events.start // grid.hop  # its rest is counted, but comes out only where it was heard from its start
        bins = events.stop // grid.hop - begun
        counts = np.zeros((bins + 1, len(state["number"])), np.int32)
        counts[0] = state["number"]
        table = events.table
        changes = table[:0]
        if known is not None and len(table):
            spikes = table["code"] == known[0]
            if not spikes.all():
                table, changes = table[spikes], table[~spikes]
        place = table["sample"] // grid.hop - begun
        here = (place >= 0) & (place <= bins)
        np.add.at(counts, (place[here], table["source"][here]), 1)
        state["number"][:] = counts[bins]
        valid = None
        if len(changes) or state["away"].any() or state["missing"].any():
            missing = _missing(state["away"], state["missing"], changes, known, events, grid.hop, begun, bins)
            valid = ~missing[k - begun : bins]
        return Block(counts[k - begun : bins].astype(np.float32), k, valid)


def _speaks_of_loss(labels: Any) -> bool:
    return "spike" in labels and ("lost" in labels or "back" in labels)


def _missing(
    away: Array, begun: Array, changes: Array, known: Any, events: Events, hop: int, k: int, bins: int
) -> Array:
    """Return which of `bins` bins from bin `k` on, and of the one begun after them, were not heard in whole.

    Takes `away` and `begun`, what was missing of the bin that was begun before, on to the end of the chunk.
    """
    missing = np.zeros((bins + 1, len(away)), bool)
    missing[0] = begun
    since = np.full(len(away), events.start)
    for sample, code, c in zip(changes["sample"], changes["code"], changes["source"], strict=True):
        if code == known[1] and not away[c]:
            away[c], since[c] = True, sample
        elif code == known[2] and away[c]:
            away[c] = False
            if sample > since[c]:
                missing[max(since[c] // hop - k, 0) : max((sample - 1) // hop - k + 1, 0), c] = True
    place = np.arange(bins + 1)[:, None]
    missing |= away & (place >= since // hop - k) & (place <= (events.stop - 1) // hop - k) & (events.stop > since)
    begun[:] = missing[bins]
    return missing
