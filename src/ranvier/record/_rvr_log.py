"""The notes of an `.rvr` recording: one file of frames with check values, read past whatever is damaged in it.

A frame is a header of 44 bytes (magic, lengths of text and numbers, check value of both, sequence, sample, host time,
check value of the header), the text (JSON: kind, stream, payload, and what the numbers are), and the numbers.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError, FormatError
from ranvier.record._rvr_files import Files
from ranvier.record._rvr_format import LOG, crc32c

MAGIC = b"RvNt"
HEADER = struct.Struct("<4sIIIqqq")
FRAME = HEADER.size + 4
MOST_TEXT, MOST_NUMBERS = 16 << 20, 256 << 20  # bytes of a frame
HELD = 8 << 20  # bytes that wait for a disk that refuses; what comes after them is lost
_KINDS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8")


class Note(NamedTuple):
    """One entry of a recording's log.

    Parameters
    ----------
    sequence
        Counted by its writer; a missing number is a lost note.
    kind
        ``event``, ``decision``, ``command``, ``control``, ``clock``, ``gap``, ``loss`` ...
    stream, sample
        What it speaks of: a stream and an index in it; empty and -1 where neither.
    host
        Host time [ns].
    payload
        Numbers and texts.
    arrays
        Arrays by name.
    """

    sequence: int
    kind: str
    stream: str
    sample: int
    host: int
    payload: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]


def _descr(dtype: np.dtype[Any]) -> Any:
    """Return what JSON says of a dtype: a text, or [name, text] of each field."""
    if dtype.names is None:
        kind = dtype.str[1:]
        if kind in _KINDS:
            return kind
    elif all(dtype[n].names is None for n in dtype.names):
        return [[n, _descr(dtype[n])] for n in dtype.names]
    raise ContractError(f"A note needs arrays of numbers or truth values; got {dtype}. Convert it.")


def _dtype(descr: Any) -> np.dtype[Any]:
    if isinstance(descr, str) and descr in _KINDS:
        return np.dtype("<" + descr)
    if isinstance(descr, list) and 0 < len(descr) <= 64:
        return np.dtype([(str(name), _dtype(kind)) for name, kind in descr if isinstance(kind, str)])
    raise FormatError(f"no kind of number: {str(descr)[:40]}")


def _plain(value: Any) -> Any:
    """Return what JSON can hold; a number that is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def frame(note: Note) -> bytes:
    """Return the bytes of a note."""
    numbers, table = [], []
    for name, array in note.arrays.items():
        a = np.ascontiguousarray(array)
        a = a.astype(a.dtype.newbyteorder("<"), copy=False)
        table.append([name, _descr(a.dtype), list(a.shape)])
        numbers.append(a.tobytes())
    said = {"kind": note.kind, "stream": note.stream, "payload": note.payload, "arrays": table}
    try:
        text = json.dumps(said, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError):
        text = json.dumps(_plain(said), separators=(",", ":"), allow_nan=False).encode()
    data = b"".join(numbers)
    if len(text) > MOST_TEXT or len(data) > MOST_NUMBERS:
        raise ContractError(
            f"A note needs at most {MOST_TEXT >> 20} MiB of text and {MOST_NUMBERS >> 20} MiB of numbers; got "
            f"{len(text) >> 20} and {len(data) >> 20} MiB of kind {note.kind!r}. Make several of it."
        )
    body = text + data
    head = HEADER.pack(MAGIC, len(text), len(data), crc32c(body), note.sequence, note.sample, note.host)
    return head + crc32c(head).to_bytes(4, "little") + body


