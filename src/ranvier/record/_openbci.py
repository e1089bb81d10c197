"""OpenBCI GUI text: own reader (comma-separated numbers below a head of lines that begin with %); loaded whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ranvier.errors import FormatError
from ranvier.record._base import BaseRecording, Mark, Samples, Segment
from ranvier.record._format import Format
from ranvier.record._names import entities_of, exact_rate, kind_of, unique_names
from ranvier.stream import Channels, StreamInfo

MOST_CHANNELS = 1024  # boards have 4 to 16
LARGEST = 2 << 30  # bytes of the file: 24 h of 16 channels at 125 Hz
_UNIT = {"eeg": "uV", "motion": "g"}


class OpenBciRecording(BaseRecording):
    """A recording of the OpenBCI GUI; packets that its sample counter shows as lost are gaps."""

    def __init__(
        self,
        path: Path,
        columns: list[str],
        table: npt.NDArray[np.float64],
        rate: str,
        board: str,
        notes: list[str],
        labels: Mapping[str, str] | None,
    ) -> None:
        self._marker = table[:, columns.index("Marker Channel")] if "Marker Channel" in columns else None
        stamped = table[0, columns.index("Timestamp")] if "Timestamp" in columns and len(table) else 0.0
        seconds = stamped / 1000 if stamped > 1e11 else stamped  # version 5 of the GUI writes ms, older and newer s
        keep = [i for i, c in enumerate(columns) if re.match(r"(EXG|Accel|Analog|Digital) Channel", c)]
        names = unique_names([columns[i] for i in keep], notes)
        kinds = ["eeg" if n.startswith("EXG") else kind_of(n, "misc") for n in names]
        self._data = table[:, keep].astype(np.float32)
        super().__init__(
            info=StreamInfo.signal(
                exact_rate(rate), Channels.of(names, kinds, [_UNIT.get(k, "1") for k in kinds]), name="OpenBCI"
            ),
            segments=_segments(table[:, 0], notes),
            entities=entities_of(
                path, device=board, start=datetime.fromtimestamp(seconds, UTC).isoformat() if seconds > 0 else ""
            ),
            files=[path],
            notes=notes,
            labels=labels,
            lazy=False,
        )

    def _load(self, a: int, b: int) -> Samples:
        return self._data[a:b]

    def _marks(self) -> Iterable[Mark]:
        if self._marker is not None:
            for place in np.flatnonzero(self._marker):
                value = float(self._marker[place])
                yield Mark(self.index_of(float(place)), f"{value:g}", 0.0, value)


def _segments(counter: npt.NDArray[np.float64], notes: list[str]) -> list[Segment]:
    """Return the stretches in which the counter goes on by its usual step; it starts again after its top."""
    steps = np.diff(counter)
    forward = steps[steps > 0]
    if not len(forward):
        return [Segment(0, len(counter), 0)]
    usual = float(np.median(forward))
    top = float(counter.max()) + usual  # 256, or 200 on a Ganglion
    lost = np.round((steps % top - usual) / usual).astype(np.int64)
    segments, index, a = [], 0, 0
    for cut in [*(np.flatnonzero(lost > 0) + 1).tolist(), len(counter)]:
        segments.append(Segment(index, cut - a, a))
        index += cut - a + (int(lost[cut - 1]) if cut < len(counter) else 0)
        a = cut
    if len(segments) > 1:
        notes.append(f"{index - len(counter)} packets were lost (the sample index skips).")
    return segments


def _head(path: Path, lines: list[str]) -> tuple[int, list[str], bool, str, str]:
    """Return the first line of samples, its columns, whether the file names them, the rate and the board."""
    top = next((i for i, line in enumerate(lines) if not line.startswith("%")), len(lines))
    head = "\n".join(lines[:top])
    count, rate, board = (
        (re.search(pattern, head) or ["", ""])[1]
        for pattern in (r"Number of channels = (\d+)", r"Sample Rate = ([\d.]+)", r"Board = (\S+)")
    )
    if (
        not count
        or not re.fullmatch(r"\d+(\.\d*)?", rate)
        or float(rate) <= 0
        or len(count) > 9
        or not 1 <= int(count) <= MOST_CHANNELS
    ):
        raise FormatError(
            f"{path.name}: its head needs '%Number of channels = n', n from 1 to {MOST_CHANNELS}, and "
            f"'%Sample Rate = r Hz'; got {count[:20]!r} and {rate!r}. It is damaged; get a fresh copy."
        )
    columns = [c.strip() for c in lines[top].split(",")] if top < len(lines) else []
    named = columns[:1] == ["Sample Index"]
    if not named:  # GUI versions before 5: index, potentials, three axes of acceleration, then times
        exg = [f"EXG Channel {i}" for i in range(int(count))]
        columns = ["Sample Index", *exg, *(f"Accel Channel {i}" for i in range(3))]
    if sum(c.startswith("EXG Channel") for c in columns) != int(count):
        raise FormatError(f"{path.name}: line {top + 1} needs {count} columns 'EXG Channel'. Get a fresh copy.")
    return top + named, columns, named, rate, board


def _rows(path: Path, lines: list[str], top: int, columns: list[str], named: bool) -> tuple[list[list[float]], str]:
    """Return the numbers of all lines up to the first that is damaged, and what is wrong with that one."""
    numeric = [i for i, c in enumerate(columns) if "Formatted" not in c]
    rows: list[list[float]] = []
    for number, line in enumerate(lines[top:-1], top + 1):
        cells = line.split(",")
        if len(cells) < len(columns) or (named and len(cells) > len(columns)):
            return rows, f"line {number} needs {len(columns)} columns and has {len(cells)}"
        try:
            rows.append([float(cells[i]) for i in numeric])
        except ValueError:
            return rows, f"line {number} holds other than numbers"
    return rows, f"line {len(lines)} does not end" if lines[-1] else ""


def _open(path: Path, *, labels: Mapping[str, str] | None = None, partial: bool = False) -> OpenBciRecording:
    notes: list[str] = []
    if (size := path.stat().st_size) > LARGEST:
        raise FormatError(
            f"{path.name} needs at most {LARGEST >> 20} MiB, for it is loaded whole; got {size / (1 << 20):.1f} MiB. "
            "Split it, keeping the head of lines that begin with %."
        )
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    top, columns, named, rate, board = _head(path, lines)
    rows, fault = _rows(path, lines, top, columns, named)
    if fault and not partial:
        raise FormatError(
            f"{path.name}: {fault}. The file is cut short or damaged there; get a fresh copy, or open it with "
            "partial=True for the lines before."
        )
    if fault:
        notes.append(f"Only {len(rows)} samples are read: {fault}.")
    if not rows:
        raise FormatError(f"{path.name} holds no line of samples below its head. Get a whole copy.")
    columns = [c for c in columns if "Formatted" not in c]
    return OpenBciRecording(path, columns, np.array(rows), rate, board, notes, labels)


OPENBCI = Format(
    name="OpenBCI text",
    suffixes=(".txt",),
    magic="'%OpenBCI Raw'",
    sniff=lambda path, head: head.startswith(b"%OpenBCI Raw"),
    open=_open,
)
