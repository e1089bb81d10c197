"""Medtronic Percept session report (JSON): time-domain streams of the neurostimulator; loaded whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ranvier.errors import FormatError
from ranvier.record._base import BaseRecording, Samples, Segment
from ranvier.record._format import Format
from ranvier.record._names import entities_of, exact_rate, unique_names
from ranvier.record._reading import read_json
from ranvier.record._streams import StreamEntry, choose_stream
from ranvier.stream import Channels, StreamInfo

_SECTIONS = (
    "BrainSenseTimeDomain",
    "IndefiniteStreaming",
    "LfpMontageTimeDomain",
    "BrainSenseSurveysTimeDomain",
    "SenseChannelTests",
    "CalibrationTests",
)
_TICKS = 3_276_800  # TicksInMses starts again after this many ms


class PerceptRecording(BaseRecording):
    """The channels of one section that began together; packets that were lost on the way are gaps.

    A packet's number of samples and its tick, the time [ms] of its end in steps of 50 ms, tell a loss:
    the ticks go on by more than the samples account for.
    """

    def __init__(
        self, path: Path, name: str, channels: list[Any], report: Any, labels: Mapping[str, str] | None
    ) -> None:
        notes: list[str] = []
        rate = exact_rate(float(channels[0]["SampleRateInHz"]))
        data = [np.asarray(c["TimeDomainData"], np.float64) for c in channels]
        if len({len(d) for d in data}) != 1:
            raise FormatError(f"{path.name}: {name} has channels of unlike length: {[len(d) for d in data]} samples.")
        self._data = np.stack(data, axis=1).astype(np.float32)
        names = unique_names([str(c["Channel"]) for c in channels], notes)
        device = report.get("DeviceInformation", {}).get("Initial", {}).get("Neurostimulator", "")
        super().__init__(
            info=StreamInfo.signal(rate, Channels.of(names, "lfp", "uV"), name=name),
            segments=_segments(path, name, channels[0], len(self._data), float(rate), notes),
            entities=entities_of(path, device=str(device), start=str(channels[0].get("FirstPacketDateTime", ""))),
            files=[path],
            notes=notes,
            labels=labels,
            lazy=False,
        )

    def _load(self, a: int, b: int) -> Samples:
        return self._data[a:b]


def _whole(text: Any) -> list[int]:
    return [int(v) for v in str(text).split(",") if v.strip()] if isinstance(text, str) else []


def _segments(path: Path, name: str, entry: Any, n: int, rate: float, notes: list[str]) -> list[Segment]:
    sizes, ticks = _whole(entry.get("GlobalPacketSizes")), _whole(entry.get("TicksInMses"))
    if not sizes or len(sizes) != len(ticks):
        notes.append("The report gives no times of packets: losses cannot be seen.")
        return [Segment(0, n, 0)]
    if sum(sizes) != n:
        raise FormatError(
            f"{path.name}: GlobalPacketSizes of {name} add up to {sum(sizes)} samples; TimeDomainData has {n}. "
            "Export the session again."
        )
    segments, at, index = [Segment(0, sizes[0], 0)], sizes[0], sizes[0]
    for size, before, after in zip(sizes[1:], ticks, ticks[1:], strict=False):
        passed = (after - before) % _TICKS / 1000
        lost = round(passed * rate) - size
        if lost > 0.1 * rate:  # ticks are whole multiples of 50 ms: less than two of them is rounding
            index += lost
            segments.append(Segment(index, 0, at))
        last = segments[-1]
        segments[-1] = Segment(last.start, last.n + size, last.at)
        at, index = at + size, index + size
    return segments


def _groups(report: Any) -> list[tuple[str, list[Any]]]:
    """Return (name, channels) of what began at one time in one section."""
    groups: dict[tuple[str, str, float, int], list[Any]] = {}
    for section in _SECTIONS:
        for entry in report.get(section) or []:
            key = (
                section,
                str(entry.get("FirstPacketDateTime", "")),
                float(entry["SampleRateInHz"]),
                len(entry["TimeDomainData"]),
            )
            groups.setdefault(key, []).append(entry)
    return [(f"{section} {start}".strip(), channels) for (section, start, _, _), channels in groups.items()]


def _entries(groups: list[tuple[str, list[Any]]]) -> list[StreamEntry]:
    return [
        StreamEntry(name, name.split()[0], float(c[0]["SampleRateInHz"]), len(c), len(c[0]["TimeDomainData"]))
        for name, c in groups
    ]


def _open(path: Path, *, stream: str | int | None = None, labels: Mapping[str, str] | None = None) -> PerceptRecording:
    notes: list[str] = []
    report = read_json(path)
    groups = _groups(report)
    if not groups:
        raise FormatError(
            f"{path.name} is a Percept report without a time-domain stream (none of {', '.join(_SECTIONS)}). "
            "Stream or survey in the clinic, then export the session again."
        )
    name, channels = groups[choose_stream(path, _entries(groups), stream, notes)]
    recording = PerceptRecording(path, name, channels, report, labels)
    recording.notes.extend(notes)
    return recording


PERCEPT = Format(
    name="Percept report",
    suffixes=(".json",),
    magic="a JSON object with 'ProgrammerVersion' or 'SessionDate'",
    sniff=lambda path, head: (
        head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
        and (b'"ProgrammerVersion"' in head or b'"SessionDate"' in head)
    ),
    open=_open,
    streams=lambda path: _entries(_groups(read_json(path))),
)
