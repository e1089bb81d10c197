"""RvrRecording: an `.rvr` folder as a recording; while it grows, as far as it was when opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError, FormatError
from ranvier.record._base import BaseRecording, Mark, Samples, Segment
from ranvier.record._format import Format
from ranvier.record._names import entities_of
from ranvier.record._rvr_format import END, HEAD, SUFFIX, need_plain, parts_of
from ranvier.record._rvr_head import Planned
from ranvier.record._rvr_index import Index, Part
from ranvier.record._rvr_log import Note
from ranvier.record._streams import StreamEntry, choose_stream
from ranvier.stream import Block, Entities, EventInfo, Events, StreamInfo

_ENTITIES = ("subject", "session", "run", "task", "device", "reference", "ground", "frame", "start")


class Delivered(NamedTuple):
    """Samples as they were delivered.

    Parameters
    ----------
    samples
        ``(n, *shape)``.
    start
        Index of the first.
    arrival
        Host time at which the last of its chunk was there [ns].
    device
        Device clock at the first [s]; nan where there is none.
    """

    samples: npt.NDArray[Any]
    start: int
    arrival: int
    device: float


class RawStream:
    """A stream of a recording as it was delivered.

    Attributes
    ----------
    info, gain, unit
        As the writer was told.
    index
        Where its samples are.
    """

    def __init__(self, planned: Planned, arrays: Mapping[str, Index]) -> None:
        self.name, self.gain, self.unit = planned.name, planned.stored.gain, planned.stored.unit
        self.info: StreamInfo = planned.stored.info  # type: ignore[assignment]
        self.arrays = arrays
        self.index = arrays["samples"]

    @property
    def stretches(self) -> list[tuple[int, int]]:
        """Index of the first sample of each stretch without a gap, and of the one behind its last."""
        return [(a, a + n) for a, n, _ in self.index.stretches()]

    def blocks(self, size: int | None = None) -> Iterator[Delivered]:
        """Yield all samples as delivered, chunk by chunk, or in blocks of at most `size` that no gap lies in."""
        records = self.index.records
        if size is not None and size < 1:
            raise ContractError(f"blocks needs size >= 1 sample; got {size}. Ask for at least one.")
        for k, at in enumerate(self.index.at.tolist()):
            first, n, host, device = (records[f][k].item() for f in ("first", "n", "host", "device"))
            step = size or n
            for i in range(0, n, step):
                m = min(step, n - i)
                later = i / float(self.info.rate) if self.info.rate else 0.0
                yield Delivered(self.index.read(at + i, at + i + m), first + i, host, device + later)


class RvrRecording(BaseRecording):
    """One signal of an `.rvr` recording, in its unit, with its events; and all else that the recording holds.

    Attributes
    ----------
    head
        Of its first part.
    closed
        Whether its last writer closed it.
    """

    def __init__(
        self, path: Path, parts: list[Part], chosen: Planned, *, partial: bool, notes: list[str],
        labels: Mapping[str, str] | None,
    ) -> None:  # fmt: skip
        self.path, self._parts, self._partial = path, parts, partial
        self.head: dict[str, Any] = parts[0].head
        self.closed = parts[-1].closed
        self._raw: dict[str, RawStream] = {}
        self._signal = self.raw(chosen.name)
        info, gain = self._signal.info, self._signal.gain
        self._gain = None if gain is None else np.asarray(gain, np.float32)
        if gain is not None:
            info = info.but(channels=info.channels.with_units(self._signal.unit or "1"))
        notes += [fault for p in parts for fault in p.faults]
        if not self.closed:
            why = "it is being written" if parts[-1].growing else "its writer was interrupted"
            notes.append(f"The recording was not closed: {why}.")
        segments = [Segment(*s) for s in self._signal.index.stretches()] or [Segment(0, 0, 0)]
        super().__init__(
            info=info.but(dtype=np.dtype(np.float32)),
            segments=segments,
            entities=_entities(path, self.head, self._signal),
            files=[f for p in parts for f in (p.folder / HEAD, *p.logs())] + self._signal.index.files(),
            notes=notes,
            labels=labels,
            event_sources=self._sources(),
            empty=True,
        )

    @property
    def _name(self) -> str:
        return self.path.name

    @property
    def _path(self) -> Path:
        return self.path

    def _load(self, a: int, b: int) -> Samples:
        x: Samples = self._signal.index.read(a, b).astype(np.float32, copy=False)
        return x if self._gain is None else x * self._gain

    # what else there is ------------------------------------------------------------------------
    @property
    def streams(self) -> list[str]:
        """Names of all streams, outputs of graphs and events among them."""
        return list(_all_streams(self._parts))

    @property
    def signal(self) -> RawStream:
        """The stream that this is, as it was delivered."""
        return self._signal

    def raw(self, stream: str) -> RawStream:
        """Return a stream as it was delivered."""
        if stream not in self._raw:
            planned = self._planned(stream)
            if not planned.arrays:
                raise ContractError(f"Stream {stream!r} holds events; take output({stream!r}).")
            found: dict[str, list[tuple[Part, Any]]] = {}
            for part in self._parts:
                for p in part.streams:
                    for role, kept in p.arrays.items() if p.name == stream else ():
                        found.setdefault(role, []).append((part, kept))
            indices = {role: Index(arrays, self._partial) for role, arrays in found.items()}
            self._raw[stream] = RawStream(planned, indices)
        return self._raw[stream]

    def log(self, kind: str = "") -> Iterator[Note]:
        """Yield notes in the order of writing, of one kind, or all."""
        for part in self._parts:
            yield from part.notes(kind)

    def output(self, name: str) -> Iterator[Block | Events]:
        """Yield what a graph put out: blocks with their masks and instants, or events."""
        if isinstance(self._planned(name).stored.info, EventInfo):
            for note in self.log("events"):
                if note.stream == name:
                    start, stop = int(note.payload["start"]), int(note.payload["stop"])
                    yield Events(start, stop, note.arrays.get("table"))
            return
        stream = self.raw(name)
        for a, b in _common([index.stretches() for index in stream.arrays.values()]):
            step = max(1, stream.index.kept.rows)
            for start in range(a, b, step):
                stop = min(start + step, b)
                values = {role: _between(index, start, stop) for role, index in stream.arrays.items()}
                yield Block(values["samples"], start, values.get("valid"), values.get("at"))

    def _planned(self, stream: str) -> Planned:
        known = _all_streams(self._parts)
        if stream not in known:
            raise ContractError(f"{self.path.name} has no stream {stream!r}; it has {', '.join(known)}. Name one.")
        return known[stream]

    # events ------------------------------------------------------------------------------------
    def _own_events(self) -> Iterator[Note]:
        for note in self.log("event"):
            if note.stream in ("", self._signal.name):
                yield note

    def _sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(n.payload.get("source", "")) for n in self._own_events())) or ("",)

    def _marks(self) -> Iterable[Mark]:
        place = {name: i for i, name in enumerate(self._event_sources)}
        for note in self._own_events():
            said = note.payload
            number = {k: float(said.get(k) or 0.0) for k in ("fraction", "duration", "value", "uncertainty")}
            source = place.get(str(said.get("source", "")), 0)
            sample = note.sample + number["fraction"]
            label = str(said.get("label", ""))
            yield Mark(sample, label, number["duration"], number["value"], source, number["uncertainty"])


def _all_streams(parts: list[Part]) -> dict[str, Planned]:
    return {p.name: p for part in reversed(parts) for p in part.streams}


def _common(stretches: list[list[tuple[int, int, int]]]) -> list[tuple[int, int]]:
    """Return the ranges that lie in a stretch of each."""
    ranges = [(a, a + n) for a, n, _ in stretches[0]]
    for others in stretches[1:]:
        spans = [(a, a + n) for a, n, _ in others]
        found, i, j = [], 0, 0
        while i < len(ranges) and j < len(spans):
            a, b = max(ranges[i][0], spans[j][0]), min(ranges[i][1], spans[j][1])
            if a < b:
                found.append((a, b))
            i, j = (i + 1, j) if ranges[i][1] <= spans[j][1] else (i, j + 1)
        ranges = found
    return ranges


def _between(index: Index, start: int, stop: int) -> npt.NDArray[Any]:
    """Return the samples from one index to another; no gap lies between."""
    k = int(np.searchsorted(index.first, start, "right")) - 1
    place = int(index.at[k]) + start - int(index.first[k])
    return index.read(place, place + stop - start)


def _entities(path: Path, head: Mapping[str, Any], signal: RawStream) -> Entities:
    said = head.get("entities")
    given = {k: str(v) for k, v in said.items() if k in _ENTITIES} if isinstance(said, Mapping) else {}
    return entities_of(path, **{"start": _begun(head, signal), **given})


def _begun(head: Mapping[str, Any], signal: RawStream) -> str:
    """Return when sample 0 was there, by the wall clock as it was when the recording began; empty if unknown."""
    if not len(signal.index.records) or not signal.info.rate:
        return ""
    first, clock = signal.index.records[0], head["clock"]
    before = (int(first["first"]) + int(first["n"])) / float(signal.info.rate)
    wall = (int(first["host"]) + int(clock["time_ns"]) - int(clock["monotonic_ns"])) * 1e-9 - before
    try:
        return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""


def _open_parts(path: Path, partial: bool) -> tuple[list[Part], list[str]]:
    """Return the parts that can be read, and what is wrong with the others."""
    need_plain(path)
    parts, notes = [], []
    for folder in parts_of(path):
        if not (folder / HEAD).exists() and not (folder / END).exists() and not any(folder.glob("notes-*")):
            notes.append(f"{folder.name} holds nothing: its writer was interrupted before it began.")
            continue
        parts.append(Part(folder, partial))
    if not parts:
        raise FormatError(f"{path.name} holds no part that was begun. Get a fresh copy, or record again.")
    return parts, notes


def _entries(parts: list[Part]) -> list[StreamEntry]:
    out = []
    for p in _all_streams(parts).values():
        info, samples = p.stored.info, None
        kind = "events"
        if isinstance(info, StreamInfo):
            kind = "output" if p.stored.masked or not info.rate else "signal"
            if all(part.closed for part in parts):
                own = [(part, q) for part in parts for q in part.streams if q.name == p.name]
                samples = max(part.stop(q.arrays["samples"]) for part, q in own) or None  # None: it may be opened
        channels = len(info.channels) if isinstance(info, StreamInfo) else len(info.sources)
        out.append(StreamEntry(p.name, kind, float(info.rate) if kind != "events" else 0.0, channels, samples))
    return out


def _open(
    path: Path,
    *,
    stream: str | int | None = None,
    labels: Mapping[str, str] | None = None,
    partial: bool = False,
) -> RvrRecording:
    parts, notes = _open_parts(path, partial)
    planned = list(_all_streams(parts).values())
    entries = _entries(parts)
    if stream is None:  # outputs are asked for by name
        signals = [i for i, e in enumerate(entries) if e.type == "signal"]
        place = choose_stream(path, [entries[i] for i in signals], None, notes)
        chosen = planned[signals[place]]
    else:
        chosen = planned[choose_stream(path, entries, stream, notes)]
    if chosen.stored.masked or len(chosen.stored.info.shape) != 1:  # type: ignore[union-attr]
        raise FormatError(f"{path.name}: {chosen.name!r} is what a graph put out. Take output({chosen.name!r}).")
    return RvrRecording(path, parts, chosen, partial=partial, notes=notes, labels=labels)


RVR = Format(
    name="Ranvier recording",
    suffixes=(SUFFIX,),
    magic="a folder with part-000/head.json",
    sniff=lambda path, head: path.is_dir() and bool(parts_of(path)),
    open=_open,
    streams=lambda path: _entries(_open_parts(path, True)[0]),
    folder=True,
)