class Log:
    """The log as it is written: notes wait in memory until `flush`."""

    def __init__(self, files: Files, folder: Path) -> None:
        self._files, self._folder, self._number = files, folder, 0
        self._waiting: list[bytes] = []
        self._held = self.at = self.sequence = self.lost = self.bytes = 0
        self.written = self.durable = 0  # notes that are in a file, or safe there
        self.doubt: OSError | None = None
        self._named = False
        self.file = files.open(folder / LOG.format(0))
        self.old: list[int] = []

    def add(self, kind: str, stream: str, sample: int, host: int, payload: Mapping[str, Any], arrays: Any) -> int:
        """Take a note and return its sequence; one that there is no more room for is counted as lost."""
        sequence = self.sequence
        made = frame(Note(sequence, kind, stream, sample, host, dict(payload), dict(arrays)))
        self.sequence += 1
        if self._held + len(made) > max(HELD, len(made)):
            self.lost += 1
        else:
            self._waiting.append(made)
            self._held += len(made)
        return sequence

    def flush(self) -> OSError | None:
        """Write what waits; return why that failed."""
        if not self._waiting:
            return None
        data, sequence = b"".join(self._waiting), self.sequence
        try:
            if self.doubt is not None:
                fresh = self._files.open(self._folder / LOG.format(self._number + 1))
                self.old.append(self.file)
                self.file, self.at, self.doubt, self._named = fresh, 0, None, False
                self._number += 1
            self._files.write(self.file, data, self.at)
        except OSError as e:
            return e
        self.at += len(data)
        self.bytes += len(data)
        self._waiting, self._held = [], 0
        self.written = sequence
        return None

    def sync(self) -> None:
        """Return when what was written before this call would survive a power cut."""
        written, file = self.written, self.file
        self._files.sync(file)
        if not self._named:
            self._files.sync_folder(self._folder)
            self._named = True
        self.durable = written

    def close(self) -> None:
        """Let go of the files."""
        for file in (*self.old, self.file):
            self._files.close(file)


class Found(NamedTuple):
    """Where a whole frame is, or bytes that belong to none."""

    at: int
    length: int
    note: Note | None


def walk(file: BinaryIO, size: int, after: int = -1, begin: int = 0) -> Iterator[Found]:
    """Yield the frames of a log, and between them the stretches that are none.

    Parameters
    ----------
    file
        Opened for reading.
    size
        Bytes to look at.
    after
        Sequence before the first.
    begin
        Where to begin, wherever in a frame that is.
    """
    at = damaged = begin
    while at < size:
        file.seek(at)
        length, sequence, body = _header(file.read(FRAME), after)
        whole = length and at + length <= size
        note = _note(file.read(length - FRAME), *body) if whole else None
        if note is not None:
            if damaged < at:
                yield Found(damaged, at - damaged, None)
            yield Found(at, length, note)
            at = damaged = at + length
            after = sequence
        else:  # a sound header with a damaged body says where the next one is
            at = at + length if whole else _next(file, at + 1, size, after)
    if damaged < size:
        yield Found(damaged, size - damaged, None)


def _header(raw: bytes, after: int) -> tuple[int, int, tuple[Any, ...]]:
    """Return the length of a frame and what its header says; length 0 where it is none."""
    if len(raw) < FRAME or raw[:4] != MAGIC or crc32c(raw[:-4]) != int.from_bytes(raw[-4:], "little"):
        return 0, after, ()
    _, text, data, crc, sequence, sample, host = HEADER.unpack(raw[:-4])
    if text > MOST_TEXT or data > MOST_NUMBERS or sequence <= after:
        return 0, after, ()
    return FRAME + text + data, sequence, (text, crc, sequence, sample, host)


def _next(file: BinaryIO, at: int, size: int, after: int) -> int:
    """Return where the next frame with a sound header begins."""
    while at < size:
        file.seek(at)
        piece = file.read(1 << 20)
        place = piece.find(MAGIC)
        while place >= 0:
            file.seek(at + place)
            if _header(file.read(FRAME), after)[0]:
                return at + place
            place = piece.find(MAGIC, place + 1)
        if len(piece) <= 3:
            break
        at += len(piece) - 3
    return size


def _note(body: bytes, text: int, crc: int, sequence: int, sample: int, host: int) -> Note | None:
    """Return what a body says, or None where it is damaged."""
    if crc32c(body) != crc:
        return None
    try:
        said = json.loads(body[:text])
        arrays, at = {}, text
        for name, descr, shape in said["arrays"]:
            dtype = _dtype(descr)
            if not all(isinstance(n, int) and 0 <= n < 2**40 for n in shape) or len(shape) > 8:
                return None
            count = math.prod(shape)
            if at + count * dtype.itemsize > len(body):
                return None
            arrays[str(name)] = np.frombuffer(body, dtype, count, at).reshape(shape)
            at += count * dtype.itemsize
        return Note(sequence, str(said["kind"]), str(said["stream"]), sample, host, dict(said["payload"]), arrays)
    except (ValueError, KeyError, TypeError, RecursionError, FormatError):
        return None
