"""How an `.rvr` recording lies on disk: names, the journal's record, checked JSON.

    X.rvr/                       a folder; a Zarr v3 group, as are the folders in it
      part-000/                  what one writer wrote; a restarted session adds part-001
        head.json                descriptions, settings, versions, one instant by both clocks; checked
        notes-000.log            events, decisions, gaps ...: frames (`_rvr_log.py`)
        00-raw/                  one array that grows: samples of a stream, their mask, or their source indices
          000000/                a segment: a Zarr v3 array of one shard
            c.0.0                chunks, one behind the other; once closed, the index of the shard
            journal              one record for each stretch of samples without a gap: the truth while it grows
            zarr.json            once closed
        end.json                 once closed: how long each file is; checked

Chunks are written before their records, and nothing is ever changed behind a record. So whatever was interrupted, the
records that are whole say what is there.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import FormatError
from ranvier.record._reading import LARGEST_JSON, need

SCHEMA = 1
HEAD, END, JOURNAL, ZARR = "head.json", "end.json", "journal", "zarr.json"
PART, LOG, SEGMENT = "part-{:03d}", "notes-{:03d}.log", "{:06d}"
MAGIC = 0x7652  # "Rv"
SUFFIX = ".rvr"

RECORD = np.dtype(
    [
        ("magic", "<u2"),
        ("array", "<u2"),  # which of the part's arrays
        ("segment", "<u4"),
        ("chunk", "<u4"),  # place in the shard
        ("row", "<u4"),  # first row of the stretch in the chunk
        ("n", "<u4"),  # samples in the stretch
        ("length", "<u4"),  # of the chunk with its check value [bytes]
        ("first", "<i8"),  # index of the first sample
        ("offset", "<u8"),  # where the chunk begins in its file
        ("host", "<i8"),  # host time at which the last sample was there [ns]
        ("device", "<f8"),  # device clock at the first sample [s]; nan where there is none
        ("crc", "<u4"),  # CRC32C of the chunk, which ends with it
        ("own", "<u4"),  # CRC32C of what stands before in this record
    ]
)
WIDTH = RECORD.itemsize
_PACKED = struct.Struct("<HHIIIIIqQqdI")  # the same without its own check value
Records = npt.NDArray[Any]


def crc32c(data: Any) -> int:
    """Return the CRC32C (Castagnoli) of bytes or of an array's memory."""
    return int(_google().value(data))


@cache
def _google() -> Any:
    return need("google_crc32c", "An .rvr recording")


def sealed_record(*fields: float) -> bytes:
    """Return one record: its fields from ``array`` to ``crc``, sealed."""
    raw = _PACKED.pack(MAGIC, *fields)
    return raw + crc32c(raw).to_bytes(4, "little")


@cache
def _table() -> npt.NDArray[np.uint32]:
    t = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        t = np.where(t & 1, (t >> 1) ^ np.uint32(0x82F63B78), t >> 1).astype(np.uint32)
    return t


def seals(records: Records) -> npt.NDArray[np.uint32]:
    """Return the CRC32C that each record should end with; of many all at once, byte by byte."""
    if len(records) < 300:
        return np.array([crc32c(r.tobytes()[:-4]) for r in records], np.uint32)
    table = _table()
    columns = np.ascontiguousarray(records).view(np.uint8).reshape(-1, WIDTH)[:, : WIDTH - 4].T
    crc = np.full(len(records), 0xFFFFFFFF, np.uint32)
    for column in columns:
        crc = table[(crc ^ column) & 0xFF] ^ (crc >> np.uint32(8))
    return ~crc


def sealed_text(what: str, body: Mapping[str, Any]) -> bytes:
    """Return JSON whose first line holds the schema and the CRC32C of all lines behind it."""
    rest = f'"{what}": {json.dumps(body, indent=1, allow_nan=False)}}}\n'.encode()
    return _first_line(rest) + rest


def _first_line(rest: bytes) -> bytes:
    return f'{{"schema": {SCHEMA}, "crc32c": "{crc32c(rest):08x}",\n'.encode()


def read_sealed(path: Path, what: str) -> dict[str, Any]:
    """Return what `sealed_text` was given, or raise FormatError."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_JSON + 1)
    except OSError as e:
        raise FormatError(f"{path} cannot be read: {e.strerror}. It is part of the recording; restore it.") from None
    first, _, rest = text.partition(b"\n")
    if len(text) > LARGEST_JSON or first + b"\n" != _first_line(rest):
        if match := re.match(rb'\{"schema": (\d+)', first):
            schema = int(match[1][:9])
            if schema > SCHEMA:
                raise FormatError(f"{path} has schema {schema}; this version reads {SCHEMA}. Update Ranvier.")
        raise FormatError(
            f"{path} needs lines that agree with the check value in its first; they do not. It is damaged or was "
            "edited; restore it from a copy."
        )
    try:
        found = json.loads(text)[what]
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise FormatError(f"{path} is not the {what} of a recording: {type(e).__name__}: {e}.") from None
    if not isinstance(found, dict):
        raise FormatError(f"{path} is not the {what} of a recording: no table.")
    return found


def parts_of(path: Path) -> list[Path]:
    """Return the folders of the parts of a recording, in order."""
    try:
        return sorted(p for p in path.iterdir() if re.fullmatch(r"part-\d{3,6}", p.name) and p.is_dir())
    except OSError as e:
        raise FormatError(f"{path} cannot be listed: {e.strerror}. Check the path and its permissions.") from None


def need_plain(path: Path) -> None:
    """Refuse a folder that holds anything but files and folders: a pipe would keep its reader waiting for ever."""
    for p in path.rglob("*"):
        if not (p.is_file() or p.is_dir()):
            raise FormatError(
                f"{path.name} needs to hold files alone; {p.relative_to(path)} is none (a pipe, a device, or a link to "
                "nothing). Get the recording from whom you trust."
            )


def numbered(folder: Path, pattern: str) -> list[Path]:
    """Return what in a folder is named by digits, such as six digits, in order; empty where there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if re.fullmatch(pattern, p.name))


def slug(name: str) -> str:
    """Return a name for a folder that every file system and Zarr take."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "stream"
