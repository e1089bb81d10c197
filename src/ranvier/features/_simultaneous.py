"""RejectSimultaneous: crossings that come on many channels at once, left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from ranvier.errors import ContractError, StateError
from ranvier.features._grid import to_samples
from ranvier.stage import EVENTS, Port, Stage, State, Tags, counter, need_events, need_number
from ranvier.stream import Array, EventInfo, Events, Info
from ranvier.stream._events import EVENT


@final
@dataclass(frozen=True, eq=False)
class RejectSimultaneous(Stage):
    """Leave out crossings that many channels have at once: artefacts, which neurons do not make.

    Parameters
    ----------
    within
        How far apart they may be to count as at once [s], either way; rounded to samples.
    share
        Part of the channels above which crossings are left out.
    groups
        Names of the channels that count together, group by group; left empty, all do. A channel in no group keeps
        its crossings.

    Notes
    -----
    *In*: events, one sender a channel, from `Spikes`. *Out*: the same, less those left out; ``lost``, ``back`` and
    whatever else is no ``spike`` passes (where no label is ``spike``, all events count). Events keep their instants
    and come out `within` later, once what comes near them is known; what was not yet out where the index jumps is
    lost. Delay: none added. Support and settle: twice `within` more. Portable.

    Examples
    --------
    >>> from ranvier.stage import Run
    >>> from ranvier.stream import EventInfo, Events, StreamInfo
    >>> names = tuple("ABCD")
    >>> info = EventInfo.of(StreamInfo.signal(30_000, 4), {0: "spike"}, sources=names)
    >>> found = Events.at([10, 50, 51, 52], stop=100)
    >>> found.table["source"] = [0, 1, 2, 3]
    >>> Run(RejectSimultaneous(share=0.5), info).push(found).table["sample"].tolist()
    [10]
    """

    within: float = 0.00015
    share: float = 0.25
    groups: tuple[tuple[str, ...], ...] = ()

    inputs: ClassVar[tuple[Port, ...]] = (EVENTS,)
    outputs: ClassVar[tuple[Port, ...]] = (EVENTS,)
    tags: ClassVar[Tags] = Tags(exactness="portable")

    def describe(self, *infos: Info) -> EventInfo:
        (given,) = infos
        info = need_events(self, given)
        need_number(self, "share", self.share, 0, 1, "of the channels", "Take 0.25 if in doubt.")
        n = to_samples(self, "within", self.within, info.rate, 0)
        self._group_of(info)
        more = int(-(-2 * n * info.origin.step // 1))
        return info.but(support=info.support + more, settle=info.settle + more)

    def _group_of(self, info: EventInfo) -> Array:
        """Return the group of each sender, -1 for none."""
        group = np.full(len(info.sources), -1 if self.groups else 0)
        for g, names in enumerate(self.groups):
            for name in names:
                if name not in info.sources or group[info.sources.index(name)] >= 0:
                    raise ContractError(
                        f"RejectSimultaneous needs channels of the stream, each in one group; got {name!r} in group "
                        f"{g}. Known are {', '.join(info.sources[:6])} ({len(info.sources)})."
                    )
                group[info.sources.index(name)] = g
        return group

    def init(self, *infos: Info) -> State:
        self.describe(*infos)
        info = need_events(self, infos[0])
        near = to_samples(self, "within", self.within, info.rate, 0)
        group = self._group_of(info)
        spikes = [code for code, label in info.labels.items() if label == "spike"]
        most = self.share * np.bincount(group[group >= 0], minlength=max(1, len(self.groups)))
        room = 4096 + 4 * (2 * near + 1) * len(info.sources)
        return State(
            (near, group, most, np.array(spikes or list(info.labels))),
            kept=np.zeros(room, EVENT),
            n=counter(),
            told=counter(),
            next=counter(-1),
        )

    def process(self, state: State, *chunks: Events) -> Events:
        (events,) = chunks
        near, group, most, codes = state.design
        if events.stop > events.start and state["next"][0] != events.start:
            state.reset()
            state["told"][0] = events.start
        if events.stop == events.start:
            at = int(state["told"][0]) if state["next"][0] >= 0 else events.start
            return Events(at, at)
        state["next"][0] = events.stop
        table = events.table
        if held := int(state["n"][0]):
            table = np.concatenate([state["kept"][:held], table])
        start, stop = int(state["told"][0]), max(int(state["told"][0]), events.stop - near)
        if not len(table):
            state["told"][0] = stop
            return Events(start, stop)
        due = np.flatnonzero((table["sample"] >= start) & (table["sample"] < stop))
        counted = np.isin(table["code"], codes)
        drop = np.zeros(len(table), bool)
        for g, limit in enumerate(most):
            mine = np.flatnonzero(counted & (group[table["source"]] == g))
            drop[mine] = _at_once(table["sample"][mine], table["source"][mine], near, limit)
        rest = table[table["sample"] >= stop - near]
        if len(rest) > len(state["kept"]):
            raise StateError(
                f"RejectSimultaneous needs at most {len(state['kept'])} events within {4 * near + 1} samples; got "
                f"{len(rest)}. Give Spikes a longer refractory time or a higher threshold."
            )
        state["n"][0], state["told"][0] = len(rest), stop
        state["kept"][: len(rest)], state["kept"][len(rest) : held] = rest, 0
        return Events(start, stop, table[due[~drop[due]]])


def _at_once(sample: Array, source: Array, near: int, limit: float) -> Array:
    """Say which events have more than `limit` senders within `near` samples."""
    low, high = np.searchsorted(sample, sample - near), np.searchsorted(sample, sample + near, "right")
    many = high - low > limit
    for a, b in set(zip(low[many].tolist(), high[many].tolist(), strict=True)):  # those of one instant share them
        if len(np.unique(source[a:b])) <= limit:
            many[(low == a) & (high == b)] = False
    return many
