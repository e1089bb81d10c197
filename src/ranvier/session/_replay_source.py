"""Replay: a recording as a source, its samples due at their own pace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ranvier.acquire import Mark, Packet, Source, register
from ranvier.channels import Scale
from ranvier.denoise import Integrity
from ranvier.errors import ContractError, FormatError
from ranvier.stage import Stage, from_table
from ranvier.stream import Block, Recording

SLOW, LONG, SHORT = 5000, 0.01, 0.001  # rate up to which packets of 10 ms are made; of 1 ms above [Hz, s]
READ = 0.5  # s of recording that are read from disk at once


@register
@dataclass(eq=False)
class Replay(Source):
    """Deliver a recording as if it came from a device now: raw counts, where it kept them.

    Parameters
    ----------
    recording
        A file, or an opened recording.
    speed
        Recorded seconds a second; 0 for as fast as they are taken.
    stream
        Which stream of a file that has several: name, type or place.
    packet
        Length of what comes at a time [s]; 0 for 10 ms, or 1 ms of streams above 5 kHz.

    Notes
    -----
    A packet is due when its last sample was taken, by the clock that `start` was given. Gaps of the recording stay
    gaps. Events come as marks with the packet in which they lie. At its end `read` raises EOFError.
    """

    scheme: ClassVar[str] = "replay"
    recording: str | Any
    speed: float = 1.0
    stream: str | None = None
    packet: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.speed <= 1e6:
            raise ContractError(f"Replay needs speed >= 0; got {self.speed:g}. 1 is real time, 0 as fast as possible.")
        if not 0 <= self.packet <= 1:
            raise ContractError(f"Replay needs 0 <= packet <= 1 s; got {self.packet:g} s. Take 0.01.")

    @property
    def patient(self) -> bool:
        """Whether it gives no more than is taken."""
        return not self.speed

    @property
    def tempo(self) -> float:
        return self.speed or 1.0

    def _open(self) -> None:
        if isinstance(self.recording, str | Path):
            from ranvier import record

            if not Path(self.recording).exists():
                raise FormatError(f"Replay needs a recording; {self.recording} does not exist. Check the path.")
            options = {} if self.stream is None else {"stream": self.stream}
            found: Recording = record.open(Path(self.recording), **options)
        else:
            found = self.recording
        self._events, self._labels = found.events, found.event_info.labels
        self._recorded: Any = signal if (signal := getattr(found, "signal", None)) is not None else found
        self._info = self._recorded.info
        self._entrance = _entrance(found)
        length = self.packet or (LONG if self._info.rate <= SLOW else SHORT)
        self._size = max(1, round(length * float(self._info.rate)))

    def _start(self) -> None:
        self._blocks = self._pieces()
        self._next = next(self._blocks, None)
        self._told = 0
        self._began = self._clock()
        self._first = 0 if self._next is None else self._next.start

    def _pieces(self) -> Iterator[Block]:
        rate = float(self.info.rate)
        ahead = max(round(READ * rate / self._size), 1) * self._size
        for block in self._recorded.blocks(ahead):
            samples = block.data if isinstance(block, Block) else block.samples
            for a in range(0, len(samples), self._size):
                yield Block(samples[a : a + self._size], block.start + a)

    def _due(self, sample: int) -> int:
        """Return when a sample is there [ns]; with no pace, now."""
        if not self.speed:
            return self._clock()
        return self._began + round((sample - self._first) * 1e9 / (float(self.info.rate) * self.speed))

    def _read(self, timeout: float) -> list[Packet | Mark]:
        if self._next is None:
            raise EOFError
        wait = (self._due(self._next.stop) - self._clock()) / 1e9
        if wait > timeout:
            time.sleep(timeout)
            return []
        if wait > 0:
            time.sleep(wait)
        out: list[Packet | Mark] = []
        now = self._clock()
        while self._next is not None and len(out) < 64 and (not self.speed or self._due(self._next.stop) <= now):
            block = self._next
            out += self._marks(block.stop, now)
            samples = np.ascontiguousarray(block.data)
            out.append(Packet(samples, block.start, now, (block.start - self._first) / float(self.info.rate)))
            self.counters.packets += 1
            self.counters.samples += block.n
            self._next = next(self._blocks, None)
        return out

    def _marks(self, stop: int, now: int) -> list[Mark]:
        """Return the events up to a sample that were not told yet."""
        table = self._events.table
        end = int(np.searchsorted(table["sample"], stop))
        told, self._told = table[self._told : end], end
        return [
            Mark(int(e["sample"]) + float(e["fraction"]), self._labels[int(e["code"])], float(e["value"]), now)
            for e in told
        ]

    def _stop(self) -> None:
        self._blocks, self._next = iter(()), None

    def _close(self) -> None:
        self._recorded = None


def _entrance(recording: Any) -> Stage:
    """Return the entrance that a recorded session had, or one that makes units of what was recorded."""
    device = (getattr(recording, "head", None) or {}).get("device")
    signal = getattr(recording, "signal", None)
    if signal is None:
        return Integrity()
    if isinstance(device, dict) and isinstance(device.get(signal.name), dict) and "entrance" in device[signal.name]:
        entrance: Stage = from_table(device[signal.name]["entrance"])
        return entrance
    if isinstance(signal.unit, tuple):
        n = signal.info.n_channels
        gains = signal.gain if isinstance(signal.gain, tuple) else (signal.gain or 1.0,) * n
        from ranvier.acquire._units import entrance as entrance_of

        return entrance_of(signal.info.channels, list(gains), list(signal.unit), None, None)
    return Integrity() if signal.gain is None else Integrity() | Scale(signal.gain, signal.unit)
