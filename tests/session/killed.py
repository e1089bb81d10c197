"""Sessions that are killed. Run with nothing: reads a line a session, makes a child that runs it, and says its number.

The samples follow from their index. The child tells by shared memory what its source has handed over, what the recorder
called durable, and the number of the recorder's process; it goes on until it is told to stop, or is killed.
"""

import json
import mmap
import os
import struct
import sys
import time
from dataclasses import dataclass
from typing import Any

from ranvier import denoise, record, session  # noqa: F401  all that a child needs is there when it is made
from ranvier.acquire import Packet, Source
from ranvier.session import Session
from ranvier.stream import Channels, StreamInfo
from tests.session.processes import numbers

RATE, WIDTH, PACKET = 1000, 8, 4
FIELDS = ("handed", "host", "durable", "recorder", "wish", "deaths", "loop", "running", "standby")


class Status:
    """A few whole numbers that several processes see."""

    def __init__(self, path):
        if not path.exists():
            path.write_bytes(bytes(8 * len(FIELDS)))
        with path.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 8 * len(FIELDS))

    def __getitem__(self, name):
        return struct.unpack_from("<q", self.memory, 8 * FIELDS.index(name))[0]

    def __setitem__(self, name, value):
        struct.pack_into("<q", self.memory, 8 * FIELDS.index(name), value)


@dataclass(eq=False)
class Counted(Source):
    """Delivers numbers that follow from their index, in real time, and tells what it has handed over."""

    status: Any = None

    def _open(self):
        self._info = StreamInfo.signal(RATE, Channels.of(WIDTH, "ecog", "count"), name="counted", dtype="int16")
        self._entrance = denoise.Integrity()

    def _start(self):
        self._began, self._next = self._clock(), 0

    def _read(self, timeout):
        due = self._began + (self._next + PACKET) * 10**9 // RATE
        if (wait := due - self._clock()) > 0:
            time.sleep(min(wait / 1e9, timeout))
            return []
        start, self._next = self._next, self._next + PACKET
        now = self._clock()
        self.status["handed"], self.status["host"] = self._next, now
        return [Packet(numbers(start, PACKET, WIDTH), start, now)]

    def _stop(self):
        pass

    def _close(self):
        pass


def child(path, status, graph, actuator):
    from ranvier import act

    given = {}
    if actuator:
        given = {"actuator": act.Watchdog(f"log:{actuator}", silence=0.5), "guard": act.Guard(max_age=10)}
    stage = denoise.Bandpass(8, 30) if graph else None
    s = Session(Counted(status), stage, record=path, resume=True, **given)

    def told():
        said = s.report.recording or s._recorder.health
        status["recorder"], status["deaths"] = said.get("pid", 0), said.get("deaths", 0)
        status["durable"], status["loop"] = said.get("durable", {}).get("signal", 0), s._loop.counts["samples"]
        status["standby"] = said.get("standby", False)
        status["running"] = said["state"] == "recording"
        return bool(status["wish"])

    with s:
        s.run(stop=told)


def main():
    from pathlib import Path

    for line in sys.stdin:
        said = json.loads(line)
        status = Status(Path(said["status"]))
        number = os.fork()
        if number == 0:
            code = 1
            try:
                child(said["path"], status, said["graph"], said["actuator"])
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(number, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
