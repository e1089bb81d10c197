"""Serial: one line of text a command, to a microcontroller."""

from __future__ import annotations

import string
import time
from dataclasses import dataclass
from typing import Any, ClassVar

from ranvier.act._command import Approved
from ranvier.act._queued import Queued
from ranvier.errors import ConfigError, ContractError, DeviceError, MissingExtraError
from ranvier.stream import Channels

WRITING = 0.5  # that the port may take for a command [s]


@dataclass(eq=False)
class Serial(Queued):
    r"""Write each command to a serial port, as text.

    Parameters
    ----------
    port
        Such as ``/dev/ttyUSB0`` or ``COM3``.
    text
        What is written for a command: the names of values in braces, with a format, ``"{vx:.1f} {vy:.1f}\n"``.
    safe_text
        What is written for the safe state.
    baud
        Bits per second.

    Notes
    -----
    Needs pyserial (``pip install 'ranvier[act]'``). A thread writes, so that a port that takes nothing does not keep
    the loop waiting; the newest 16 commands wait for it, and those that expire meanwhile are left out. Where the port
    takes nothing for 0.5 s, this actuator has failed, and the next `send` says so. A device should reach its safe
    state by itself when nothing comes: a cable can be pulled.
    """

    scheme: ClassVar[str] = "serial"

    port: str
    text: str
    safe_text: str
    baud: int = 115200

    def __post_init__(self) -> None:
        try:
            self._fields = [name for _, name, _, _ in string.Formatter().parse(self.text) if name is not None]
            if not all(name.isidentifier() for name in self._fields):
                raise ValueError("a name of a value stands between { and : or }")
            self.text.format(**dict.fromkeys(self._fields, 0.0))
        except (ValueError, KeyError, IndexError) as e:
            raise ConfigError(
                f"Serial needs text such as '{{vx:.1f}} {{vy:.1f}}\\n'; got {self.text!r}: {e}. Mend it."
            ) from e
        self._port: Any = None

    def check(self, channels: Channels) -> None:
        missing = [name for name in self._fields if name not in channels.names]
        if missing:
            raise ContractError(
                f"Serial needs a value {missing[0]!r} for its text; got {', '.join(channels.names)}. Mend text, or Map."
            )

    def _open(self) -> None:
        try:
            import serial  # type: ignore[import-untyped]
        except ImportError as e:
            raise MissingExtraError("Serial", "pyserial", "act") from e
        try:
            self._port = serial.Serial(self.port, self.baud, write_timeout=WRITING)
        except (serial.SerialException, ValueError, OSError) as e:
            raise DeviceError(f"Serial cannot open {self.port}: {e}. Look at the cable and your rights.") from e

    def _write(self, approved: Approved) -> None:
        values = dict(zip(approved.command.names, approved.given, strict=True))
        self._put(self.text.format(**values))

    def _write_safe(self) -> None:
        self._put(self.safe_text)
        end = time.monotonic() + WRITING
        while self._port.out_waiting and time.monotonic() < end:
            time.sleep(0.002)

    def _put(self, text: str) -> None:
        try:
            self._port.write(text.encode())
        except (OSError, KeyError) as e:  # pyserial's own errors are OSErrors
            raise DeviceError(f"Serial at {self.port} takes nothing: {e}. Look at the cable and the device.") from e

    def _close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            try:
                if port.out_waiting:  # a port that takes nothing would keep the close waiting
                    port.reset_output_buffer()
                port.close()
            except OSError:
                return
