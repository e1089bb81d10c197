"""A session that runs for a while, and how much memory its processes have: SECONDS CHANNELS RATE SPEED FOLDER.

Prints a line of JSON: resident bytes of loop and recorder at ten times, what was lost, and the latencies.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ranvier import denoise, features
from ranvier.acquire import Packet, Source
from ranvier.channels import Scale
from ranvier.session import Session
from ranvier.stream import Channels, StreamInfo

LENGTH = 0.01  # s of a packet


@dataclass(eq=False)
class Noise(Source):
    """Noise that begins again every two seconds, at `speed` times its pace."""

    channels: int = 256
    rate: int = 2000
    speed: float = 1.0

    @property
    def tempo(self):
        return self.speed

    def _open(self):
        channels = Channels.of(self.channels, "ecog", "count")
        self._info = StreamInfo.signal(self.rate, channels, name="noise", dtype="int16")
        self._entrance = denoise.Integrity(rail=32767) | Scale(0.195, "uV")
        self._n = round(LENGTH * self.rate)
        x = np.random.default_rng(1).standard_normal((2 * self.rate // self._n, self._n, self.channels))
        self._x = (300 * x).astype(np.int16)

    def _start(self):
        self._began, self._next = self._clock(), 0

    def _read(self, timeout):
        due = self._began + round((self._next + self._n) * 1e9 / self.rate / self.speed)
        if (wait := due - self._clock()) > 0:
            time.sleep(min(wait / 1e9, timeout))
            return []
        start, self._next = self._next, self._next + self._n
        return [Packet(self._x[start // self._n % len(self._x)], start, self._clock())]

    def _stop(self):
        pass

    def _close(self):
        pass


def resident(pid):
    """Bytes of a process that are in memory."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return 1024 * int(fields["VmRSS"].split()[0])


def main():
    seconds, channels, rate, speed = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    graph = denoise.Bandpass(70, 150) | features.Window(0.2, 0.05) | features.LogVariance()
    s = Session(Noise(channels, rate, speed), graph, record=Path(sys.argv[5]) / "grown.rvr")
    found = {"loop": [], "recorder": [], "at": []}
    with s:
        began = time.monotonic()

        def look():
            t = time.monotonic() - began
            if t >= seconds * (len(found["at"]) + 1) / 10:
                found["at"].append(t)
                found["loop"].append(resident("self"))
                found["recorder"].append(resident(s._recorder.health["pid"]))
            return len(found["at"]) == 10

        s.run(stop=look, seconds=2 * seconds)
    report = s.report.as_table()
    found |= {k: report["recording"][k] for k in ("lost", "state", "bytes")}
    found |= {k: report[k] for k in ("sources", "latency_us", "counts")}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
