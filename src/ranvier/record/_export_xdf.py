"""Export to XDF: float32 in units, every sample with its time stamp, so that gaps need no guessing.

Format: github.com/sccn/xdf, specification 1.0.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

from ranvier.record._export_content import Content, Decided, MarkAt

if TYPE_CHECKING:
    from ranvier.record._export import Advance

_HEADER, _STREAM, _SAMPLES, _CLOCK, _BOUNDARY, _FOOTER = range(1, 7)
_FORMAT = {"float32": "<f4", "double64": "<f8"}


def write(content: Content, out: Path, advance: Advance) -> None:
    """Write a recording as XDF; stamps are index / rate, the offsets of the clock lead to host time."""
    with out.open("wb") as file:
        end = content.recording.n_samples / content.rate
        offsets = [(k / content.rate, host - k / content.rate) for k, host in content.fits]
        xdf = _Xdf(file, offsets or [(0.0, 0.0), (end, 0.0)])
        info = content.info
        kind = Counter(info.channels.kinds).most_common(1)[0][0]
        who = escape(content.recording.entities.device or info.name)
        key = xdf.open(info.name, kind.upper(), info.n_channels, content.rate, "float32", who, _channels(info.channels))
        for block in content.blocks():
            xdf.numbers(key, (block.start + np.arange(block.n)) / content.rate, block.data)
            advance(block.n)
        xdf.texts("events", "Markers", content.marks)
        details = [m for m in content.marks if m.duration or m.value or m.uncertainty]
        if details:
            fields = [(m.duration, m.value, m.uncertainty) for m in details]
            described = "".join(
                f"<channel><label>{n}</label><type>Misc</type><unit>{u}</unit></channel>"
                for n, u in (("duration", "seconds"), ("value", "1"), ("uncertainty", "seconds"))
            )
            key = xdf.open("event details", "EventDetails", 3, 0.0, "double64", "", f"<channels>{described}</channels>")
            xdf.numbers(key, np.array([m.onset for m in details]), np.array(fields))
        for decided in content.decided:
            xdf.decided(decided)
        if content.commands:
            xdf.texts("commands", "Commands", content.commands)
        xdf.close()
    if content.gaps:
        content.notes.append(
            "Gaps are jumps of the time stamps; pyxdf keeps short ones with dejitter_timestamps=False."
        )


def _channels(channels: Any) -> str:
    rows = []
    for name, kind, unit, at in zip(channels.names, channels.kinds, channels.units, channels.positions, strict=True):
        where = "" if at is None else "<location>" + "".join(
            f"<{a}>{v * 1000:.9g}</{a}>" for a, v in zip("XYZ", at, strict=True)  # [mm], as XDF's conventions say
        ) + "</location>"  # fmt: skip
        unit = "microvolts" if unit == "uV" else unit
        rows.append(
            f"<channel><label>{escape(name)}</label><type>{escape(kind.upper())}</type>"
            f"<unit>{escape(unit)}</unit>{where}</channel>"
        )
    return f"<channels>{''.join(rows)}</channels>"


class _Xdf:
    """A file of chunks."""

    def __init__(self, file: BinaryIO, offsets: Sequence[tuple[float, float]]) -> None:
        self._file, self._offsets = file, offsets
        self._streams: list[dict[str, Any]] = []
        file.write(b"XDF:")
        self._chunk(_HEADER, b'<?xml version="1.0"?><info><version>1.0</version></info>')

    def _chunk(self, tag: int, *parts: bytes) -> None:
        size = 2 + sum(len(p) for p in parts)
        self._file.write(b"\x08" + struct.pack("<QH", size, tag))
        for part in parts:
            self._file.write(part)

    def open(self, name: str, kind: str, n: int, rate: float, form: str, source: str, desc: str) -> int:
        """Write the header of a stream; return its number."""
        key = len(self._streams) + 1
        self._streams.append({"n": 0, "first": 0.0, "last": 0.0, "format": form})
        xml = (
            f'<?xml version="1.0"?><info><name>{escape(name)}</name><type>{escape(kind)}</type>'
            f"<channel_count>{n}</channel_count><nominal_srate>{rate!r}</nominal_srate>"
            f"<channel_format>{form}</channel_format><source_id>{source}</source_id><created_at>0</created_at>"
            f"<desc>{desc}</desc></info>"
        )
        self._chunk(_STREAM, struct.pack("<I", key), xml.encode())
        return key

    def numbers(self, key: int, stamps: npt.NDArray[np.float64], values: npt.NDArray[Any]) -> None:
        """Write samples of numbers with their time stamps [s]."""
        form = _FORMAT[self._streams[key - 1]["format"]]
        rows = np.empty(len(stamps), [("has", "u1"), ("stamp", "<f8"), ("values", form, (values.shape[1],))])
        rows["has"], rows["stamp"], rows["values"] = 8, stamps, values
        self._samples(key, stamps, rows.tobytes())

    def texts(self, name: str, kind: str, marks: Iterable[MarkAt]) -> None:
        """Write a stream of one text a sample."""
        key = self.open(name, kind, 1, 0.0, "string", "", "")
        found = list(marks)
        parts = []
        for m in found:
            raw = m.label.encode()
            parts.append(b"\x08" + struct.pack("<d", m.onset) + b"\x04" + struct.pack("<I", len(raw)) + raw)
        self._samples(key, np.array([m.onset for m in found]), b"".join(parts))

    def decided(self, decided: Decided) -> None:
        """Write what a graph put out."""
        described = "".join(
            f"<channel><label>{escape(n)}</label><type>Decision</type><unit>{escape(u)}</unit></channel>"
            for n, u in zip(decided.columns, decided.units, strict=True)
        )
        key = self.open(
            decided.name, "Decisions", len(decided.columns), decided.rate, "double64", "",
            f"<channels>{described}</channels>",
        )  # fmt: skip
        self.numbers(key, decided.times, decided.values)

    def _samples(self, key: int, stamps: npt.NDArray[np.float64], raw: bytes) -> None:
        if not len(stamps):
            return
        said = self._streams[key - 1]
        if not said["n"]:
            said["first"] = float(stamps[0])
        said["n"], said["last"] = said["n"] + len(stamps), float(stamps[-1])
        self._chunk(_SAMPLES, struct.pack("<I", key), b"\x08" + struct.pack("<Q", len(stamps)), raw)

    def close(self) -> None:
        """Write the clock offsets and the footers."""
        for key, said in enumerate(self._streams, 1):
            for time, value in self._offsets:
                self._chunk(_CLOCK, struct.pack("<Idd", key, time, value))
            listed = "".join(f"<offset><time>{t!r}</time><value>{v!r}</value></offset>" for t, v in self._offsets)
            xml = (
                f'<?xml version="1.0"?><info><first_timestamp>{said["first"]!r}</first_timestamp>'
                f"<last_timestamp>{said['last']!r}</last_timestamp><sample_count>{said['n']}</sample_count>"
                f"<clock_offsets>{listed}</clock_offsets></info>"
            )
            self._chunk(_FOOTER, struct.pack("<I", key), xml.encode())
