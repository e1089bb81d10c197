"""Recorder: the process that writes a session down, as the session sees it; when it dies, another takes over."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

from ranvier.errors import StateError

READY = 30.0  # s that it may take to come up: it compiles, where nothing was compiled before
LEAVE = 20.0  # s that it may take to write what is left
TIRED = 5  # deaths in a row without a word between, after which nobody takes over any more


class Recorder:
    """Starts the process that records, hears how it fares, and lets another take over if it dies.

    What is in the rings is not lost by that: the next one begins with the oldest sample that was not written. It stands
    by from the beginning, for to start on a busy machine may take longer than the rings hold.

    Parameters
    ----------
    path
        Folder to make.
    head
        What the recording says of itself.
    streams
        For each stream its ring's name, gain and unit.
    outputs
        For each output of the graph its description.
    notes
        Name of the ring of notes.
    model
        File of the fitted graph, which goes into the recording.
    resume
        Whether to add to a recording that is there.

    Attributes
    ----------
    before
        Where an earlier session ended, by stream: index behind its last sample, and when that came by the wall clock
        [ns].
    health
        What it said last: samples written and durable, bytes, losses, free space, an error; how often it died, and
        whether another stands by to take over.
    """

    def __init__(
        self, path: Path, head: Mapping[str, Any], streams: Mapping[str, Mapping[str, Any]],
        outputs: Mapping[str, Any], notes: str, model: Path | None = None, *, resume: bool = False,
    ) -> None:  # fmt: skip
        self._given = {
            "path": str(path), "head": dict(head), "streams": dict(streams), "outputs": dict(outputs), "notes": notes,
            "model": None if model is None else str(model), "resume": resume,
        }  # fmt: skip
        self.before: dict[str, tuple[int, int]] = {}
        self.health: dict[str, Any] = {"path": str(path), "state": "starting", "deaths": 0, "heard": 0}
        self.process: subprocess.Popen[bytes] | None = None
        self._spare: subprocess.Popen[bytes] | None = None
        self._ready, self._closing = Event(), Event()
        self._thread = Thread(target=self._follow, name="recorder's word", daemon=True)

    def start(self) -> None:
        """Start it, and wait until it records."""
        self.process = self._spawn(False)
        self._thread.start()
        if not self._ready.wait(READY) or self.health["state"] == "failed":
            why = str(self.health.get("error") or f"no word from it for {READY:g} s").rstrip(".")
            self.close()
            raise StateError(
                f"The recorder cannot record to {self._given['path']}: {why}. Mend that, or record elsewhere."
            )

    def _spawn(self, again: bool) -> subprocess.Popen[bytes]:
        """Return a process that has been told to record: the one that stands by, if there is one."""
        process, self._spare = self._spare or _process(), None
        self.health["standby"] = False
        if process.stdin is not None:
            with contextlib.suppress(OSError):  # dead already: `_follow` will see it
                process.stdin.write(json.dumps({**self._given, "again": again}).encode() + b"\n")
                process.stdin.close()
        return process

    def _follow(self) -> None:
        """Hear what the process says; start another when it ends without having said so."""
        died = 0
        while self.process is not None and self.process.stdout is not None:
            for line in self.process.stdout:
                died = 0
                self._hear(line)
                self._stand_by()
            self.process.stdout.close()
            code = self.process.wait()
            if self.health["state"] in ("closed", "failed") or self._closing.is_set():
                break
            died += 1
            self.health["deaths"] += 1
            if died >= TIRED or not self._ready.is_set():
                self.health |= {"state": "failed", "error": f"The process ended {died} times in a row (code {code})."}
                break
            self.process = self._spawn(True)
        self._ready.set()
        self._dismiss()

    def _stand_by(self) -> None:
        """Have a process ready that could take over, and know whether it is."""
        if self._spare is None and self.health["state"] == "recording":
            self._spare = _process()
        elif self._spare is not None and self._spare.stdout is not None and not self.health["standby"]:
            self.health["standby"] = bool(select.select([self._spare.stdout], [], [], 0)[0])

    def _dismiss(self) -> None:
        """Let the process that stands by go home."""
        process, self._spare = self._spare, None
        if process is not None and process.stdin is not None and process.stdout is not None:
            process.stdin.close()
            process.stdout.close()
            process.wait()

    def _hear(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            return  # not ours: a library that writes to standard output
        if isinstance(said, dict):
            self.health |= said | {"heard": time.monotonic_ns()}
            if said.get("state") == "recording" and not self._ready.is_set():
                self.before = {name: (stop, wall) for name, (stop, wall) in self.health.pop("before", {}).items()}
                self._given["shift"] = self.health.pop("shift", {})
                self._ready.set()

    def close(self) -> None:
        """Wait until everything is written: the rings were closed before. Kill it, if that takes too long."""
        if self.process is None:
            return
        self._thread.join(LEAVE)
        if self._thread.is_alive():
            self._closing.set()
            self.process.kill()
            self._thread.join(LEAVE)
            self.health |= {"state": "failed", "error": f"It took longer than {LEAVE:g} s to end and was killed."}


def _process() -> subprocess.Popen[bytes]:
    """Start a process that records once it is told what."""
    return subprocess.Popen(
        [sys.executable, "-m", "ranvier.session._record_process"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C at the terminal is the session's business
    )  # fmt: skip
