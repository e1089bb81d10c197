"""Log: commands as lines of a file, for a dry run."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

from ranvier.act._command import Approved, note
from ranvier.act._queued import Queued
from ranvier.errors import DeviceError


@dataclass(eq=False)
class Log(Queued):
    """Write each command as a line of JSON; the safe state is a line, too.

    Parameters
    ----------
    path
        The file; lines are added to what is there.

    Notes
    -----
    A command is what `act.note` makes of it: ``{"at": ns, "sequence": ..., "wanted": [...], "given": [...], ...}``; the
    safe state is ``{"at": ns, "safe": true}``. A thread writes, so that a slow disk does not keep the loop waiting.
    """

    scheme: ClassVar[str] = "log"
    ROOM: ClassVar[int] = 4096

    path: str

    def _open(self) -> None:
        try:
            self._file: IO[str] = Path(self.path).open("a", encoding="utf-8")  # noqa: SIM115
        except OSError as e:
            raise DeviceError(f"Log cannot write {self.path}: {e.strerror}. Look at the folder and its rights.") from e

    def _write_one(self, approved: Approved) -> None:
        self._write(approved)

    def _write(self, approved: Approved) -> None:
        self._line(note(approved))

    def _write_safe(self) -> None:
        while self._waiting:  # a record, not a deed: what was sent before the stop is written
            self._write(self._waiting.popleft())
        self._line({"at": self._clock(), "safe": True})

    def _line(self, what: dict[str, Any]) -> None:
        self._file.write(json.dumps(what, separators=(",", ":"), allow_nan=False) + "\n")
        self._file.flush()

    def _close(self) -> None:
        if hasattr(self, "_file"):
            with suppress(OSError):  # a full disk was told where it was written to
                self._file.close()
