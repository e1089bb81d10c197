"""OpenEphysCodec: the messages of the Open Ephys GUI's ZMQ Interface, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ranvier.acquire._count import DeviceCount
from ranvier.acquire._source import Counters, Mark, Packet
from ranvier.stream import Array

LONGEST = 1 << 16  # bytes of a header
MOST_SAMPLES = 1 << 20  # of one channel in one message
MOST_CHANNELS = 1 << 14
LAST = 1 << 62  # sample numbers lie below
WAITING = 256  # marks that are kept until their sample is there
TEXT = 200  # characters that a label may have
TTL, MESSAGE = 3, 5  # types of events


@dataclass(slots=True)
class OpenEphysCounters(Counters):
    """What a codec saw, and what the plugin's own count of messages tells.

    Parameters
    ----------
    missed
        Messages that never came.
    incomplete
        Packets in which a channel is missing; its numbers are nan.
    """

    missed: int = 0
    incomplete: int = 0


class Piece(NamedTuple):
    """One channel of one buffer, as a message brings it; checked."""

    stream: str
    channel: int
    name: str
    first: int
    rate: float
    samples: Array


class Instant(NamedTuple):
    """An event or a spike, as a message brings it; checked."""

    stream: str
    sample: int
    label: str
    value: float


def decode(frames: Sequence[bytes]) -> tuple[int, Piece | Instant | None] | None:
    """Return the number of a message and what it brings (None for what is of no use); None where it is damaged."""
    if not 2 <= len(frames) <= 3 or len(frames[1]) > LONGEST:
        return None
    try:
        head = READER.decode(frames[1].decode("utf-8").rstrip("\0"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(head, dict):
        return None
    number, payload = _whole(head.get("message_num"), LAST), bytes(frames[2]) if len(frames) == 3 else b""
    kind = head.get("type")
    inner = head.get("spike" if kind == "spike" else "content")
    if number is None or not isinstance(inner, dict):
        return None
    reader = READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        return number, None
    try:
        return number, reader(inner, payload)
    except ValueError:
        return None


class OpenEphysCodec:
    """Turn messages of the ZMQ Interface into packets and marks.

    Parameters
    ----------
    channels
        Numbers of the channels that make a sample, in the order in which they are delivered.
    stream
        Name of the stream; messages of others are left alone.
    counters
        Where it is told what was seen.
    first, floor, anew
        As for `DeviceCount`: where index 0 is; and what to do when the GUI has begun to count again.

    Notes
    -----
    A message has an envelope, a JSON header and a payload. One message brings one channel of one buffer: float32, in
    the unit of the GUI (uV), little endian. All channels with one ``sample_num`` make a packet. Where one is missing
    when the next buffer begins, its numbers are nan (`incomplete`); its message is counted in `missed`. A header is not
    believed: sizes, types and ranges are checked, and what does not fit is `damaged`. TTL events are marks
    ``line 3 on``, texts are marks of their own, spikes are marks ``spike NAME`` with the sorted unit as their value;
    they come behind the packet that holds their sample. One buffer is held back at the most; the first is left out
    where its beginning is missing.

    References
    ----------
    Open Ephys GUI documentation, ZMQ Interface (open-ephys.github.io/gui-docs).
    """

    def __init__(
        self,
        channels: Sequence[int],
        stream: str,
        *,
        counters: OpenEphysCounters | None = None,
        first: int | None = None,
        floor: int = 0,
        anew: int = 0,
        rate: float = nan,
    ) -> None:
        self.counters = OpenEphysCounters() if counters is None else counters
        self._column = {channel: i for i, channel in enumerate(channels)}
        self._stream, self._rate = stream, rate
        patience = 1 << 16 if rate != rate else max(int(rate), 1)
        self._count = DeviceCount(self.counters, first=first, floor=floor, anew=anew, patience=patience)
        self._samples: Array | None = None  # of the buffer that is being put together
        self._from = 0
        self._missing = set(self._column)
        self._joined = False
        self._arrival = 0
        self._number: int | None = None  # of the next message
        self._start: int | None = None  # index of the first sample
        self._waiting: list[tuple[Instant, int]] = []

    @property
    def first(self) -> int | None:
        """The sample number of index 0; None before the first sample."""
        return self._count.first if self._count.begun else None

    @property
    def restarted(self) -> bool:
        """Whether the GUI began to count anew."""
        return self._count.restarted

    def feed(self, frames: Sequence[bytes], arrival: int = 0) -> list[Packet | Mark]:
        """Take a message that came at host time `arrival` [ns]; return what it completes."""
        found = decode(frames)
        if found is None:
            self.counters.damaged += 1
            return []
        number, what = found
        if self._number is not None and number > self._number:
            self.counters.missed += number - self._number
        self._number = number + 1
        if isinstance(what, Piece) and what.stream == self._stream and what.channel in self._column:
            return self._take(what, arrival)
        if isinstance(what, Instant) and what.stream == self._stream:
            return self._placed([(what, arrival)])
        return []

    def _take(self, piece: Piece, arrival: int) -> list[Packet | Mark]:
        n, column = len(piece.samples), self._column[piece.channel]
        out: list[Packet | Mark] = []
        if piece.first < self._from or (self._samples is None and self._count.begun and piece.first == self._from):
            if column == 0 and self._count.begun:  # once for all channels
                self._count.place(piece.first, n)
            return []
        if self._samples is not None and piece.first != self._from:
            out = self._finish()
        if self._samples is None:
            self._samples = np.full((n, len(self._column)), np.nan, np.float32)
            self._from, self._missing = piece.first, set(self._column)
        if n != len(self._samples):
            self.counters.damaged += 1
            return out
        if piece.channel not in self._missing:
            self.counters.duplicates += n
            return out
        self._samples[:, column] = piece.samples
        self._missing.discard(piece.channel)
        self._arrival = arrival
        return out if self._missing else out + self._finish()

    def _finish(self) -> list[Packet | Mark]:
        """Deliver the buffer that was put together."""
        samples, self._samples = self._samples, None
        joined, self._joined = self._joined, True
        if samples is None or (self._missing and not joined):
            return []  # the first message came in the middle of a buffer
        index, known = self._count.place(self._from, len(samples))
        if known == len(samples):
            return []
        self.counters.packets += 1
        self.counters.samples += len(samples) - known
        self.counters.incomplete += bool(self._missing)
        packet = Packet(samples[known:], index + known, self._arrival, (self._from + known) / self._rate)
        self._start = index if self._start is None else self._start
        return [packet, *self._placed([])]

    def _placed(self, instants: list[tuple[Instant, int]]) -> list[Packet | Mark]:
        """Return the marks whose sample is there; keep the others. What lies before the first sample is left out."""
        known = self._waiting + instants
        if self._start is None:
            self._waiting = known[-WAITING:]
            return []
        places = [self._count.index(instant.sample) for instant, _ in known]
        self._waiting = [k for k, at in zip(known, places, strict=True) if at >= self._count.next][-WAITING:]
        return [
            Mark(float(at), instant.label, instant.value, arrival)
            for (instant, arrival), at in zip(known, places, strict=True)
            if self._start <= at < self._count.next
        ]


# headers ------------------------------------------------------------------------------------------


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _whole(value: Any, stop: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < stop else None


def _need(inner: dict[str, Any], key: str, stop: int) -> int:
    value = _whole(inner.get(key), stop)
    if value is None:
        raise ValueError(key)
    return value


def _text(inner: dict[str, Any], key: str, default: str | None = None) -> str:
    value = inner.get(key, default)
    if not isinstance(value, str):
        raise ValueError(key)
    return clean(value)


def clean(text: str) -> str:
    """Return what can be printed of a text, 200 characters at the most."""
    if len(text) <= TEXT and text.isprintable():
        return text
    return "".join(c for c in text[:TEXT] if c.isprintable())


def _piece(inner: dict[str, Any], payload: bytes) -> Piece:
    n, rate = _need(inner, "num_samples", MOST_SAMPLES + 1), inner.get("sample_rate")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not (isfinite(rate) and 0 < rate <= 1e6):
        raise ValueError("sample_rate")
    if n == 0 or len(payload) != 4 * n:
        raise ValueError("num_samples")
    return Piece(
        _text(inner, "stream"),
        _need(inner, "channel_num", MOST_CHANNELS),
        _text(inner, "channel_name", ""),
        _need(inner, "sample_num", LAST),
        float(rate),
        np.frombuffer(payload, "<f4"),
    )


def _event(inner: dict[str, Any], payload: bytes) -> Instant:
    kind, sample, stream = _need(inner, "type", 256), _need(inner, "sample_num", LAST), _text(inner, "stream")
    if kind == TTL and len(payload) >= 2:
        label, value = f"line {payload[0]} {'on' if payload[1] else 'off'}", float(payload[1] != 0)
    elif kind == MESSAGE and payload:
        label, value = clean(payload[: 4 * TEXT].decode("utf-8", "replace")), 0.0
    else:
        raise ValueError("type")
    return Instant(stream, sample, label, value)


def _spike(inner: dict[str, Any], payload: bytes) -> Instant:
    n = _need(inner, "num_channels", MOST_CHANNELS) * _need(inner, "num_samples", MOST_SAMPLES)
    if len(payload) != 4 * n:
        raise ValueError("num_samples")
    unit = float(_need(inner, "sorted_id", 1 << 31))
    return Instant(_text(inner, "stream"), _need(inner, "sample_num", LAST), f"spike {_text(inner, 'electrode')}", unit)


READER = json.JSONDecoder(parse_constant=_refuse)
READERS: dict[str, Callable[[dict[str, Any], bytes], Piece | Instant]] = {
    "data": _piece,
    "event": _event,
    "spike": _spike,
}
