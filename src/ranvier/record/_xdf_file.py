"""How an XDF file is cut into chunks: walked by their lengths, so that damage shows before anything is read.

`pyxdf` goes on behind damaged chunks and may fill the last, incomplete one with numbers of the sample
before; what is handed to it here has been checked. Format: github.com/sccn/xdf, specification 1.0.
"""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

from ranvier.errors import FormatError

_SIZE = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "float32": 4, "double64": 8, "string": 0}
_HEADER, _STREAM, _SAMPLES, _CLOCK, _BOUNDARY, _FOOTER = range(1, 7)


@dataclass
class XdfStream:
    """One stream: what its header says, and how many samples its chunks have."""

    id: int
    name: str
    type: str
    rate: float
    n_channels: int
    format: str
    n_samples: int = 0
    closed: bool = False

    @property
    def is_markers(self) -> bool:
        """True where it holds events: text, or one whole number at a time."""
        return self.format == "string" or (self.rate == 0 and self.n_channels == 1 and self.format.startswith("int"))


@dataclass
class XdfFile:
    """The chunks of a file: its streams by id, and the byte up to which it is whole."""

    path: Path
    streams: dict[int, XdfStream] = field(default_factory=dict)
    whole: int = 4
    fault: str = ""

    @classmethod
    def walk(cls, path: Path, partial: bool) -> XdfFile:
        """Go through the chunks of a file; with `partial`, up to the first that is damaged."""
        self = cls(path)
        with open_xdf(path) as file:
            size = file.seek(0, 2)
            file.seek(4)
            while self.whole < size:
                self.fault = self._chunk(file, size)
                if self.fault:
                    break
                self.whole = file.tell()
        if self.fault and not partial:
            raise FormatError(
                f"{path.name}: the chunk at byte {self.whole} {self.fault}. The file is cut short or damaged there; "
                "get a whole copy, or open it with partial=True for what comes before."
            )
        return self

    def _chunk(self, file: BinaryIO, size: int) -> str:
        """Step over one chunk; return what is wrong with it."""
        length = _length(file)
        end = file.tell() + (length or 0)
        if length is None or length < 2 or end > size:
            return f"needs a length that fits into the {size} bytes of the file"
        tag = int.from_bytes(file.read(2), "little")
        if not _HEADER <= tag <= _FOOTER:
            return f"has the unknown tag {tag}"
        try:
            if tag in (_STREAM, _SAMPLES, _CLOCK, _FOOTER):
                fault = self._of_stream(tag, file, end)
                if fault:
                    return fault
            elif tag == _HEADER:
                ElementTree.fromstring(file.read(end - file.tell()))  # noqa: S314 (expat >= 2.4 bounds entities)
        except (ElementTree.ParseError, struct.error, ValueError, LookupError) as error:
            return f"(tag {tag}) is not readable: {error}"
        file.seek(end)
        return ""

    def _of_stream(self, tag: int, file: BinaryIO, end: int) -> str:
        (key,) = struct.unpack("<I", file.read(4))
        if tag == _STREAM:
            xml = ElementTree.fromstring(file.read(end - file.tell()).decode("utf-8", "replace"))  # noqa: S314
            text = {k: (xml.findtext(k) or "").strip() for k in ("name", "type", "channel_format")}
            rate, count = float(xml.findtext("nominal_srate") or 0), int(xml.findtext("channel_count") or 0)
            if count < 1 or not 0 <= rate < 1e9 or text["channel_format"] not in _SIZE or key in self.streams:
                return f"describes stream {key} wrongly or twice: {count} channels, {rate:g} Hz, {text}"
            self.streams[key] = XdfStream(key, text["name"], text["type"], rate, count, text["channel_format"])
            return ""
        stream = self.streams.get(key)
        if stream is None:
            return f"belongs to stream {key}, which has no header"
        if tag == _FOOTER:
            ElementTree.fromstring(file.read(end - file.tell()))  # noqa: S314
            stream.closed = True
        elif tag == _CLOCK and end - file.tell() != 16:
            return f"needs a clock offset of 16 bytes; got {end - file.tell()}"
        elif tag == _SAMPLES:
            n = _length(file)
            rest = end - file.tell()
            each = stream.n_channels * _SIZE[stream.format] + 1  # the byte says whether 8 bytes of time follow
            stamps, odd = divmod(rest - (n or 0) * each, 8)  # text has no fixed size
            fits = n is not None and stamps >= 0 and (stream.format == "string" or (odd == 0 and stamps <= n))
            if n is None or not fits:
                return f"holds {n} samples of stream {key}, which do not fit into its {rest} bytes"
            stream.n_samples += n
        return ""


def open_xdf(path: Path) -> BinaryIO:
    """Open the bytes of an XDF file, unpacked where it is gzipped."""
    return gzip.open(path, "rb") if path.suffix.lower() in (".xdfz", ".gz") else path.open("rb")  # type: ignore[return-value]


def _length(file: BinaryIO) -> int | None:
    """Read a length: one byte that says 1, 4 or 8, then as many bytes."""
    width = file.read(1)
    if width not in (b"\x01", b"\x04", b"\x08"):
        return None
    raw = file.read(width[0])
    return int.from_bytes(raw, "little") if len(raw) == width[0] else None
