"""Content: what of a recording goes into a file of others, whatever its format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ranvier.errors import FormatError
from ranvier.record._base import BaseRecording, Segment
from ranvier.stream import Block, StreamInfo, is_all_valid

PIECE = 1 << 20  # numbers that are taken at once


class MarkAt(NamedTuple):
    """An event: when [s from sample 0], its label, how long [s], its value and the uncertainty of its instant [s]."""

    onset: float
    label: str
    duration: float = 0.0
    value: float = 0.0
    uncertainty: float = 0.0


class Stretch(NamedTuple):
    """Samples `start` to `stop` of a channel (-1: of all) that are not to be trusted."""

    start: int
    stop: int
    channel: int


class Decided(NamedTuple):
    """What a graph put out: times [s from sample 0], and one row of numbers each, nan where they are invalid."""

    name: str
    rate: float
    columns: tuple[str, ...]
    units: tuple[str, ...]
    times: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]


@dataclass
class Content:
    """A recording, as exports see it; times count from sample 0 at the nominal rate."""

    recording: BaseRecording
    info: StreamInfo
    segments: tuple[Segment, ...]
    marks: list[MarkAt]
    decided: list[Decided] = field(default_factory=list)
    commands: list[MarkAt] = field(default_factory=list)
    fits: list[tuple[int, float]] = field(default_factory=list)  # sample, its host time [s]
    notes: list[str] = field(default_factory=list)
    gains: npt.NDArray[np.float64] | None = None  # unit of each channel a count, where there are counts

    @property
    def rate(self) -> float:
        return float(self.info.rate)

    @property
    def n_held(self) -> int:
        """Samples that there are, gaps not counted."""
        return sum(s.n for s in self.segments)

    @property
    def first(self) -> int:
        """Index of the first sample that there is."""
        return self.segments[0].start

    @property
    def span(self) -> int:
        """Samples from the first to the last, gaps counted."""
        return self.segments[-1].stop - self.first

    @property
    def gaps(self) -> list[Stretch]:
        return [Stretch(a.stop, b.start, -1) for a, b in zip(self.segments, self.segments[1:], strict=False)]

    @property
    def begin(self) -> datetime | None:
        """When sample 0 was taken, where the recording says it."""
        try:
            found = datetime.fromisoformat(self.recording.entities.start)
        except ValueError:
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def blocks(self) -> Iterator[Block]:
        """Yield the signal in large blocks; what is invalid is nan."""
        size = max(1, PIECE // self.info.n_channels)
        for block in self.recording.blocks(size):
            clean = is_all_valid(block.valid)
            yield block if clean else Block(np.where(block.valid, block.data, np.nan), block.start)

    def invalid(self) -> list[Stretch]:
        """Return where channels are invalid, or no finite numbers, in the order of time."""
        open_: dict[int, int] = {}
        found: list[Stretch] = []
        end = self.first
        for block in self.blocks():
            bad = ~np.isfinite(block.data)
            if block.start != end:
                found += [Stretch(a, end, c) for c, a in open_.items()]
                open_ = {}
            end = block.stop
            for c in np.flatnonzero(bad.any(axis=0)).tolist() + [c for c in open_ if not bad[:, c].any()]:
                before = c in open_
                for k in np.flatnonzero(np.diff(bad[:, c], prepend=before)).tolist():
                    if c in open_:
                        found.append(Stretch(open_.pop(c), block.start + k, c))
                    else:
                        open_[c] = block.start + k
        found += [Stretch(a, end, c) for c, a in open_.items()]
        return sorted(found)


def content_of(recording: BaseRecording) -> Content:
    """Gather what a recording holds."""
    info, rate = recording.info, float(recording.info.rate)
    labels = recording.event_info.labels
    marks = [
        MarkAt(
            (int(e["sample"]) + float(e["fraction"])) / rate,
            labels.get(int(e["code"]), str(int(e["code"]))),
            float(e["duration"]) / rate,
            float(e["value"]),
            float(e["uncertainty"]),
        )
        for e in recording.events.table
    ]
    content = Content(recording, info, recording.segments, marks)
    if not content.n_held:
        raise FormatError(f"{info.name!r} holds no sample yet: there is nothing to export. Record first.")
    if hasattr(recording, "log"):
        _from_session(content, recording)
    return content


def _from_session(content: Content, recording: Any) -> None:
    """Add what only recordings of sessions have: counts, decisions, commands, fits of the clock."""
    raw = recording.signal  # under its name in the recording; a device calls it as it likes
    if raw.gain is not None and np.issubdtype(raw.info.dtype, np.integer):
        gain = np.asarray(raw.gain, np.float32).astype(np.float64)  # as the samples were multiplied with it
        content.gains = np.broadcast_to(gain, (content.info.n_channels,))
    for name in recording.streams:
        if name != raw.name and (decided := _decided(recording, name, content.info)):
            content.decided.append(decided)
    for note in recording.log("command"):
        text = json.dumps(_finite(note.payload), sort_keys=True, allow_nan=False)
        content.commands.append(MarkAt(note.sample / content.rate, text))
    lines = [
        (n.sample, float(n.payload["index"]), float(n.payload["time"]), float(n.payload["period"]))
        for n in recording.log("clock")
        if n.stream in ("", raw.name) and {"index", "time", "period"} <= set(n.payload)
    ]
    for k, (sample, *_) in enumerate([*lines, (recording.n_samples,)] if lines else []):
        _, index, time, period = lines[min(k, len(lines) - 1)]
        content.fits.append((sample, time + (sample - index) * period))


def _finite(value: Any) -> Any:
    """Return what JSON can hold: numbers that are none become null."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _decided(recording: Any, name: str, signal: StreamInfo) -> Decided | None:
    """Return an output of a graph whose samples are rows of numbers that come from the signal; None for others."""
    times, rows = [], []
    info: Any = None
    for block in recording.output(name):
        if not isinstance(block, Block):
            return None
        info = info or recording.raw(name).info
        if info.origin.source != signal.origin.source and info.origin.source != signal.name:
            return None
        valid = np.broadcast_to(block.valid, block.data.shape)
        at = block.at if block.at is not None else [info.origin.newest(block.start + k) for k in range(block.n)]
        times.append(np.asarray(at, np.float64) / float(info.origin.rate))
        rows.append(np.where(valid, block.data, np.nan).reshape(block.n, -1).astype(np.float64))
    if not rows:
        return None
    width = rows[0].shape[1]
    names, units = info.channels.names, info.channels.units
    if width != len(names):
        names, units = tuple(f"{name}_{k}" for k in range(width)), ("1",) * width
    return Decided(name, float(info.rate), names, units, np.concatenate(times), np.concatenate(rows))
