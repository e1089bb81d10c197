"""CytonCodec: the bytes of an OpenBCI Cyton -> samples and marks; pure, bounded, the same for any cut of the bytes."""

from __future__ import annotations

from itertools import pairwise
from math import nan
from typing import Literal, NamedTuple

import numpy as np

from ranvier.acquire._source import Counters, Mark, Packet
from ranvier.stream import Array

HEADER, SIZE = 0xA0, 33
FOOTERS = frozenset(range(0xC0, 0xC7))
STAMPED = frozenset(range(0xC3, 0xC7))  # aux bytes 3 to 6: milliseconds since the board was started
RAIL = 2**23 - 1
RATE = 250  # packets a second
REACH = 16  # packets: one that is up to so much older than the last came late; the counter did not run round
SILENT = RATE // 4  # packets of silence from which on the clock has a say in how often the counter ran round
LINES = ("D11", "D12", "D13", "D17", "", "D18")  # what aux bytes mean in the digital mode of the board
Aux = Literal["off", "accel", "analog", "digital"]


class _Frame(NamedTuple):
    number: int  # of the packet, 0 to 255
    body: bytes  # eight numbers of 24 bits
    aux: bytes
    footer: int


class CytonCodec:
    """Bytes of a Cyton -> packets of int32 counts, with the index that its counter gives them.

    Parameters
    ----------
    daisy
        Whether a Daisy is attached: two packets then make one sample of 16 channels at 125 Hz.
    aux
        What becomes of the six auxiliary bytes: nothing; three channels more (``accel`` or ``analog``, int16); or, in
        the digital mode, a `Mark` for each change of a line.
    counters
        Where it counts; its own unless given.

    Notes
    -----
    A packet is ``A0 n`` + 8 x 24 bits + 6 bytes + ``C0`` to ``C6``. There is no checksum: a damaged number inside a
    packet cannot be seen, but stays in its sample. What can be seen:

    - No header or footer where one belongs: the packet is thrown away (`damaged`) and bytes are `skipped` until a whole
      packet is found that another header follows.
    - The counter jumps: the packet is held until the next one. Where that one goes on behind it, samples were lost (a
      gap); where it goes back behind the one before, the held packet has a wrong number, or came early, and is thrown
      away (`damaged`, or `reordered` up to 16 packets ahead).
    - A number that was just seen is a duplicate, an older one up to 16 back is `reordered`; both are thrown away.
    - The counter has 256 numbers, about 1 s. After a silence of 0.25 s or more, the time that passed says how often it
      ran round; that needs `arrival`, and bytes that were waiting read to their end.

    With a Daisy, even numbers carry channels 9 to 16 and odd ones channels 1 to 8: packets 2k and 2k + 1 are sample k
    (as BrainFlow and the OpenBCI GUI pair them), and where one of them is missing the sample is lost. Each packet holds
    the mean of two conversions (the very first of the Daisy has none before it to take the mean with): the Daisy's
    half is centred 4 ms before the board's. Aux bytes are those of the second packet, or of the first where those
    are all 0.

    References
    ----------
    OpenBCI documentation, Cyton Data Format (binary format; 16 channel data with Daisy module). BrainFlow,
    cyton_daisy.cpp (which packets are one sample).
    """

    def __init__(self, daisy: bool = False, aux: Aux = "off", counters: Counters | None = None) -> None:
        self.daisy, self.aux = daisy, aux
        self.counters = Counters() if counters is None else counters
        self._last: int | None = None  # packets, counted on and on
        self._number = 0  # of the last one, 0 to 255
        self._arrival = 0  # of it [ns]
        self._sample: int | None = None
        self._clear()

    @property
    def n_channels(self) -> int:
        return (16 if self.daisy else 8) + (3 if self.aux in ("accel", "analog") else 0)

    def _clear(self) -> None:
        self._rest = b""
        self._synced = False
        self._held: _Frame | None = None
        self._half: tuple[int, _Frame] | None = None
        self._seen = 0  # bit k: the packet k before the last one came
        self._lines: bytes | None = None
        self._again = False
        self._counting = False

    def resume(self, counters: Counters | None = None) -> None:
        """The device was started again: what comes is counted on behind what was, by the time that passed."""
        self._clear()
        self._again = self._last is not None
        self.counters = self.counters if counters is None else counters

    def feed(self, data: bytes, arrival: int = 0) -> list[Packet | Mark]:
        """Take in bytes and return what became whole.

        Parameters
        ----------
        data
            All bytes that were there.
        arrival
            Host time at which they were [ns]; 0 where it is not known.
        """
        frames = self._frames(data)
        if frames and self._counting and self._passed(arrival) >= SILENT:
            self._counting, self._held = False, None
        frames = self._begun(frames)
        if not frames:
            return []
        out: list[tuple[int, tuple[_Frame, ...]]] = []
        forced, jump, more = self._after_silence(frames, arrival)
        for place, frame in enumerate(frames):
            step = (frame.number - self._number) & 255
            if self._last is None:
                self._accept(frame, frame.number, out)
            elif place in (forced, jump):
                self._held = None
                self._accept(frame, self._last + (step or 256) + (more if place == jump else 0), out)
            else:
                self._follow(frame, step, out)
        self._arrival = arrival
        return self._packets(out, arrival)

    # bytes -> frames ----------------------------------------------------------------------------
    def _frames(self, data: bytes) -> list[_Frame]:
        data, at, found = self._rest + data, 0, []
        end = len(data)
        while at < end:
            if data[at] == HEADER:
                if end - at < SIZE + (not self._synced):
                    break
                if data[at + SIZE - 1] in FOOTERS and (self._synced or data[at + SIZE] == HEADER):
                    self._synced = True
                    found.append(_Frame(data[at + 1], data[at + 2 : at + 26], data[at + 26 : at + 32], data[at + 32]))
                    at += SIZE
                    continue
            if self._synced:
                self._synced = False
                self.counters.damaged += 1
            after = data.find(HEADER, at + 1)
            after = end if after < 0 else after
            self.counters.skipped += after - at
            at = after
        self._rest = data[at:]
        return found

    # frames -> the device's count ---------------------------------------------------------------
    def _begun(self, frames: list[_Frame]) -> list[_Frame]:
        """Return the frames from the first on whose successor has the next number: none is believed alone."""
        if self._counting:
            return frames
        frames = frames if self._held is None else [self._held, *frames]
        for place, (a, b) in enumerate(pairwise(frames)):
            if (b.number - a.number) & 255 == 1:
                self._counting, self._held = True, None
                return frames[place:]
            if a.number == b.number:
                self.counters.duplicates += 1
            else:
                self.counters.damaged += 1
        self._held = frames[-1] if frames else None
        return []

    def _passed(self, arrival: int) -> int:
        """Return how many packets were due since the last one; 0 where the time is not known."""
        return round((arrival - self._arrival) * 1e-9 * RATE) if arrival and self._arrival else 0

    def _after_silence(self, frames: list[_Frame], arrival: int) -> tuple[int, int, int]:
        """Return which frame goes on behind a silence, which behind a jump, and how many packets more that one is."""
        passed = self._passed(arrival)
        if self._last is None or (passed < SILENT and not self._again):
            return -1, -1, 0
        if self._again:
            self._again = False
            # parity is kept: a Daisy's halves stay in their places
            ahead = max(1, passed - len(frames) + 1)
            ahead += (self._last + ahead - frames[0].number) & 1
            self._last, self._number = self._last + ahead - 1, (frames[0].number - 1) & 255
            return 0, -1, 0
        numbers = [self._number, *(f.number for f in frames)]
        steps = [(b - a) & 255 for a, b in pairwise(numbers)]
        jump = next((i for i, s in enumerate(steps) if s != 1), 0)
        steps[jump] = steps[jump] or 256
        advance = sum(s for i, s in enumerate(steps) if s < 256 - REACH or i == jump)
        return 0, jump, max(0, round((passed - advance) / 256)) * 256

    def _follow(self, frame: _Frame, step: int, out: list[tuple[int, tuple[_Frame, ...]]]) -> None:
        assert self._last is not None
        if step == 0 or step >= 256 - REACH:
            if self._seen >> (-step & 255) & 1:
                self.counters.duplicates += 1
            else:
                self.counters.reordered += 1
            return
        if self._held is not None:
            held = (self._held.number - self._number) & 255
            if step == held:
                if frame == self._held:
                    self.counters.duplicates += 1
                else:  # one of the two has a wrong number: what follows says nothing of the first
                    self.counters.damaged += 1
                    self._held = frame
                return
            earlier, self._held = self._held, None
            if step > held:
                self._accept(earlier, self._last + held, out)
                self._follow(frame, (frame.number - self._number) & 255, out)
                return
            if held <= REACH:
                self.counters.reordered += 1
            else:
                self.counters.damaged += 1
        if step == 1:
            self._accept(frame, self._last + 1, out)
        else:
            self._held = frame

    def _accept(self, frame: _Frame, index: int, out: list[tuple[int, tuple[_Frame, ...]]]) -> None:
        if self._last is not None:
            self._seen = (self._seen << min(index - self._last, REACH + 1) | 1) & ((1 << REACH + 1) - 1)
            self.counters.wraps += (self._number + index - self._last) >> 8
        else:
            self._seen = 1
        self._last, self._number = index, frame.number
        self.counters.packets += 1
        if not self.daisy:
            self._emit(index, (frame,), out)
        elif not index & 1:
            self._half = (index, frame)
        elif self._half is not None and self._half[0] == index - 1:
            self._emit(index >> 1, (frame, self._half[1]), out)

    def _emit(self, sample: int, frames: tuple[_Frame, ...], out: list[tuple[int, tuple[_Frame, ...]]]) -> None:
        if self._sample is not None and sample > self._sample + 1:
            self.counters.gaps += 1
            self.counters.lost += sample - self._sample - 1
        self._sample = sample
        self.counters.samples += 1
        out.append((sample, frames))

    # what leaves --------------------------------------------------------------------------------
    def _packets(self, out: list[tuple[int, tuple[_Frame, ...]]], arrival: int) -> list[Packet | Mark]:
        found: list[Packet | Mark] = []
        a = 0
        for b in range(1, len(out) + 1):
            if b == len(out) or out[b][0] != out[b - 1][0] + 1:
                first = out[a][1][0]
                device = int.from_bytes(first.aux[2:], "big") / 1000 if first.footer in STAMPED else nan
                found.append(Packet(self._samples([f for _, f in out[a:b]]), out[a][0], arrival, device))
                a = b
        if self.aux == "digital":
            for sample, frames in out:
                found += self._changes(sample, frames[0], arrival)
        return found

    def _samples(self, rows: list[tuple[_Frame, ...]]) -> Array:
        n = len(rows)
        raw = np.frombuffer(b"".join(f.body for row in rows for f in row), np.uint8).reshape(n, -1, 3).astype(np.int32)
        counts = (raw[:, :, 0] << 24 | raw[:, :, 1] << 16 | raw[:, :, 2] << 8) >> 8
        if self.aux in ("off", "digital"):
            return counts
        aux = b"".join(row[0].aux if any(row[0].aux) else row[-1].aux for row in rows)
        return np.concatenate([counts, np.frombuffer(aux, ">i2").reshape(n, 3).astype(np.int32)], axis=1)

    def _changes(self, sample: int, frame: _Frame, arrival: int) -> list[Packet | Mark]:
        if frame.footer != 0xC1:
            return []
        before, self._lines = self._lines, frame.aux
        if before is None:
            return []
        return [
            Mark(float(sample), f"{name} {'on' if now else 'off'}", float(now), arrival)
            for name, was, now in zip(LINES, before, frame.aux, strict=True)
            if name and bool(was) != bool(now)
        ]
