"""EphysSocketCodec: matrices over TCP, as Bonsai sends them to the Ephys Socket plugin of Open Ephys."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np

from ranvier.acquire._source import Counters, Packet
from ranvier.stream import Array

HEADER = struct.Struct("<iihiii")  # offset, bytes, depth, element size, channels, samples
DEPTHS = ("<u1", "<i1", "<u2", "<i2", "<i4", "<f4", "<f8")  # the order of OpenCV's matrix types
MOST_BYTES = 1 << 26  # of one matrix


class Header(NamedTuple):
    """What a matrix is: its numbers, and its size."""

    dtype: np.dtype[Any]
    channels: int
    samples: int


def read_header(data: bytes | bytearray, at: int = 0) -> Header | None:
    """Return the header that stands at a place; None where none does."""
    offset, size, depth, element, channels, samples = HEADER.unpack_from(data, at)
    if offset != 0 or not 0 <= depth < len(DEPTHS) or channels < 1 or samples < 1 or not 0 < size <= MOST_BYTES:
        return None
    dtype = np.dtype(DEPTHS[depth])
    fits = element == dtype.itemsize and size == channels * samples * element
    return Header(dtype, channels, samples) if fits else None


class EphysSocketCodec:
    """Turn the bytes of Ephys Socket into packets.

    Parameters
    ----------
    zero
        Number that stands for 0 V; taken from whole numbers.
    rate
        Samples per second [Hz].
    counters
        Where it is told what was seen.

    Notes
    -----
    A header of 22 bytes (offset 0, bytes, depth, element size, channels, samples; little endian), then a matrix, one
    channel after another. The first header says what the stream is; what does not fit it later is `damaged`, and is
    skipped up to the next header of its kind. The protocol has no count: what a sender left out cannot be seen.

    References
    ----------
    Open Ephys GUI documentation, Ephys Socket, "Header Format for Custom Data Streams" (open-ephys.github.io/gui-docs).
    """

    def __init__(self, zero: int = 0, *, rate: float = 1.0, counters: Counters | None = None, start: int = 0) -> None:
        self.counters = Counters() if counters is None else counters
        self.first: Header | None = None
        self.next = start  # index behind the newest sample
        self._zero, self._rate, self._held, self._in_step = zero, rate, bytearray(), True

    @property
    def dtype(self) -> np.dtype[Any]:
        """What packets are made of: int16 or int32 where whole numbers fit, else float64; floats as they come."""
        given = np.dtype("<f4") if self.first is None else self.first.dtype
        if given.kind == "f":
            return np.dtype(given.newbyteorder("="))
        low, high = (int(v) - self._zero for v in (np.iinfo(given).min, np.iinfo(given).max))
        for kind in (np.int16, np.int32):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return np.dtype(kind)
        return np.dtype(np.float64)

    def feed(self, data: bytes | bytearray | memoryview, arrival: int = 0) -> list[Packet]:
        """Take bytes that came at host time `arrival` [ns]; return the packets that they complete."""
        held, out, at = self._held, [], 0
        held += data
        while len(held) - at >= HEADER.size:
            head = read_header(held, at)
            if head is None or (self.first is not None and head[:2] != self.first[:2]):
                at = self._search(at)
                continue
            size = head.samples * head.channels * head.dtype.itemsize
            if len(held) - at < HEADER.size + size:
                break
            self.first = self.first or head
            begin = at + HEADER.size
            out.append(self._packet(head, bytes(held[begin : begin + size]), arrival))
            at, self._in_step = begin + size, True
        del held[:at]
        return out

    def _search(self, at: int) -> int:
        """Leave what stands at `at`, which is no header, up to what may be one."""
        self.counters.damaged += self._in_step
        self._in_step = False
        found = at + 1
        if self.first is not None:  # depth, element size and channels stand in the middle of every header
            kind = HEADER.pack(0, 0, DEPTHS.index(self.first.dtype.str.replace("|", "<")), self.first.dtype.itemsize,
                               self.first.channels, 0)[8:18]  # fmt: skip
            place = self._held.find(kind, at + 9)
            found = place - 8 if place >= 0 else max(at + 1, len(self._held) - HEADER.size + 1)
        self.counters.skipped += found - at
        return found

    def _packet(self, head: Header, data: bytes, arrival: int) -> Packet:
        matrix: Array = np.frombuffer(data, head.dtype).reshape(head.channels, head.samples).T
        if head.dtype.kind != "f" and self._zero:
            matrix = matrix.astype(np.int64) - self._zero
        packet = Packet(np.ascontiguousarray(matrix, self.dtype), self.next, arrival, self.next / self._rate)
        self.next += head.samples
        self.counters.packets += 1
        self.counters.samples += head.samples
        return packet
