"""Is a MATLAB 5 file whole? Walked before scipy opens it, which one wrong byte there can bring down or hang.

Format: MathWorks, "MAT-File Format", chapter 1 (level 5): tagged elements, matrices nested in matrices.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

from ranvier.errors import FormatError

_SIZE = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}  # bytes of a number
_MATRIX, _PACKED = 14, 15
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _FUNCTION = 1, 2, 3, 4, 5, 16
_DEEPEST = 40
LARGEST_PACKED = 1 << 30  # bytes of one element, unpacked: 4 h of 64 channels at 250 Hz in single precision
LARGEST_FILE = 4 << 30  # bytes of the file: level 5 cannot be larger


class _Wrong(Exception):  # noqa: N818 (it never leaves this file)
    """What does not fit, and the byte."""


class _Walk:
    def __init__(self, raw: bytes, order: str, at: int = 0) -> None:
        self.raw, self.order, self.at = raw, order, at

    def element(self, end: int, depth: int = 0) -> tuple[int, int, int]:
        """Step over one element; return its type and where its data begins and ends."""
        begin = self.at
        if begin + 8 > end:
            raise _Wrong(f"an element begins at byte {begin} and has no room")
        kind, size = struct.unpack_from(f"{self.order}II", self.raw, begin)
        data = begin + 8
        if kind >> 16:  # the small form: type, size and up to four bytes of data in eight
            kind, size, data = kind & 0xFFFF, kind >> 16, begin + 4
            stop = begin + 8
            if size > 4:
                raise _Wrong(f"the small element at byte {begin} claims {size} bytes")
        else:
            stop = data + size if kind == _PACKED else data + -(-size // 8) * 8
        if data + size > end or kind not in (*_SIZE, _MATRIX, _PACKED):
            raise _Wrong(f"the element at byte {begin} (type {kind}, {size} bytes) does not fit")
        if kind == _MATRIX and size:
            if depth > _DEEPEST:
                raise _Wrong(f"matrices are nested deeper than {_DEEPEST} at byte {begin}")
            self.at = data
            self.matrix(data + size, depth + 1)
        elif kind == _PACKED:
            if depth:
                raise _Wrong(f"a packed element lies in another one at byte {begin}")
            try:
                unpack = zlib.decompressobj()
                inner = unpack.decompress(self.raw[data : data + size], LARGEST_PACKED)
                if unpack.unconsumed_tail:
                    raise _Wrong(f"the packed element at byte {begin} unpacks to over {LARGEST_PACKED >> 20} MiB")
                if not unpack.eof:
                    raise zlib.error("incomplete stream")
            except zlib.error as error:
                raise _Wrong(f"the packed element at byte {begin} cannot be unpacked ({error})") from None
            _Walk(inner, self.order).element(len(inner), depth + 1)
        self.at = min(stop, end)
        return kind, data, data + size

    def part(self, end: int, depth: int, kinds: tuple[int, ...]) -> tuple[int, int, int]:
        at = self.at
        found = self.element(end, depth)
        if found[0] not in kinds:
            raise _Wrong(f"the element at byte {at} has type {found[0]}, not {' or '.join(map(str, kinds))}")
        return found

    def matrix(self, end: int, depth: int) -> None:
        begin = self.at
        _, a, b = self.part(end, depth, (6,))
        if b - a != 8:
            raise _Wrong(f"the flags of the matrix at byte {begin} have {b - a} bytes")
        flags = struct.unpack_from(f"{self.order}I", self.raw, a)[0]
        kind, parts = flags & 0xFF, 2 if flags & 0x0800 else 1
        if not 1 <= kind <= 17:
            raise _Wrong(f"the matrix at byte {begin} has the unknown class {kind}")
        if kind > _FUNCTION:
            return
        _, a, b = self.part(end, depth, (5, 6))
        shape = struct.unpack_from(f"{self.order}{(b - a) // 4}i", self.raw, a)
        if not 2 <= len(shape) <= 32 or min(shape) < 0:
            raise _Wrong(f"the matrix at byte {begin} has the shape {shape}")
        count = math.prod(shape)
        self.part(end, depth, (1, 16))
        if kind in (_STRUCT, _OBJECT):
            if kind == _OBJECT:
                self.part(end, depth, (1,))
            _, a, b = self.part(end, depth, (5,))
            width = struct.unpack_from(f"{self.order}i", self.raw, a)[0] if b - a == 4 else 0
            _, a, b = self.part(end, depth, (1,))
            if width < 1 or (b - a) % width:
                raise _Wrong(f"the names of the fields at byte {a} do not fit")
            count *= (b - a) // width
        if kind in (_CELL, _STRUCT, _OBJECT, _FUNCTION):
            for _ in range(1 if kind == _FUNCTION else count):
                self.part(end, depth, (_MATRIX,))
        elif kind == _SPARSE:
            for _ in range(2 + parts):
                self.part(end, depth, tuple(_SIZE))
        elif count or self.at < end:
            for _ in range(parts):
                found, a, b = self.part(end, depth, tuple(_SIZE))
                held = (b - a) // _SIZE[found]
                if (b - a) % _SIZE[found] or (held != count and kind != _CHAR):
                    raise _Wrong(f"the matrix at byte {begin} of shape {shape} holds {held} numbers")


def check_mat(path: Path) -> None:
    """Follow every element of a MATLAB 5 file; others are left alone.

    Raises
    ------
    FormatError
        An element that does not fit into what holds it, with its byte.
    """
    with path.open("rb") as file:
        if not file.read(10).startswith(b"MATLAB 5.0"):
            return
    if path.stat().st_size > LARGEST_FILE:
        raise FormatError(f"{path.name} needs at most {LARGEST_FILE >> 30} GiB, as level 5 allows. Get a fresh copy.")
    raw = path.read_bytes()
    order = {b"IM": "<", b"MI": ">"}.get(raw[126:128], "")
    try:
        if not order:
            raise _Wrong(f"bytes 126 and 127 are {raw[126:128]!r}, not IM or MI")
        walk = _Walk(raw, order, 128)
        while walk.at < len(raw):
            walk.part(len(raw), 0, (_MATRIX, _PACKED))
    except (_Wrong, struct.error) as error:
        raise FormatError(f"{path.name}: {error}. The file is cut short or damaged there; get a fresh copy.") from None
