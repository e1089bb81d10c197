"""BaseRecording: what every opened recording can do, whatever its format."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError, FormatError
from ranvier.record._reading import guarded
from ranvier.stream import EVENT, Block, Entities, EventInfo, Events, StreamInfo, Targets, Trials

Samples = npt.NDArray[np.float32]
_PIECE = 1 << 18  # numbers that are read at once: 1 MiB of float32


class Segment(NamedTuple):
    """A stretch without a gap: `n` samples from index `start` on, kept at place `at` of the file."""

    start: int
    n: int
    at: int

    @property
    def stop(self) -> int:
        return self.start + self.n


class Mark(NamedTuple):
    """One event as a file has it; `sample` and `duration` in samples of the stream, not yet whole ones."""

    sample: float
    label: str
    duration: float = 0.0
    value: float = 0.0
    source: int = 0
    uncertainty: float = 0.0


class BaseRecording(abc.ABC):
    """A recording on disk or in memory; implements `ranvier.stream.Recording`.

    Where the format itself says that samples are missing (a pause, lost packets), the index jumps:
    `segments` lists the stretches between, `blocks` never yields one across, and `n_samples` counts
    the missing ones too. A NaN stays a NaN, marked valid: `denoise.Integrity` judges it.

    Parameters
    ----------
    info
        Description of the signal; potentials in uV.
    segments
        Stretches without a gap, or the number of samples where there is none.
    entities
        Subject, session, run and so on.
    files
        The files that it consists of.
    notes
        What was converted, assumed or found on opening, one sentence each.
    labels
        New names for event labels, original -> new; others stay as they are.
    event_sources
        Names of what sends events.
    lazy
        True where blocks are read from the file as they are asked for.
    empty
        Whether it may hold no sample, as one that has just begun.
    """

    def __init__(
        self,
        *,
        info: StreamInfo,
        segments: Sequence[Segment] | int,
        entities: Entities,
        files: Sequence[Path] = (),
        notes: list[str] | None = None,
        labels: Mapping[str, str] | None = None,
        event_sources: Sequence[str] = ("",),
        lazy: bool = True,
        empty: bool = False,
    ) -> None:
        self.info = info
        self.segments = (Segment(0, segments, 0),) if isinstance(segments, int) else tuple(segments)
        self.entities = entities
        self.files = tuple(files)
        self.notes = [] if notes is None else notes
        self.lazy = lazy
        self._labels = dict(labels or {})
        self._event_sources = tuple(event_sources)
        held = sum(s.n for s in self.segments)
        if not held and not empty:
            raise FormatError(f"{self._name} holds no sample of {info.name!r}. Record again, or choose another stream.")
        if len(self.segments) > 1:
            lost = (self.n_samples - held) / float(info.rate)
            self.notes.append(f"{len(self.segments) - 1} gaps, {lost:g} s in all: there the index jumps.")

    @abc.abstractmethod
    def _load(self, a: int, b: int) -> Samples:
        """Return the samples at places `a` to `b` of the file: ``(b - a, n_channels)``, units of `info`."""

    def _marks(self) -> Iterable[Mark]:
        """Return the events of the file, in any order."""
        return ()

    @property
    def _name(self) -> str:
        return self.files[0].name if self.files else self.info.name

    @property
    def _path(self) -> Path:
        return self.files[0] if self.files else Path(self.info.name)

    @property
    def n_samples(self) -> int:
        """Index after the last sample, missing ones counted."""
        return self.segments[-1].stop

    @property
    def duration(self) -> float:
        """From the first sample to the end of the last [s], gaps counted."""
        return float(self.n_samples / self.info.rate)

    def index_of(self, place: float) -> float:
        """Return the index in the stream of a place in the file (a count of the samples that it holds)."""
        segment = next((s for s in reversed(self.segments) if place >= s.at), self.segments[0])
        return place - segment.at + segment.start

    # events -----------------------------------------------------------------------------------
    @cached_property
    def _events(self) -> tuple[EventInfo, Events]:
        with guarded(self._path, self.notes, "reading its events"):
            marks = list(self._marks())
        kept = [m for m in marks if m.sample + 1e-3 >= 0 and m.sample < self.n_samples]
        if len(kept) < len(marks):
            self.notes.append(f"{len(marks) - len(kept)} events lie outside the signal and are left out.")
        table = np.zeros(len(kept), EVENT)
        names = sorted({self._labels.get(m.label, m.label) for m in kept})
        code = {name: i for i, name in enumerate(names)}
        for row, m in zip(table, kept, strict=True):
            whole = round(m.sample) if abs(m.sample - round(m.sample)) < 1e-3 else int(np.floor(m.sample))
            row["sample"] = whole
            row["fraction"] = max(0.0, min(m.sample - whole, 1 - 2**-24))  # a decimal time of an instant on a sample
            row["duration"], row["value"], row["source"] = m.duration, m.value, m.source
            row["code"] = code[self._labels.get(m.label, m.label)]
            row["uncertainty"] = m.uncertainty
        order = np.lexsort((table["source"], table["fraction"], table["sample"]))
        info = EventInfo.of(self.info, dict(enumerate(names)), sources=self._event_sources)
        return info, Events(0, self.n_samples, table[order])

    @property
    def event_info(self) -> EventInfo:
        return self._events[0]

    @property
    def events(self) -> Events:
        """All events, with the labels that the file has, counted in samples of the signal."""
        return self._events[1]

    def _runs(self, channel: int, mask: int = -1) -> Iterator[tuple[int, int, int]]:
        """Yield (index, length, value) of each stretch in which a trigger channel keeps a value that is not 0."""
        step = max(1, _PIECE // self.info.n_channels)
        for s in self.segments:
            held, begin = 0, s.start
            for a in range(s.start, s.stop, step):
                column = self._get(s, a, min(a + step, s.stop))[:, channel]
                if not np.array_equal(column, np.round(column)):
                    name = self.info.channels.names[channel]
                    self.notes.append(f"{name} holds other than whole numbers: not read as a trigger channel.")
                    return
                x = column.astype(np.int64) & mask
                for k in np.flatnonzero(np.diff(x, prepend=held)):
                    if held:
                        yield begin, a + int(k) - begin, held
                    held, begin = int(x[k]), a + int(k)
            if held:
                yield begin, s.stop - begin, held

    # samples ----------------------------------------------------------------------------------
    def _range(self, start: int, stop: int | None) -> tuple[int, int]:
        end = self.n_samples if stop is None else stop
        if not 0 <= start <= end <= self.n_samples:
            raise ContractError(
                f"{self._name} needs 0 <= start <= stop <= {self.n_samples} samples; got start={start}, stop={end}. "
                "Ask for samples that it has."
            )
        return start, end

    def blocks(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        """Yield the signal from index `start` to `stop` in blocks of `size` samples, fewer where a segment ends."""
        if size < 1:
            raise ContractError(f"blocks needs size >= 1 sample; got {size}. Ask for at least one.")
        start, end = self._range(start, stop)
        step = size * max(1, _PIECE // (size * self.info.n_channels))
        for s in self.segments:
            a, b = max(start, s.start), min(end, s.stop)
            for i in range(a, b, step):
                piece = self._get(s, i, min(i + step, b))
                for k in range(0, len(piece), size):
                    yield Block(piece[k : k + size], i + k)

    def _get(self, segment: Segment, a: int, b: int) -> Samples:
        with guarded(self._path, self.notes, f"reading samples {a} to {b}"):
            data = self._load(a - segment.start + segment.at, b - segment.start + segment.at)
        return np.ascontiguousarray(data, dtype=np.float32)

    def read(self, start: int = 0, stop: int | None = None) -> Block:
        """Return the signal from index `start` to `stop` as one block; refuses a range with a gap."""
        start, end = self._range(start, stop)
        segment = next((s for s in self.segments if s.start <= start and end <= s.stop), None)
        if segment is None:
            raise ContractError(
                f"read needs a range without a gap; got {start} to {end}, and {self._name} has gaps. "
                "Read each of its segments, or go through blocks()."
            )
        return Block(self._get(segment, start, end), start)

    def trials(self, labels: str | Sequence[str] | dict[str, str], tmin: float, tmax: float, group: str = "") -> Trials:
        """Return the trials of the events whose label fits (globs; a mapping renames), `tmin` to `tmax` [s] from each.

        The group is the run, else the session, unless given.
        """
        group = group or self.entities.run or self.entities.session
        return Trials.from_events(self.events, self.event_info, labels, tmin=tmin, tmax=tmax, group=group)

    def targets(self, patterns: str | Sequence[str]) -> Targets:
        """Return the channels that fit (name, kind or glob) as what a continuous decoder is to follow."""
        wanted = [patterns] if isinstance(patterns, str) else list(patterns)
        index = list(dict.fromkeys(i for p in wanted for i in self.info.channels.find(p)))
        if not index:
            raise ContractError(
                f"targets needs channels that fit {wanted}; got {', '.join(self.info.channels.names[:12])}. "
                "Name channels that the recording has."
            )
        chosen = self.info.channels.take(index)
        values = self.read().data[:, index].astype(np.float64)
        return Targets(names=chosen.names, units=chosen.units, values=values)

    def digest(self) -> str:
        """Return the SHA-256 of the bytes of its files, in their order."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        import hashlib  # 3 ms that importing this room need not cost

        total = hashlib.sha256()
        for path in self.files:
            with path.open("rb") as file:
                while part := file.read(1 << 20):
                    total.update(part)
        return total.hexdigest()

    def __repr__(self) -> str:
        return (
            f"<{self._name}: {self.info.n_channels} channels, {float(self.info.rate):g} Hz, {self.duration:g} s"
            f"{'' if self.lazy else ', in memory'}>"
        )
