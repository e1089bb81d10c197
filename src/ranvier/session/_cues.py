"""Cues: the markers of an experiment on their way to the samples of a stream, beside the loop."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from threading import Event, Thread
from typing import Any

import numpy as np

from ranvier.acquire import Landing, Marker, MarkerSource, Sender
from ranvier.session._intake import Intake
from ranvier.stream import EVENT, EventInfo, Events, StreamInfo

DEVICE = "device"  # who sends the marks of the stream itself
IN_BAND = Sender(0.0, 0.0)
TURN = 0.02  # s that a marker's thread waits for one
NONE = "\0"  # stands for the labels of a session whose graph takes no events: all are recorded, none enters

Said = tuple[int, dict[str, Any]]  # sample, what is to be written down


class Cues:
    """Follows marker sources, each in a thread, and lands what they tell in the first source's samples.

    Parameters
    ----------
    info
        The stream whose samples count.
    sources
        Marker sources by name.
    labels
        Labels that enter the graph, in the order of their codes.

    Attributes
    ----------
    info
        Description of the events that enter the graph.
    gone
        Sources that ended of themselves, and why: the loop writes it down, and takes it from the left.
    """

    def __init__(self, info: StreamInfo, sources: Mapping[str, MarkerSource], labels: Sequence[str] = ()) -> None:
        senders = {DEVICE: IN_BAND} | {n: Sender(s.watermark, s.jitter) for n, s in sources.items()}
        self._landing = Landing(info, tuple(labels) or (NONE,), senders)
        self.info: EventInfo = self._landing.info
        self.gone: deque[dict[str, Any]] = deque()
        self._followed = [_Followed(name, s, self.gone) for name, s in sources.items()]
        self._newest = self._heard = 0

    def start(self) -> None:
        """Open and start the sources and their threads."""
        for f in self._followed:
            f.start()

    def stop(self) -> None:
        """End the threads, close the sources."""
        for f in self._followed:
            f.stop()

    def hear(self, intake: Intake, start: int, stop: int) -> None:
        """Take in that samples came, and what else has come since."""
        # first the clock, then what was found: a marker that is found meanwhile is not promised yet
        self._heard = min([f.heard for f in self._followed], default=time.monotonic_ns())
        while intake.fits:
            self._landing.fit(intake.fits.popleft())
        if stop > start:
            self._landing.packet(start, stop)
            self._newest = stop
        while intake.marks:
            self._landing.mark(intake.marks.popleft(), DEVICE)
        for f in self._followed:
            while f.found:
                self._landing.marker(f.found.popleft(), f.name)

    def take(self) -> tuple[Events, list[Said]]:
        """Return the events that are complete, and what is to be written down of them and of those set aside."""
        events = self._landing.take(self._heard)
        said = [self._said(row) for row in events.table] if events.n else []
        for x in self._landing.aside():
            whole = int(x.sample // 1)
            said.append(
                (whole, {
                    "label": x.label, "fraction": x.sample - whole, "value": x.value, "source": x.sender,
                    "uncertainty": x.uncertainty, "arrival": x.arrival, "aside": x.why,
                })
            )  # fmt: skip
        return events, said

    def last(self) -> list[Said]:
        """Return what is to be written down of the markers that were still on their way when the samples ended."""
        wait = max((f.source.watermark for f in self._followed), default=0.0)
        newest = self._newest
        self._landing.packet(newest, newest + round((wait + 1) * float(self.info.rate)))
        return self.take()[1]

    def _said(self, row: Any) -> Said:
        return int(row["sample"]), {**said_of(self.info, row), "place": int(row["source"])}


def said_of(info: EventInfo, row: Any) -> dict[str, Any]:
    """Return what is to be written down of an event beside its sample, code and source by their names too."""
    table: dict[str, Any] = {name: row[name].item() for name in row.dtype.names if name != "sample"}
    return table | {"label": info.labels[table["code"]], "source": info.sources[table["source"]]}


class _Followed:
    """One source of markers and its thread."""

    def __init__(self, name: str, source: MarkerSource, gone: deque[dict[str, Any]]) -> None:
        self.name, self.source, self._gone = name, source, gone
        self.found: deque[Marker] = deque(maxlen=65536)
        self.heard = time.monotonic_ns()
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"markers of {name}", daemon=True)

    def start(self) -> None:
        self.source.open()
        self.source.start(time.monotonic_ns)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(5)
        self.source.close()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                before = time.monotonic_ns()
                self.found.extend(self.source.read(TURN))
                self.heard = before
        except Exception as e:  # who is gone sends nothing, whatever its driver calls that
            self._gone.append({"reason": "markers lost", "source": self.name, "error": f"{type(e).__name__}: {e}"})
        self.heard = 2**62


def events_of(notes: Any) -> Events:
    """Return the events that entered the graph of a recorded session, from its notes of kind ``event``."""
    rows = [
        (n.sample, p["fraction"], p["duration"], p["code"], p["value"], p["place"], p["uncertainty"])
        for n in notes
        if "aside" not in (p := n.payload) and "place" in p
    ]
    table = np.array(rows, EVENT) if rows else np.zeros(0, EVENT)
    return Events(0, int(table["sample"][-1]) + 1 if len(table) else 0, table)
