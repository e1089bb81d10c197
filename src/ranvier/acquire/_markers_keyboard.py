"""Keyboard: keys of the terminal as markers."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from ranvier.acquire._marker import Marker, MarkerSource
from ranvier.errors import DeviceError

NAMES = {" ": "space", "\n": "enter", "\r": "enter", "\t": "tab", "\x7f": "backspace", "\x1b": "escape",
         "\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left"}  # fmt: skip


@dataclass(eq=False)
class Keyboard(MarkerSource):
    """Keys that are pressed in a terminal, by their letter or name (``a``, ``space``, ``up``).

    A keyboard scans every 1 to 15 ms: take it for notes of the experimenter, not for reaction times.

    Parameters
    ----------
    where
        The terminal.
    latency, jitter, watermark
        See `MarkerSource` [s].
    """

    scheme: ClassVar[str] = "keyboard"

    where: str = "/dev/tty"
    latency: float = 0.01
    jitter: float = 0.01
    watermark: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._file = -1
        self._before: Any = None

    def _open(self) -> None:
        try:
            self._file = os.open(self.where, os.O_RDONLY | os.O_NOCTTY)
        except OSError as e:
            raise DeviceError(f"Keyboard needs a terminal; {self.where} cannot be opened: {e}. Run it in one.") from e
        if not os.isatty(self._file):
            raise DeviceError(f"Keyboard needs a terminal; {self.where} is none. Run it in one, or use UDPMarkers.")

    def _start(self) -> None:
        import termios  # not on Windows, where there is no /dev/tty either
        import tty

        self._before = termios.tcgetattr(self._file)
        tty.setcbreak(self._file, termios.TCSANOW)

    def _stop(self) -> None:
        if self._before is not None:
            import termios

            with suppress(termios.error):  # the terminal was closed
                termios.tcsetattr(self._file, termios.TCSANOW, self._before)
            self._before = None

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _read(self, timeout: float) -> list[Marker]:
        file = self._file
        try:
            if file < 0 or not select.select([file], [], [], max(timeout, 0))[0]:
                return []
            raw = os.read(file, 64)
        except OSError as e:
            raise DeviceError(f"Keyboard: the terminal {self.where} is gone: {e}. Open it again.") from e
        text = raw.decode(errors="replace")
        pressed = [text] if text in NAMES else list(text)
        return [self._stamped(NAMES.get(key, key), 0.0) for key in pressed]
