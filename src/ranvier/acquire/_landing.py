"""Landing: from markers in host time to events in samples, and how far they are complete."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from math import floor, hypot
from typing import Literal, NamedTuple

import numpy as np

from ranvier.acquire._clock import LEAP
from ranvier.acquire._marker import Marker
from ranvier.acquire._source import Mark
from ranvier.errors import ConfigError
from ranvier.stream import EVENT, Clock, ClockFit, EventInfo, Events, StreamInfo

Why = Literal["", "late", "unknown", "before"]


class Sender(NamedTuple):
    """What is known of who sends markers: how late they may come, and the spread of their instants [s]."""

    watermark: float
    jitter: float


class Landed(NamedTuple):
    """A marker that found its sample, and why it does not enter the graph.

    Parameters
    ----------
    sample
        Index of its instant, with its fraction.
    uncertainty
        One standard deviation of the instant [s].
    label, value, sender
        As it came.
    arrival
        Host time at which it was there [ns].
    why
        ``late``: came after its watermark; ``unknown``: a label that was not declared; ``before``: of a time before
        the stream began.
    """

    sample: float
    uncertainty: float
    label: str
    value: float
    sender: str
    arrival: int
    why: Why


class _Waiting(NamedTuple):
    """A marker on its way; ordered by its instant: of host time [s], or sample where that is known."""

    instant: float
    sender: int
    order: int
    label: str
    value: float
    arrival: int
    late: bool
    uncertainty: float = 0.0


class Landing:
    """Let markers of several senders land in one stream of samples.

    Parameters
    ----------
    info
        The stream whose samples count.
    labels
        Labels that enter the graph: numbered in their order, or label -> code. Others are kept, and set aside.
    senders
        Name -> `Sender`, of every source of markers.
    name
        What the events are called.

    Notes
    -----
    What is told: `fit` (of the stream's clock), `packet`, `marker` (by host time), `mark` (in the stream itself), in
    the order in which it came. What is asked: `take`, at any time; when it is asked changes nothing but the cuts
    between the chunks.

    A marker is late where it arrived more than its watermark after its instant, and a mark where its sample lay more
    than that before the newest packet: no clock and no question decides. A chunk ends where everything that may still
    come in time comes later. An instant becomes a sample by the fit in force there; the uncertainty is the sender's
    jitter and the clock's. Within a chunk events are in order of time, then sender.

    Where the host's clock is stepped by more than 1 s, what came before lands by the old fit, what comes after by the
    new one; markers of the new time that were waiting for a step forward to be believed land late.
    """

    def __init__(
        self,
        info: StreamInfo,
        labels: Sequence[str] | Mapping[str, int],
        senders: Mapping[str, Sender],
        *,
        name: str = "events",
    ) -> None:
        self._codes = dict(labels) if isinstance(labels, Mapping) else {v: i for i, v in enumerate(labels)}
        if not senders or not self._codes or len(set(self._codes.values())) < len(labels):
            raise ConfigError(
                f"Landing needs a sender, and labels with a code each; got {len(senders)} senders, labels "
                f"{str(labels)[:200]}. Declare the labels that the graph uses."
            )
        self.info = EventInfo.of(info, {c: v for v, c in self._codes.items()}, name=name, sources=tuple(senders))
        self._names, self._senders, self._rate = list(senders), list(senders.values()), float(info.rate)
        self._wait = max(s.watermark for s in self._senders)
        self._clock: Clock | None = None
        self._by_time: list[_Waiting] = []
        self._by_sample: list[_Waiting] = []
        self._aside: list[Landed] = []
        self._begin = self._before = self._newest = self._count = self._done = 0
        self._stop = -1
        self.counts = {"entered": 0, "late": 0, "unknown": 0, "before": 0}

    # what is told -----------------------------------------------------------------------------
    def fit(self, fit: ClockFit) -> None:
        """Take in a fit of the stream's clock."""
        clock = self._clock
        if clock is None:
            self._clock = Clock(fit)
        elif abs(clock.time_of(fit.since) - fit.time_of(fit.since)) <= LEAP:
            clock.add(fit)
        else:
            waiting, self._by_time, self._clock = self._by_time, [], Clock(fit)
            for w in waiting:
                place = clock.index_of(w.instant)
                if place < fit.since:
                    insort(self._by_sample, self._placed(w, place, clock))
                else:
                    insort(self._by_time, w._replace(late=w.late or fit.index_of(w.instant) < fit.since))

    def packet(self, start: int, stop: int) -> None:
        """Take in that samples `start` to `stop` came."""
        if self._stop < 0:
            self._begin = self._stop = self._newest = start
        self._before, self._newest = self._newest, stop

    def marker(self, marker: Marker, sender: str) -> None:
        """Take in a marker in host time."""
        k = self._place(sender)
        late = marker.arrival_ns - marker.host_ns > round(self._senders[k].watermark * 1e9)
        self._count += 1
        insort(
            self._by_time,
            _Waiting(marker.host_ns * 1e-9, k, self._count, marker.label, marker.value, marker.arrival_ns, late),
        )

    def mark(self, mark: Mark, sender: str) -> None:
        """Take in a mark of the stream itself: right behind its packet, or before its sample has come."""
        k = self._place(sender)
        who = self._senders[k]
        late = mark.sample < self._before - who.watermark * self._rate
        self._count += 1
        w = _Waiting(mark.sample, k, self._count, mark.label, mark.value, mark.arrival, late, who.jitter)
        insort(self._by_sample, w)

    def _place(self, sender: str) -> int:
        if sender not in self._names:
            raise ConfigError(f"Landing knows the senders {', '.join(self._names)}; got {sender!r}. Declare it.")
        return self._names.index(sender)

    # what is asked ----------------------------------------------------------------------------
    def take(self, heard: int) -> Events:
        """Return the events that are complete, from where the last chunk ended.

        Parameters
        ----------
        heard
            Host time [ns] up to which everything that arrived has been told: read the clock, then the sources.
        """
        clock, start = self._clock, self._stop
        if start < 0 or (clock is None and self._wait):
            return Events(0, 0)
        self._done = start
        stop = floor(self._newest - self._wait * self._rate)
        if clock is not None and self._wait:  # marks of the stream itself come with their samples, whenever that is
            stop = min(stop, floor(clock.index_of(heard * 1e-9 - self._wait)))
        self._stop = stop = max(start, stop)
        rows = []
        for w in self._landed(clock, stop):
            code = self._codes.get(w.label)
            why = self._why_not(w, code)
            if why or code is None:
                self.counts[why] += 1
                sender = self._names[w.sender]
                self._aside.append(Landed(w.instant, w.uncertainty, w.label, w.value, sender, w.arrival, why))
                continue
            whole = floor(w.instant)
            fraction = min(w.instant - whole, 1 - 2**-24)  # as float32 it stays below 1
            rows.append((whole, fraction, 0.0, code, w.value, w.sender, w.uncertainty))
        self.counts["entered"] += len(rows)
        return Events(start, stop, np.array(rows, EVENT))

    def aside(self) -> list[Landed]:
        """Return the markers that were set aside since the last call."""
        found, self._aside = self._aside, []
        return found

    def _why_not(self, w: _Waiting, code: int | None) -> Why:
        if w.instant < self._begin:
            return "before"
        if w.late or w.instant < self._done:
            return "late"
        return "" if code is not None else "unknown"

    def _landed(self, clock: Clock | None, stop: int) -> list[_Waiting]:
        """Take the markers of samples before `stop`, in their order."""
        done = 0
        for w in self._by_time:
            if clock is None:
                break
            place = clock.index_of(w.instant)
            if place >= stop:
                break
            insort(self._by_sample, self._placed(w, place, clock))
            done += 1
        del self._by_time[:done]
        last = next((k for k, w in enumerate(self._by_sample) if w.instant >= stop), len(self._by_sample))
        landed, self._by_sample = self._by_sample[:last], self._by_sample[last:]
        return landed

    def _placed(self, w: _Waiting, place: float, clock: Clock) -> _Waiting:
        jitter = self._senders[w.sender].jitter
        return w._replace(instant=place, uncertainty=hypot(jitter, clock.fit_at(place).uncertainty))
