"""Notes: everything but samples that a session leaves behind, carried to its recorder over a ring like any other.

A note is a few numbers and a payload of bytes. It lies in one block of the ring, or in several where it is longer, each
with the note's number, so that a reader sees when one is missing.
"""

from __future__ import annotations

import struct
import time
from typing import NamedTuple

import numpy as np

from ranvier.errors import ContractError, FormatError
from ranvier.session._reader import Reader
from ranvier.session._ring import Ring
from ranvier.stream import Channels, StreamInfo

ROW = 256  # bytes
ROWS = 16  # a block of the ring: most notes are shorter than its 4 KiB
RATE = 1000  # notes a second that the length of a ring is reckoned with
KINDS = ("output", "command", "event", "control", "clock", "gap", "settings", "latency", "loss", "health", "text")
LONGEST = 1 << 24  # bytes of a payload
_HEAD = struct.Struct("<qqqiiii")  # number, sample, host time, kind, stream, part, bytes of the payload
_PART = ROW * ROWS - _HEAD.size


class Note(NamedTuple):
    """One thing that happened.

    Parameters
    ----------
    number
        Counted from 0 in a session.
    kind
        One of `KINDS`.
    stream
        Place of the stream that it concerns, -1 for none.
    sample
        Index in that stream.
    host
        When it was written [ns of the host's clock].
    payload
        What it says; its form is a matter of the kind.
    """

    number: int
    kind: str
    stream: int
    sample: int
    host: int
    payload: bytes


def notes_ring(name: str, seconds: float = 4.0) -> Ring:
    """Make the ring for a session's notes."""
    info = StreamInfo.signal(RATE, Channels.of(ROW // 4, "misc", "1"), name="notes", dtype=np.int32)
    return Ring.create(info, seconds * ROWS, block=ROWS, name=name)


class NoteWriter:
    """Writes notes into a ring; used by one thread.

    Parameters
    ----------
    ring
        Made by `notes_ring`.
    """

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._rows = np.zeros((ROWS, ROW // 4), np.int32)
        self._bytes = self._rows.data.cast("B")
        self.number = 0

    def write(self, kind: str, payload: bytes, stream: int = -1, sample: int = -1, host: int | None = None) -> None:
        """Write a note.

        Parameters
        ----------
        kind
            One of `KINDS`.
        payload, stream, sample, host
            As in `Note`; now, if no time is given.
        """
        if len(payload) > LONGEST:
            raise ContractError(f"A note needs at most {LONGEST:,} bytes; got {len(payload):,}. Say less.")
        code, now = KINDS.index(kind), time.monotonic_ns() if host is None else host
        size, part, at = len(payload), 0, 0
        while True:
            piece = payload[at : at + _PART]
            _HEAD.pack_into(self._bytes, 0, self.number, sample, now, code, stream, part, size)
            self._bytes[_HEAD.size : _HEAD.size + len(piece)] = piece
            self._ring.write(self._rows[: -(-(_HEAD.size + len(piece)) // ROW)])
            at, part = at + _PART, part + 1
            if at >= size:
                break
        self.number += 1


class NoteReader:
    """Reads notes as they come; a note of which a part was overwritten is counted as lost.

    Parameters
    ----------
    reader
        Of the ring of notes.

    Attributes
    ----------
    lost
        Notes that were missed.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._next = -1
        self._half: list[bytes] = []
        self.lost = 0

    @property
    def closed(self) -> bool:
        """Whether nothing new will come."""
        return self._reader.closed

    def read(self) -> list[Note]:
        """Return the notes that are there."""
        found: list[Note] = []
        while (block := self._reader.read()) is not None:
            rows = block.data.tobytes()
            if self._reader.intact():
                note = self._take(rows)
                if note is not None:
                    self.lost += max(note.number - self._next, 0) if self._next >= 0 else 0
                    self._next = note.number + 1
                    found.append(note)
        return found

    def _take(self, rows: bytes) -> Note | None:
        number, sample, host, code, stream, part, size = _HEAD.unpack_from(rows)
        if not (0 <= code < len(KINDS) and 0 <= size <= LONGEST and 0 <= part <= size // _PART and number >= 0):
            raise FormatError(f"A ring of notes needs notes; got a head of {number, code, part, size}. Restart it.")
        if part == 0:
            self._half = []
        if part != len(self._half):
            return None  # its beginning was overwritten; its number will be missed
        self._half.append(rows[_HEAD.size : _HEAD.size + min(size - part * _PART, _PART)])
        payload = b"".join(self._half)
        return Note(number, KINDS[code], stream, sample, host, payload) if len(payload) == size else None
