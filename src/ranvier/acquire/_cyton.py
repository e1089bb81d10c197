"""Cyton: an OpenBCI Cyton, with or without Daisy, at a serial port or a pseudo terminal."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ranvier.acquire._cyton_codec import RAIL, RATE, Aux, CytonCodec
from ranvier.acquire._source import Counters, Found, Mark, Packet, Source
from ranvier.acquire._units import entrance
from ranvier.errors import ConfigError, DeviceError, MissingExtraError
from ranvier.stream import Channels, StreamInfo

NAMES = tuple("Fp1 Fp2 C3 C4 P7 P8 O1 O2 F7 F8 F3 F4 T7 T8 P3 P4".split())
GAINS = (1, 2, 4, 6, 8, 12, 24)  # of the ADS1299, in the order of their codes
FTDI = 0x0403  # USB vendor of the chip in the dongle
CHOSEN = "12345678QWERTYUI"  # what commands call the channels
MODES = {"off": "", "accel": "/0", "analog": "/2", "digital": "/3"}
AUX = {  # kind, names, gain and unit; the accelerometer at +-4 g
    "accel": ("motion", ("accel x", "accel y", "accel z"), 0.002 / 16, "g"),
    "analog": ("misc", ("A5", "A6", "A7"), 1.0, "count"),
}


def volts(gain: int) -> float:
    """Return the uV of one count of an ADS1299 at a gain."""
    return 4.5 / RAIL / gain * 1e6


@dataclass(eq=False)
class Cyton(Source):
    """OpenBCI Cyton: 8 channels at 250 Hz, or 16 at 125 Hz with a Daisy; int32 counts.

    Parameters
    ----------
    port
        Serial port, such as ``/dev/ttyUSB0`` or ``COM3``.
    daisy
        Whether a Daisy must be there; None takes what the board has.
    gain
        Of the amplifier, for all channels, or one for each (1, 2, 4, 6, 8, 12, 24); none leaves the board's own (24),
        which is asked for.
    aux
        What the auxiliary bytes carry: ``accel`` and ``analog`` add three channels, ``digital`` gives a `Mark` for each
        change of the lines D11, D12, D13, D17 and D18.
    names
        Of the channels; OpenBCI's own places on the head unless given.
    kind
        Of the channels: eeg, emg, ecg ...
    timeout
        How long an answer of the board may take [s].

    Notes
    -----
    Delivers counts of the ADS1299; `entrance` is ``Integrity(rail=8388607) | Scale`` with 4.5 V / (2^23 - 1) / gain, in
    uV. Accelerometer channels are in g, analog ones in counts; the accelerometer gives a value every tenth sample and 0
    between. The board's counter, wraps and losses are told by `CytonCodec`. Needs the extra ``acquire`` (pyserial).

    References
    ----------
    OpenBCI documentation, Cyton Board SDK and Cyton Data Format.
    """

    port: str
    daisy: bool | None = None
    gain: tuple[int, ...] = ()
    aux: Aux = "off"
    names: tuple[str, ...] = ()
    kind: str = "eeg"
    timeout: float = 3.0

    scheme: ClassVar[str] = "cyton"

    _serial: Any = field(default=None, init=False, repr=False)
    _codec: CytonCodec | None = field(default=None, init=False, repr=False)
    _found: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        odd = next((g for g in self.gain if g not in GAINS), None)
        if odd is not None:
            raise ConfigError(f"Cyton needs gains of {', '.join(map(str, GAINS))}; got {odd}. Choose one of them.")

    @property
    def settings(self) -> dict[str, str]:
        return dict(self._found)

    @classmethod
    def nearby(cls, timeout: float) -> list[Found]:
        try:
            from serial.tools.list_ports import comports
        except ImportError as e:
            raise MissingExtraError("Cyton", "pyserial", "acquire") from e
        return [
            Found(f"cyton:{p.device}", p.description or p.device,
                  "an FTDI port, as an OpenBCI dongle has" if p.vid == FTDI else "a serial port")
            for p in sorted(comports(), key=lambda p: (p.vid != FTDI, p.device))
        ]  # fmt: skip

    # life ---------------------------------------------------------------------------------------
    def _open(self) -> None:
        try:
            import serial
        except ImportError as e:
            raise MissingExtraError("Cyton", "pyserial", "acquire") from e
        try:
            self._serial = serial.Serial(self.port, 115_200, timeout=0, write_timeout=self.timeout)
        except (OSError, ValueError) as e:
            raise DeviceError(
                f"Cyton needs a serial port that opens; {self.port!r} does not: {e}. Plug the dongle in, see "
                "`ranvier sources`, and check that nothing else uses it and that you may."
            ) from e
        self._counters = Counters()
        banner = self._hello()
        daisy = "Daisy" in banner
        if self.daisy is False and daisy:
            self._ask("c")
            daisy = False
        if self.daisy and not daisy:
            raise DeviceError(
                f"Cyton needs a Daisy at {self.port}; the board says it has none. Push it on and switch the board off "
                "and on, or leave daisy out."
            )
        self._ask("d")
        n = 16 if daisy else 8
        gains = self._set_gains(n)
        if MODES[self.aux]:
            self._ask(MODES[self.aux])
        self._describe(n, gains)
        firmware = re.search(r"Firmware: *(\S+)", banner)
        self._found = {
            "board": banner.splitlines()[0].strip() if banner.strip() else "",
            "firmware": firmware[1] if firmware else "",
            "daisy": str(daisy).lower(),
            "gain": ",".join(map(str, gains)),
            "aux": self.aux,
        }
        if self._codec is None or self._codec.daisy != daisy:
            self._codec = CytonCodec(daisy, self.aux, self._counters)
        else:
            self._codec.counters = self._counters

    def _describe(self, n: int, gains: tuple[int, ...]) -> None:
        names = self.names or NAMES[:n]
        if len(names) != n:
            raise ConfigError(f"Cyton needs {n} names; got {len(names)}. Name each channel, or none.")
        channels = Channels.of(names, self.kind, "count")
        scale, units = [volts(g) for g in gains], ["uV"] * n
        if self.aux in AUX:
            kind, more, gain, unit = AUX[self.aux]
            channels = channels + Channels.of(more, kind, "count")
            scale, units = scale + [gain] * 3, units + [unit] * 3
        self._info = StreamInfo.signal(RATE * 8 // n, channels, name="Cyton", dtype="int32")
        self._entrance = entrance(channels, scale, units, float(RAIL), 1.0)

    def _start(self) -> None:
        codec = self._codec
        assert codec is not None
        codec.resume(self._counters)
        try:
            self._serial.reset_input_buffer()
            self._serial.write(b"b")
        except Exception as e:  # OSError, or termios.error where the port is gone
            raise self._gone(e) from e

    def _stop(self) -> None:
        with suppress(Exception):  # where the port is gone it sends nothing any more
            self._serial.write(b"s")

    def _close(self) -> None:
        port, self._serial = self._serial, None
        if port is not None:
            with suppress(Exception):  # it is gone already
                port.close()

    # samples ------------------------------------------------------------------------------------
    def _read(self, timeout: float) -> list[Packet | Mark]:
        port, codec = self._serial, self._codec
        if port is None or codec is None:
            return []
        try:
            port.timeout = timeout
            data = port.read(1)
            while waiting := port.in_waiting if data else 0:
                data += port.read(waiting)
        except Exception as e:  # OSError, SerialException, termios.error, TypeError where it was closed meanwhile
            if self._phase != "running":
                return []
            raise self._gone(e) from e
        return codec.feed(data, self._clock()) if data else []

    def _gone(self, e: Exception) -> DeviceError:
        return DeviceError(
            f"Cyton at {self.port} is gone: {type(e).__name__}: {e}. Check the dongle and its cable, then close, open "
            "and start it again."
        )

    # commands -----------------------------------------------------------------------------------
    def _hello(self) -> str:
        """Stop whatever runs, wait for silence, reset, and return the banner."""
        try:
            self._serial.write(b"s")
            until = time.monotonic() + self.timeout
            self._serial.timeout = 0.05
            while self._serial.read(4096) and time.monotonic() < until:
                pass
            self._serial.reset_input_buffer()
        except Exception as e:
            raise self._gone(e) from e
        return self._ask("v")

    def _ask(self, command: str) -> str:
        """Send a command and return the answer up to its ``$$$``."""
        reply, until = b"", time.monotonic() + self.timeout
        try:
            self._serial.write(command.encode())
            self._serial.timeout = 0.05
            while b"$$$" not in reply and time.monotonic() < until and len(reply) < 1 << 16:
                reply += self._serial.read(max(1, self._serial.in_waiting))
        except Exception as e:
            raise self._gone(e) from e
        text, end, _ = reply.partition(b"$$$")
        said = text.decode("ascii", "replace").strip()
        if not end or said.startswith("Failure"):
            raise DeviceError(
                f"Cyton at {self.port} needs to answer {command!r} within {self.timeout:g} s; got {said[-80:]!r}. "
                "Switch the board on (to PC), check its battery and that it is near the dongle."
            )
        return said

    def _set_gains(self, n: int) -> tuple[int, ...]:
        """Set the gains that are asked for, and return those that the board has."""
        said = re.search(r"(\d)([0-6])(\d{4})", self._ask("D"))
        if said is None:
            raise DeviceError(
                f"Cyton at {self.port} needs to tell its default settings as six digits. Update its firmware."
            )
        if not self.gain:
            return (GAINS[int(said[2])],) * n
        gains = self.gain * n if len(self.gain) == 1 else self.gain
        if len(gains) != n:
            raise ConfigError(f"Cyton needs one gain, or one for each of {n} channels; got {len(gains)}. Give as many.")
        for name, gain in zip(CHOSEN, gains, strict=False):
            reply = self._ask(f"x{name}{said[1]}{GAINS.index(gain)}{said[3]}X")
            if "Success" not in reply:
                raise DeviceError(
                    f"Cyton at {self.port} needs to confirm gain {gain} of channel {name}; got {reply!r}. Try again."
                )
        return gains
