"""What goes through the pipe to a watchdog's process: a length, a kind and a body; each whole or not at all."""

from __future__ import annotations

import json
import os
import select
import struct
from typing import Any, Final

from ranvier.errors import FormatError

HEAD: Final = struct.Struct("<HB")
COMMAND, NAMES, START, STOP, STATUS = range(5)
ATOMIC: Final = getattr(select, "PIPE_BUF", 512)  # bytes that a pipe takes whole or not at all (POSIX: at least 512)


def pack(kind: int, body: bytes) -> bytes:
    """Return a message."""
    return HEAD.pack(len(body), kind) + body


def pack_json(kind: int, body: dict[str, Any]) -> bytes:
    """Return a message whose body is a table."""
    return pack(kind, json.dumps(body, separators=(",", ":")).encode())


class Unpacker:
    """Cuts what comes out of a pipe into messages; keeps what is not whole yet."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the messages that are whole with `data`."""
        rest, found = self._rest + data, []
        while len(rest) >= HEAD.size:
            n, kind = HEAD.unpack_from(rest)
            if kind > STATUS or n > ATOMIC:
                raise FormatError(f"A watchdog needs messages of kinds 0 to {STATUS}; got {kind} of {n} bytes.")
            if len(rest) < HEAD.size + n:
                break
            found.append((kind, rest[HEAD.size : HEAD.size + n]))
            rest = rest[HEAD.size + n :]
        self._rest = rest
        return found


def write_all(pipe: int, data: bytes, patience: float) -> bool:
    """Write a message within `patience` [s]; return whether it was."""
    if not select.select([], [pipe], [], patience)[1]:
        return False
    try:
        return os.write(pipe, data) == len(data)
    except BlockingIOError:
        return False
