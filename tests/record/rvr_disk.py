"""A disk for tests: it remembers what is not synced yet and can lose any of it, be full, fail, or take its time."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

from ranvier.record._rvr_files import Files

PAGE = 4096


@contextmanager
def in_memory(otherwise):
    """A folder that no disk makes slow, if there is such a place."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else otherwise
    with tempfile.TemporaryDirectory(prefix="ranvier-test-", dir=place) as name:
        yield Path(name)


class Disk(Files):
    """A real folder, of which it is known what would survive a power cut.

    Parameters
    ----------
    root
        The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.safe: dict[Path, bytes] = {}  # what a file holds for sure
        self.names: set[Path] = set()  # files and folders whose names are there for sure
        self.paths: dict[int, Path] = {}
        self.room: int | None = None  # bytes until it is full
        self.fail_writes = self.fail_syncs = 0  # how many of the next ones fail with EIO
        self.syncs = self.writes = 0
        self.slow = lambda: None  # what a sync waits for

    def _refuse(self, number: int) -> None:
        raise OSError(number, os.strerror(number))

    def open(self, path):
        if self.room == 0:
            self._refuse(errno.ENOSPC)
        file = super().open(path)
        self.paths[file] = path
        return file

    def write(self, file, data, at):
        self.writes += 1
        if self.fail_writes:
            self.fail_writes -= 1
            self._refuse(errno.EIO)
        raw = bytes(memoryview(data).cast("B"))
        if self.room is not None:
            new = max(at + len(raw) - os.fstat(file).st_size, 0)
            if new > self.room:
                super().write(file, raw[: len(raw) - new + self.room], at)  # as a disk does: some of it
                self.room = 0
                self._refuse(errno.ENOSPC)
            self.room -= new
        super().write(file, raw, at)

    def sync(self, file):
        self.syncs += 1
        self.slow()
        if self.fail_syncs:
            self.fail_syncs -= 1
            self._refuse(errno.EIO)
        path = self.paths.get(file)
        if path is not None:
            self.safe[path] = path.read_bytes()

    def close(self, file):
        self.paths.pop(file, None)
        super().close(file)

    def make_folder(self, path):
        if self.room == 0 and not path.exists():
            self._refuse(errno.ENOSPC)
        super().make_folder(path)

    def sync_folder(self, path):
        self.names |= {p for p in path.iterdir() if not p.name.endswith(".new")}

    def put(self, path, data):
        if self.room == 0:
            self._refuse(errno.ENOSPC)
        path.write_bytes(data)
        self.safe[path] = data  # synced before it was renamed; its name comes with the folder
        self.sync_folder(path.parent)

    def free(self, path):
        return 2**40 if self.room is None else self.room

    def cut_power(self, to: Path, rng) -> None:
        """Write down what could be left: of what is not safe, each page, name and length is there or not, by chance."""
        lost: set[Path] = set()
        for path in sorted(self.root.rglob("*")):
            target = to / path.relative_to(self.root)
            gone = path not in self.names and rng.random() < 0.3
            if gone or any(p in lost for p in path.parents):
                lost.add(path)
                continue
            if path.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._left(path, rng))

    def _left(self, path, rng) -> bytes:
        now, safe = path.read_bytes(), self.safe.get(path, b"")
        if now == safe:
            return safe
        keep = rng.choice([0.0, 0.5, 0.9])
        size = (
            len(safe)
            if rng.random() < 0.3
            else len(now)
            if rng.random() < 0.5
            else int(rng.integers(len(safe), len(now) + 1))
        )
        out = bytearray(size)
        for at in range(0, size, PAGE):
            new = now[at : at + PAGE]
            old = safe[at : at + PAGE].ljust(len(new), b"\0")
            out[at : at + PAGE] = (new if new == old or rng.random() < keep else old)[: size - at]
        return bytes(out)
