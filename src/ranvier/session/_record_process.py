"""The process that records: follows the rings of a session, writes what comes, says how it fares; ends with them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ranvier.errors import ConfigError, RanvierError
from ranvier.record import Stored, Writer
from ranvier.session._notes import Note, NoteReader
from ranvier.session._output import unpack
from ranvier.session._reader import Reader
from ranvier.session._ring import Ring
from ranvier.session._waiting import Together
from ranvier.stream import Block, StreamInfo, info_from_table

TURN = 0.02  # s that it waits for something before it flushes what it has
SAY = 0.5  # s between two words about how it fares
REST = 0.005  # s in which what comes is left to be written together: being woken costs as much as writing a block
AHEAD = 600.0  # s of free space under which it warns


class Recording:
    """What is being recorded: readers on one side, the writer on the other.

    Parameters
    ----------
    given
        What the session sent: path, head, streams, outputs, notes, whether to add to a recording that is there, and
        whether a process before this one has died.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        again = bool(given["again"])
        resume = again or bool(given["resume"])
        self.names = list(given["streams"])
        self.outputs = {name: info_from_table(table) for name, table in given["outputs"].items()}
        streams = {
            name: Stored(_info_of(said["ring"]), gain=_each(said["gain"]), unit=_each(said["unit"]))
            for name, said in given["streams"].items()
        }
        streams |= {name: Stored(info, masked=True) for name, info in self.outputs.items()}
        if resume and not again:
            _refuse_another(Path(given["path"]), given["head"])
        head = given["head"] | {"session": {**given["head"]["session"], "name": given["notes"]}}
        self.writer = Writer(given["path"], head, streams, resume=resume)
        self.seen = dict.fromkeys(self.names, 0)
        self.lost = dict.fromkeys(self.names, 0)
        # to be looked at last: what is taken up meanwhile may take its time
        self.readers = {name: Ring.attach(said["ring"], backlog=True) for name, said in given["streams"].items()}
        self.scratch = {name: np.empty((r.rows, *r.info.shape), r.info.dtype) for name, r in self.readers.items()}
        self.notes = NoteReader(Ring.attach(given["notes"], backlog=True))
        self.number = max((int(n.payload["number"]) for n in self.writer.left if "number" in n.payload), default=-1)
        stops = self.writer.stops  # outputs without a rate are counted anew by every session
        self.shift = given.get("shift") or {name: stops[name] for name, info in self.outputs.items() if not info.rate}
        if given["model"] and not resume:
            model = np.fromfile(given["model"], np.uint8)
            self.writer.note("graph", payload={"bytes": len(model)}, arrays={"model": model})
        self.before = {name: (stops[name], self.writer.ended[name]) for name in self.names} if resume else {}
        # samples that passed before the first that can be had now
        self.passed = {name: r.passed if again else 0 for name, r in self.readers.items()}
        if resume:
            reason = "recorder started again" if again else "session resumed"
            self.writer.note("gap", payload={"reason": reason, "stops": stops})

    def samples(self) -> bool:
        """Write what is in the rings; return whether there was anything."""
        found = False
        for name, reader in self.readers.items():
            while (block := reader.read()) is not None:
                found = True
                n = block.n
                copy = self.scratch[name][:n]
                np.copyto(copy, block.data)
                if reader.intact():
                    self._append(name, copy, block.start, reader.arrival)
            self._lost(name, reader)
        return found

    def _append(self, name: str, samples: Any, start: int, arrival: int) -> None:
        stop = self.writer.stops[name]
        if start < stop:  # written by the process before this one
            samples, start = samples[stop - start :], stop
        if len(samples):
            if self.passed[name] and start > stop:
                self.writer.note("loss", name, stop, payload={"reason": "recorder was away", "samples": start - stop})
            self.passed[name] = 0
            self.writer.append(name, samples, start, arrival)
            self.seen[name] = start + len(samples)

    def _lost(self, name: str, reader: Reader) -> None:
        if reader.lost_samples != self.lost[name]:
            n = reader.lost_samples - self.lost[name]
            self.lost[name] = reader.lost_samples
            self.writer.note("loss", name, self.seen[name], payload={"reason": "recorder too slow", "samples": n})

    def said(self) -> bool:
        """Write the notes that came; return whether there were any."""
        found = self.notes.read()
        for note in found:
            if note.number > self.number:
                self.number = note.number
                self._note(note)
        return bool(found)

    def _note(self, note: Note) -> None:
        stream = self.names[note.stream] if 0 <= note.stream < len(self.names) else ""
        if note.kind == "output":
            name = next(iter(self.outputs))
            info = self.outputs[name]
            if isinstance(info, StreamInfo):
                block, stop = unpack(note.payload, info), self.writer.stops[name]
                block = Block(block.data, block.start + self.shift.get(name, 0), block.valid, block.at)
                if block.stop > stop:  # or the process before this one wrote it
                    self.writer.append_block(name, block.cut(max(stop - block.start, 0), block.n), note.host)
            return
        payload = json.loads(note.payload)
        self.writer.note(note.kind, stream, note.sample, note.host, {"number": note.number, **payload})

    def status(self, state: str) -> dict[str, Any]:
        """Return how it fares."""
        health, durable = self.writer.health, self.writer.durable
        left = health.seconds_left
        return {
            "state": state, "pid": os.getpid(), "samples": self.seen, "durable": dict(durable.samples),
            "bytes": health.bytes, "lost": {k: v + self.lost.get(k, 0) for k, v in health.lost.items()},
            "notes_lost": health.notes_lost + self.notes.lost, "seconds_left": None if left == float("inf") else left,
            "free_bytes": shutil.disk_usage(self.writer.path).free, "disk_warning": bool(left < AHEAD),
            "error": str(health.error or ""), "note": self.number, "cpu_seconds": time.process_time(),
        }  # fmt: skip


