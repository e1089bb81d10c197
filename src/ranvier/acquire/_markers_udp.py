"""UDPMarkers: markers as datagrams, from any program that can send text."""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, NamedTuple

from ranvier.acquire._marker import Marker, MarkerSource
from ranvier.errors import ConfigError, DeviceError
from ranvier.stream import HostClock

LONGEST = 1024  # bytes of a datagram
AT_ONCE = 256  # datagrams that one call takes
LONGEST_WAIT = 600.0  # s; more is the wall clock that was set
LOOKS = 3  # at both clocks, so that one is not interrupted between them
_TIMESPEC = struct.Struct("@qq")
STAMPS = 35 if sys.platform == "linux" else 0  # SO_TIMESTAMPNS: when the kernel had a datagram, by the wall clock


class Datagram(NamedTuple):
    """What a datagram says; `age` is how long ago it was, as the sender knows [s]."""

    label: str
    value: float = 0.0
    age: float = 0.0


def read_datagram(raw: bytes) -> Datagram | None:
    """Return what a datagram says, None where it is no marker.

    It is the label as UTF-8 text (blanks around it are cut), or a JSON object with `label` and, if wanted, `value`
    and `age` [s].

    >>> read_datagram(b"left")
    Datagram(label='left', value=0.0, age=0.0)
    >>> read_datagram(b'{"label": "tone", "value": 440, "age": 0.012}')
    Datagram(label='tone', value=440.0, age=0.012)
    """
    if len(raw) > LONGEST:
        return None
    try:
        text = raw.decode().strip()
        said = json.loads(text) if text.startswith("{") else {"label": text}
        found = Datagram(**said)
        number, age = float(found.value), float(found.age)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
    label = found.label
    if not isinstance(label, str) or not label or not label.isprintable():
        return None
    if isinstance(found.value, str | bool) or isinstance(found.age, str | bool):
        return None
    return Datagram(label, number, age) if isfinite(number) and 0 <= age <= 60 else None


@dataclass(eq=False)
class UDPMarkers(MarkerSource):
    """Markers as UDP datagrams: text, or JSON.

    On Linux the kernel says when it had a datagram: one that waited because nobody read keeps its time.

    Parameters
    ----------
    where
        ``host:port`` to listen at; port 0 takes a free one. Other hosts than this one reach it only where an address
        of this computer's network is given.
    latency, jitter, watermark
        See `MarkerSource` [s].

    Attributes
    ----------
    address
        ``(host, port)`` where it listens, once it is open.
    """

    scheme: ClassVar[str] = "udp"

    where: str = "127.0.0.1:5006"
    latency: float = 0.0
    jitter: float = 0.001
    watermark: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._socket: socket.socket | None = None
        host, _, port = self.where.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise ConfigError(f"UDPMarkers needs where = host:port; got {self.where!r}. Write it like 127.0.0.1:5006.")

    @property
    def address(self) -> tuple[str, int]:
        if self._socket is None:
            raise DeviceError("UDPMarkers has no address before it is open. Call open first.")
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def _open(self) -> None:
        host, _, port = self.where.rpartition(":")
        self.damaged = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, int(port)))
        except OSError as e:
            raise DeviceError(
                f"UDPMarkers cannot listen at {self.where}: {e}. Choose a free port of this computer."
            ) from e
        self._socket.setblocking(False)
        if STAMPS:
            self._socket.setsockopt(socket.SOL_SOCKET, STAMPS, 1)

    def _start(self) -> None:
        self._drain()  # what came before the start has no time

    def _stop(self) -> None:
        pass

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read(self, timeout: float) -> list[Marker]:
        link = self._socket
        try:
            if link is None or not select.select([link], [], [], max(timeout, 0))[0]:
                return []
        except (OSError, ValueError):  # closed by another thread
            return []
        return self._drain()

    def _drain(self) -> list[Marker]:
        found: list[Marker] = []
        for _ in range(AT_ONCE):
            link = self._socket
            try:
                raw, more, _, _ = (b"", [], 0, None) if link is None else link.recvmsg(LONGEST + 1, 64)
            except OSError:  # nothing more, or closed by another thread
                break
            if link is None:
                break
            said = read_datagram(raw)
            if said is None:
                self.damaged += 1
            else:
                now, wall = _both(self._clock)
                found.append(self._stamped(said.label, said.value, said.age + _waited(more, wall), now))
        return found


def _both(clock: HostClock) -> tuple[int, int]:
    """Return host time and wall-clock time of one instant [ns]: of a few looks, that with the least between."""
    looks = [(clock(), time.time_ns(), clock()) for _ in range(LOOKS)]
    before, wall, after = min(looks, key=lambda look: look[2] - look[0])
    return (before + after) // 2, wall


def _waited(more: Sequence[tuple[int, int, bytes]], wall: int) -> float:
    """Return how long before a wall-clock time [ns] the kernel had a datagram [s]; 0 where nothing sound says it."""
    for level, kind, raw in more:
        if level == socket.SOL_SOCKET and kind == STAMPS and len(raw) == _TIMESPEC.size:
            seconds, part = _TIMESPEC.unpack(raw)
            waited = (wall - seconds * 1_000_000_000 - part) * 1e-9
            return waited if 0 <= waited <= LONGEST_WAIT else 0.0
    return 0.0
