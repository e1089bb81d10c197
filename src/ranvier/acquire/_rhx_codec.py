"""RhxCodec: the bytes of Intan RHX's waveform port, and nothing else."""

from __future__ import annotations

import struct
from math import nan

import numpy as np

from ranvier.acquire._count import DeviceCount
from ranvier.acquire._source import Counters, Packet
from ranvier.stream import Array

MAGIC = struct.pack("<I", 0x2EF07A08)
FRAMES = 128  # a block
WRAP = 1 << 32  # timestamps are 32 bits wide
MIDDLE = 32768  # the word that stands for 0 V


def block_dtype(words: int) -> np.dtype:
    """Return the layout of one block: the magic number, then 128 times a timestamp and one word a channel.

    >>> block_dtype(1).itemsize  # the size that Intan's own example client computes
    772
    """
    frame = [("time", "<u4"), ("words", "<u2", (words,))]
    return np.dtype([("magic", "S4"), ("frames", frame, (FRAMES,))])


class RhxCodec:
    """Turn the bytes of the waveform port into packets.

    Parameters
    ----------
    words
        Words in a frame: enabled bands of amplifiers, auxiliary and analog inputs, and one for all digital inputs.
    rate
        Samples per second [Hz]; nan where the device's clock is not asked for.
    digital
        Whether the last word is that of the digital inputs.
    counters
        Where it is told what was seen.
    base
        Index that the device's count 0 gets.

    Notes
    -----
    A block is the number 0x2ef07a08, then 128 frames of a timestamp (uint32) and `words` words (uint16), all little
    endian. Whole packets come out, one for each block: int16, ``word - 32768`` (so that 0 is 0 V), the digital word as
    its bits. A block counts as whole where its magic number stands and its timestamps go up by one; else it is thrown
    away up to the next magic number (`damaged`, `skipped`). At most one block is held back. Timestamps are the device's
    count: jumps are gaps, what comes twice is thrown away. The packets do not depend on how the bytes were cut.

    References
    ----------
    Intan Technologies, RHX TCP control, and its example clients (intantech.com/RHX_software.html).
    """

    def __init__(
        self, words: int, *, rate: float = nan, digital: bool = False, counters: Counters | None = None, base: int = 0
    ) -> None:
        self.counters = Counters() if counters is None else counters
        self.dtype = block_dtype(words)
        self._rate, self._digital, self._base = rate, digital, base
        patience = 1 << 16 if rate != rate else max(int(rate), FRAMES)
        self._count = DeviceCount(self.counters, wrap=WRAP, first=-base, patience=patience)
        self._held = bytearray()
        self._in_step = True

    @property
    def next(self) -> int:
        """Index behind the newest sample."""
        return self._count.next if self._count.begun else self._base

    @property
    def restarted(self) -> bool:
        """Whether the device began to count anew, in the middle of a run."""
        return self._count.restarted

    def feed(self, data: bytes | bytearray | memoryview, arrival: int = 0) -> list[Packet]:
        """Take bytes that came at host time `arrival` [ns]; return the packets that they complete."""
        held, size, out, at = self._held, self.dtype.itemsize, [], 0
        held += data
        while len(held) - at >= len(MAGIC):
            if held.startswith(MAGIC, at):
                if len(held) - at < size:
                    break
                frames = np.frombuffer(bytes(held[at : at + size]), self.dtype)[0]["frames"]
                time = frames["time"]
                if (np.diff(time) == 1).all():  # modulo 2**32, as uint32 are
                    out += self._packet(int(time[0]), frames["words"], arrival)
                    at, self._in_step = at + size, True
                    continue
            at = self._search(at)
        del held[:at]
        return out

    def _search(self, at: int) -> int:
        """Leave what stands at `at`, which is no block, up to the next magic number."""
        self.counters.damaged += self._in_step
        self._in_step = False
        found = self._held.find(MAGIC, at + 1)
        found = max(at + 1, len(self._held) - len(MAGIC) + 1) if found < 0 else found
        self.counters.skipped += found - at
        return found

    def _packet(self, time: int, words: Array, arrival: int) -> list[Packet]:
        index, known = self._count.place(time, FRAMES)
        if known == FRAMES:
            return []
        samples = (words[known:] ^ MIDDLE).view(np.int16)  # flips the sign bit: the word minus 32768
        if self._digital:
            samples[:, -1] = words[known:, -1].astype(np.uint16).view(np.int16)
        self.counters.packets += 1
        self.counters.samples += len(samples)
        return [Packet(samples, index + known, arrival, (time + known) / self._rate)]


def encode_block(time: int, words: Array) -> bytes:
    """Return one block: timestamps from `time` on, words ``(128, n)``; for servers and tests."""
    block = np.zeros((), block_dtype(words.shape[1]))
    block["magic"] = MAGIC
    block["frames"]["time"] = (time + np.arange(FRAMES)) % WRAP
    block["frames"]["words"] = words
    return block.tobytes()
