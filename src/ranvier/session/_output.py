"""A block of decisions as bytes and back, to the bit: what a recording keeps of a graph's output."""

from __future__ import annotations

import struct

import numpy as np

from ranvier.errors import FormatError
from ranvier.stream import Block, StreamInfo, all_valid, is_all_valid

_HEAD = struct.Struct("<qqii")  # start, samples, bytes of a sample, flags
_MASKED, _AT = 1, 2


def pack(block: Block) -> bytes:
    """Return start, samples, mask (where there is one) and source samples (where samples come at events) as bytes."""
    masked = not is_all_valid(block.valid)
    flags = masked * _MASKED | (block.at is not None) * _AT
    parts = [_HEAD.pack(block.start, block.n, block.data.nbytes // max(block.n, 1), flags), block.data.tobytes()]
    if masked:
        parts.append(np.packbits(block.valid.reshape(-1)).tobytes())
    if block.at is not None:
        parts.append(np.ascontiguousarray(block.at, np.int64).tobytes())
    return b"".join(parts)


def unpack(payload: bytes, info: StreamInfo) -> Block:
    """Return what `pack` was given, of a stream; or raise FormatError."""
    one = int(np.prod(info.shape)) * info.dtype.itemsize
    try:
        start, n, size, flags = _HEAD.unpack_from(payload)
        bits = -(-n * (one // info.dtype.itemsize) // 8) if flags & _MASKED else 0
        wanted = _HEAD.size + n * one + bits + (8 * n if flags & _AT else 0)
        if n < 0 or (n and size != one) or flags & ~(_MASKED | _AT) or wanted != len(payload):
            raise ValueError(f"{n} samples of {size} bytes in {len(payload)}")
    except (struct.error, ValueError) as e:
        raise FormatError(
            f"A recorded output of {info.name!r} needs samples of {one} bytes each; got {str(e)[:80]}. The recording "
            "is damaged there: run ranvier verify."
        ) from None
    at = _HEAD.size
    data = np.frombuffer(payload, info.dtype, n * one // info.dtype.itemsize, at).reshape(n, *info.shape)
    at += n * one
    valid = all_valid(data.shape)
    if flags & _MASKED:
        packed = np.frombuffer(payload, np.uint8, bits, at)
        valid = np.unpackbits(packed, count=data.size).astype(bool).reshape(data.shape)
        at += bits
    where = np.frombuffer(payload, np.int64, n, at) if flags & _AT else None
    return Block(data, start, valid, where)