def record(recording: Recording) -> None:
    """Follow the rings until all are closed and empty."""
    readers = [*recording.readers.values()]
    together, told = Together(readers), 0.0
    while True:
        ended = all(r.closed for r in readers)
        over = ended and recording.notes.closed
        if not together.wait(TURN) and ended and not over:
            time.sleep(TURN)  # nothing but notes can come
        more = recording.samples()
        more |= recording.said()
        recording.writer.flush()
        now = time.monotonic()
        if now - told > SAY:
            told = now
            say(recording.status("recording"))
        if over and not more:
            break
        if not over:
            time.sleep(REST)
    recording.writer.close()
    say(recording.status("closed"))


def say(word: dict[str, Any]) -> None:
    """Tell the session, as long as it hears."""
    try:
        sys.stdout.write(json.dumps(word) + "\n")
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  the session is no more; what it left is still written


def main() -> int:
    """Read from standard input what to record, and do it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with the rings, and not before all is written
    for module in ("numcodecs.blosc", "ranvier.kernels._ring"):  # needed later, loaded while there is time
        import_module(module)
    say({"standby": False})  # heard as: there is one
    line = sys.stdin.readline()
    if not line:
        return 0  # it stood by, and nobody needed it
    try:
        recording = Recording(json.loads(line))
    except (RanvierError, OSError) as e:
        say({"state": "failed", "error": str(e)})
        return 2
    try:
        say(recording.status("recording") | {"before": recording.before, "shift": recording.shift})
        record(recording)
    except Exception as e:
        say({"state": "broken", "error": f"{type(e).__name__}: {e}"})
        raise
    return 0


def _info_of(ring: str) -> StreamInfo:
    with Ring.attach(ring) as reader:
        return reader.info


def _refuse_another(path: Path, head: dict[str, Any]) -> None:
    """Refuse to go on with another graph, entrance or labels than those of a recording: it replays with the first."""
    from ranvier import record as room

    there: Any = room.open(path)
    for what, key, name in (
        ("graph", "ids", "model"), ("entrance of its sources", "ids", "graph"), ("labels", "session", "events"),
    ):  # fmt: skip
        mine, theirs = (h.get(key, {}).get(name) for h in (head, there.head))
        if mine != theirs:
            raise ConfigError(
                f"Resuming {path.name} needs the {what} that it was made with ({str(theirs or 'none')[:80]}); got "
                f"{str(mine or 'none')[:80]}. Record to another path."
            )


def _each(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


if __name__ == "__main__":
    sys.exit(main())
