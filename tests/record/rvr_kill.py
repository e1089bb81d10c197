"""Writes recordings until it is killed. Run with a folder: reads a seed a line, makes a child, and says its number.

The child writes samples whose values follow from their index, tells what it has appended and what is durable by
shared memory, and either ends by its own SIGKILL in the midst of a call to the disk, or goes on until it is killed.
"""

import mmap
import os
import signal
import struct
import sys
from pathlib import Path

import numpy as np

from ranvier.record import Stored, Writer
from ranvier.record._rvr_files import Files
from ranvier.stream import Channels, StreamInfo

RATE, WIDTH, BLOCK = 2000, 20, 4
INFO = StreamInfo.signal(RATE, Channels.of(WIDTH, "ecog", "count"), name="raw", dtype="int16")
KEPT = {"raw": Stored(INFO, 0.5, "uV")}


def values(first, n):
    """The samples of a stretch, by their indices."""
    i = np.arange(first, first + n, dtype=np.int64)[:, None] * 7919 + np.arange(WIDTH) * 104729
    return ((i >> 5) ^ i).astype("int16")


class Deadly(Files):
    """A disk that kills who asks it for the nth time: before that, half-way through, or after it."""

    def __init__(self, rng):
        self.left, self.how = int(rng.integers(1, 400)), int(rng.integers(0, 3))

    def _at(self, how, left):
        if left == 0 and self.how == how:
            os.kill(os.getpid(), signal.SIGKILL)

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name in ("open", "write", "sync", "make_folder", "sync_folder", "put", "close"):

            def asked(*args):
                self.left = left = self.left - 1  # a number of this call's own: two threads ask
                self._at(0, left)
                if name == "write" and left == 0 and self.how == 1:
                    file, data, at = args
                    found(file, bytes(memoryview(data).cast("B"))[: len(data) // 2], at)
                self._at(1, left)
                out = found(*args)
                self._at(2, left)
                return out

            return asked
        return found


def child(path, status, seed):
    signal.alarm(60)  # nobody is left behind
    rng, now, i = np.random.default_rng(seed), 0, 0
    files = Deadly(rng) if seed % 2 else None
    w = Writer(path, {}, KEPT, clock=lambda: now, files=files, sync_seconds=0.02, segment_bytes=30_000)
    while i < 30 * RATE:
        w.append("raw", values(i, BLOCK), i, now)
        i += BLOCK
        now = i * 10**9 // RATE
        if i % 16 == 0:
            w.note("decision", "raw", i, now, {"i": i})
        if i % 60 == 0:
            w.flush()
        durable = w.durable
        struct.pack_into("<qqq", status, 0, i, durable.samples["raw"], durable.notes)
    if files is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def main():
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        seed = int(line)
        with (folder / f"{seed}.status").open("r+b") as file:
            status = mmap.mmap(file.fileno(), 24)
        number = os.fork()
        if number == 0:
            child(folder / f"{seed}.rvr", status, seed)
            os._exit(0)
        print(number, flush=True)
        os.waitpid(number, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main()
