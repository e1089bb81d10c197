"""CytonServer: an OpenBCI Cyton at a pseudo terminal, with the faults of a radio link where they are asked for."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ranvier.acquire import CYTON_NAMES, cyton_gain
from ranvier.denoise import Integrity, Resample
from ranvier.errors import ConfigError, DeviceError
from ranvier.stage import Stage
from ranvier.stream import Block, StreamInfo
from ranvier.twin._server import DeviceServer

LOW, HIGH = -(2**23), 2**23 - 1
GAINS = (1, 2, 4, 6, 8, 12, 24)
CHOSEN = b"12345678QWERTYUI"
MODES = {b"0": "default", b"1": "debug", b"2": "analog", b"3": "digital", b"4": "marker"}
WAITING = 1 << 15  # bytes that wait for a client who does not read; more are lost, whole packets at a time
DEFAULTS = "060110"


@dataclass(eq=False)
class CytonServer(DeviceServer):
    """Serve a recording as an OpenBCI Cyton, over a pseudo terminal.

    Parameters
    ----------
    feed, speed, loop, seconds, drift
        As for `DeviceServer`.
    daisy
        16 channels at 125 Hz instead of 8 at 250 Hz.
    channels
        Which of the recording; OpenBCI's own places where it has them all, else its first potentials. What is missing
        is served as 0.
    link
        A path at which the port is to be found, whatever number it gets; removed on closing.
    drop, duplicate, swap
        Chance that a packet is lost, comes twice, or changes places with the next one.
    seed
        Of that chance.

    Notes
    -----
    Counts are ``round(uV / gain)`` with the gains that the client set (24 at first), clipped at the rails; what is not
    valid or not finite is at the rail. A recording of another rate is resampled. The first packet after ``b`` has
    number 0; with a Daisy sample k is in packets 2k and 2k + 1. Commands: v s b d D V c C x...X z...Z ? / ~ < > and the
    switches of channels and test signals, which are confirmed and change nothing else. `faults` lists what was done to
    which packet.
    """

    daisy: bool = False
    channels: tuple[str, ...] = ()
    link: str = ""
    drop: float = 0.0
    duplicate: float = 0.0
    swap: float = 0.0
    seed: int = 0

    protocol: ClassVar[str] = "cyton"
    _master: int = field(default=-1, init=False, repr=False)
    _slave: int = field(default=-1, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("drop", "duplicate", "swap"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"CytonServer needs 0 <= {name} < 1; got {getattr(self, name):g}. It is a chance.")
        self._port, self._heard, self._waiting = "", b"", b""
        self._gains = np.full(16, 24)
        self._attached = self.daisy
        self.faults: list[tuple[int, str]] = []

    @property
    def n(self) -> int:
        """Channels that it sends."""
        return 16 if self._attached else 8

    @property
    def where(self) -> str:
        return self.link or self._port

    def prepare(self, info: StreamInfo) -> Stage | None:
        self._index = _choose(info, self.channels, self.n)
        rate = 2000 // self.n
        return None if info.rate == rate else Integrity() | Resample(rate)

    # life ---------------------------------------------------------------------------------------
    def _open(self) -> None:
        super()._open()
        if not hasattr(os, "openpty"):
            raise DeviceError("CytonServer needs pseudo terminals, which this system lacks. Serve on Linux or macOS.")
        import tty

        _choose(self.feed_info, self.channels, self.n)
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._port = os.ttyname(self._slave)
        if self.link:
            if os.path.lexists(self.link) and not os.path.islink(self.link):
                raise DeviceError(f"CytonServer needs a free path for its link; {self.link} exists. Choose another.")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.link)
            Path(self.link).symlink_to(self._port)

    def _close(self) -> None:
        for end in (self._master, self._slave):
            if end >= 0:
                os.close(end)
        self._master = self._slave = -1
        if self.link and os.path.islink(self.link) and os.readlink(self.link) == self._port:
            os.unlink(self.link)
        super()._close()

    def begin(self) -> None:
        self.faults, self._early, self._number = [], b"", 0
        self._unread = False
        self._random = np.random.default_rng(self.seed)
        super().begin()

    # commands -----------------------------------------------------------------------------------
    def _listen(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._heard += os.read(self._master, 4096)
        while self._heard:
            size = self._command_size(self._heard)
            if size > len(self._heard):
                break
            command, self._heard = self._heard[:size], self._heard[size:]
            self._obey(command)
        self._heard = self._heard[-64:]
        self._flush()

    @staticmethod
    def _command_size(heard: bytes) -> int:
        return {b"x": 9, b"z": 5, b"/": 2, b"~": 2, b"`": 2}.get(heard[:1], 1)

    def _obey(self, command: bytes) -> None:
        if command == b"b":
            self.begin()
        elif command in (b"s", b"v"):
            self.halt()
        if command == b"v":
            import termios

            self._gains[:], self._attached, self._waiting = 24, self.daisy, b""
            termios.tcflush(self._slave, termios.TCIFLUSH)  # what nobody read belongs to an earlier client
        if not self.streaming and (said := self._answer(command)):
            self._waiting += said.encode() + b"$$$"

    def _answer(self, command: bytes) -> str:
        first = command[:1]
        if first == b"v":
            daisy = "On Daisy ADS1299 Device ID: 0x3E\n" if self._attached else ""
            return (
                f"OpenBCI V3 8-16 channel\nOn Board ADS1299 Device ID: 0x3E\n{daisy}LIS3DH Device ID: 0x33\n"
                "Firmware: v3.1.2\n"
            )
        if first == b"x":
            place, code = CHOSEN.find(command[1:2]), command[3:4]
            if command[-1:] != b"X":
                return "Failure: 9th char not X"
            if place < 0 or place >= self.n or code not in b"0123456":
                return "Failure: Err: too many chars"
            self._gains[place] = GAINS[int(code)]
            return f"Success: Channel set for {place + 1}"
        if first == b"z":
            return f"Success: Lead off set for {CHOSEN.find(command[1:2]) + 1}"
        if first == b"c":
            had, self._attached = self._attached, False
            return "daisy removed" if had else ""
        if first == b"C":
            had, self._attached = self._attached, self.daisy
            return "16" if had else "daisy attached16" if self.daisy else "no daisy to attach!8"
        if first == b"d":
            self._gains[:] = 24
            return "updating channel settings to default"
        if first == b"/":
            return f"Success: {MODES[command[1:]]}" if command[1:] in MODES else "Failure: not a board mode"
        if first in b"0-=p[]":
            return "Success: Configured internal test signal."
        fixed = {b"D": DEFAULTS, b"V": "v3.1.2", b"~": "Success: Sample rate is 250Hz", b"?": "Board ADS Registers\n"}
        return {**fixed, b"<": "Time stamp ON", b">": "Time stamp OFF"}.get(first, "")

    # samples ------------------------------------------------------------------------------------
    def _send(self, block: Block) -> None:
        counts, self._unread = self.counts(block), len(self._waiting) > WAITING
        bodies = counts.astype(">i4").view(np.uint8).reshape(block.n, self.n, 4)[:, :, 1:].reshape(block.n, -1)
        for k, body in enumerate(bodies):
            index = block.start + k
            if self._attached:
                self._number = 2 * index
                self._packet(body[24:].tobytes())
                self._packet(body[:24].tobytes())
            else:
                self._number = index
                self._packet(body.tobytes())
        self._flush()

    def counts(self, block: Block) -> Any:
        """Return what is sent for a block: int32 of shape ``(n, 8)`` or ``(n, 16)``."""
        out = np.zeros((block.n, self.n))
        gain = np.array([cyton_gain(int(g)) for g in self._gains[: len(self._index)]])
        x = block.data[:, self._index].astype(np.float64)
        out[:, : len(self._index)] = np.where(block.valid[:, self._index] & np.isfinite(x), np.round(x / gain), HIGH)
        return np.clip(out, LOW, HIGH).astype(np.int32)

    def _packet(self, body: bytes) -> None:
        number = self._number
        packet = bytes((0xA0, number & 255)) + body + bytes(6) + b"\xc0"
        self._number += 1
        chance = self._random.random(3) if self.drop or self.duplicate or self.swap else (1.0, 1.0, 1.0)
        early, self._early = self._early, b""
        if chance[0] < self.drop:
            self.faults.append((number, "drop"))
            packet = b""
        elif chance[1] < self.duplicate:
            self.faults.append((number, "duplicate"))
            packet += packet
        elif chance[2] < self.swap and not early:
            self.faults.append((number, "swap"))
            self._early = packet
            return
        if self._unread:
            self.faults.append((number, "unread"))
        else:
            self._waiting += packet + early

    def _flush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._waiting:
                self._waiting = self._waiting[os.write(self._master, self._waiting) :]


def _choose(info: StreamInfo, wanted: tuple[str, ...], n: int) -> list[int]:
    """Return the channels of a recording that are served, at most `n`."""
    names = info.channels.names
    if wanted:
        missing = [w for w in wanted if w not in names]
        if missing or len(wanted) > n:
            raise ConfigError(
                f"CytonServer needs at most {n} channels that the recording has; got {', '.join(missing or wanted)}. "
                f"It has {', '.join(names[:24])}."
            )
        return [names.index(w) for w in wanted]
    folded = {name.casefold().strip("."): i for i, name in enumerate(names)}
    usual = [folded[c.casefold()] for c in CYTON_NAMES[:n] if c.casefold() in folded]
    potentials = [i for i, u in enumerate(info.channels.units) if u == "uV"]
    if len(usual) < n:
        usual = potentials[:n]
    if not usual:
        raise ConfigError(f"CytonServer needs channels in uV; {info.name!r} has none. Serve another recording.")
    return usual
