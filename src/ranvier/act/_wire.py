"""How a command travels: one frame of bytes, the same in a datagram and in the pipe to a watchdog.

    bytes   type     field
    0-3     4s       magic, b"RVA1"
    4       u8       kind: 1 command, 2 stop
    5       u8       0
    6-7     u16      n, how many values
    8-15    u64      session: drawn afresh whenever the sender is opened
    16-23   i64      sequence
    24-31   i64      sample: index of the newest source sample
    32-39   i64      made     [ns of the sender's clock]
    40-47   i64      sent     [ns of the sender's clock]
    48-55   i64      expires  [ns of the sender's clock]
    56-63   f64      age of the newest sample when the command was made [s]
    64-71   f64      confidence, nan where unknown
    72-75   u32      contract: CRC-32 of the names and units, see `contract_of`
    76-     n x f64  values
    last 4  u32      CRC-32 (as in zlib) of everything before it

All little-endian. A stop has n = 0. Clocks of two hosts have nothing to do with each other: a receiver on another host
uses differences of these times only.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from math import isfinite
from typing import Final, NamedTuple
from zlib import crc32

from ranvier.act._command import Approved, Command
from ranvier.errors import FormatError

MAGIC: Final = b"RVA1"
COMMAND, STOP = 1, 2
HEAD: Final = struct.Struct("<4sBBHQqqqqqddI")
CRC: Final = struct.Struct("<I")
MOST_VALUES: Final = 4096


class Frame(NamedTuple):
    """What a frame says; times are those of the sender's clock [ns]."""

    kind: int
    session: int
    sequence: int
    sample: int
    made: int
    sent: int
    expires: int
    age: float
    confidence: float
    contract: int
    values: tuple[float, ...]

    def command(
        self, names: tuple[str, ...], units: tuple[str, ...], *, shift: int = 0, graph: str = "", model: str = ""
    ) -> Command:
        """Return the command, with times moved from the sender's clock to the receiver's by `shift` [ns]."""
        return Command(
            values=self.values, names=names, units=units, sample=self.sample, age=self.age, confidence=self.confidence,
            graph=graph, model=model, made=self.made + shift, expires=self.expires + shift, sequence=self.sequence,
        )  # fmt: skip


@lru_cache(maxsize=16)
def contract_of(names: tuple[str, ...], units: tuple[str, ...]) -> int:
    """Return the CRC-32 of ``name NUL unit NUL`` of each value, in UTF-8."""
    return crc32("".join(f"{n}\0{u}\0" for n, u in zip(names, units, strict=True)).encode())


@lru_cache(maxsize=16)
def _values(n: int) -> struct.Struct:
    return struct.Struct(f"<{n}d")


def size_of(n: int) -> int:
    """Return the length of a frame of `n` values [bytes]."""
    return HEAD.size + 8 * n + CRC.size


def encode(approved: Approved, session: int, now: int) -> bytes:
    """Return the frame of an approved command that is sent at `now` [ns]: of what is given, not what was wanted."""
    c, given = approved.command, approved.given
    body = HEAD.pack(
        MAGIC, COMMAND, 0, len(given), session, c.sequence, c.sample, c.made, now, c.expires, c.age, c.confidence,
        contract_of(c.names, c.units),
    ) + _values(len(given)).pack(*given)  # fmt: skip
    return body + CRC.pack(crc32(body))


def encode_stop(session: int, sequence: int, now: int) -> bytes:
    """Return the frame that asks for the safe state."""
    body = HEAD.pack(MAGIC, STOP, 0, 0, session, sequence, 0, now, now, now, 0.0, 0.0, 0)
    return body + CRC.pack(crc32(body))


def decode(data: bytes) -> Frame:
    """Return what a frame says.

    Raises
    ------
    FormatError
        For anything but one whole, undamaged frame.
    """
    if len(data) < size_of(0) or data[:4] != MAGIC:
        raise FormatError(f"A command needs a frame that begins with {MAGIC!r}; got {len(data)} bytes, {data[:8]!r}.")
    _, kind, zero, n, session, sequence, sample, made, sent, expires, age, confidence, contract = HEAD.unpack_from(data)
    if len(data) != size_of(n) or CRC.unpack_from(data, len(data) - 4)[0] != crc32(memoryview(data)[:-4]):
        raise FormatError(f"A command of {n} values needs {size_of(n)} bytes and their CRC-32; got {len(data)} bytes.")
    if zero or kind not in (COMMAND, STOP) or n > MOST_VALUES or (kind == STOP and n) or not isfinite(age):
        raise FormatError(f"A frame is a command (1) or a stop (2) of at most {MOST_VALUES} values; got {kind}, {n}.")
    values = _values(n).unpack_from(data, HEAD.size)
    return Frame(kind, session, sequence, sample, made, sent, expires, age, confidence, contract, values)
