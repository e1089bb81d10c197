"""Files: what a writer asks of the disk, in one place, so that tests can put a failing one there."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from ranvier.errors import StateError

_LOOKS = (0.001, 0.01, 0.05)  # s to wait for somebody who only looks whether it is held


def is_held(path: Path) -> bool:
    """Say whether a writer that lives holds a part of a recording, by its head; False where nobody can know."""
    try:
        import fcntl

        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        pass
    return False


class Files:
    """The disk. Everything may raise OSError."""

    def open(self, path: Path) -> int:
        """Open a file for reading and writing; make it where there is none."""
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    def write(self, file: int, data: Any, at: int) -> None:
        """Write all bytes at a place."""
        view = memoryview(data).cast("B")
        while len(view):
            done = os.pwrite(file, view, at)
            view, at = view[done:], at + done

    def sync(self, file: int) -> None:
        """Return when what was written would survive a power cut."""
        getattr(os, "fdatasync", os.fsync)(file)

    def close(self, file: int) -> None:
        """Let go of a file."""
        os.close(file)

    def make_folder(self, path: Path) -> None:
        """Make a folder, unless it is there."""
        path.mkdir(exist_ok=True)

    def sync_folder(self, path: Path) -> None:
        """Return when the names in a folder would survive a power cut."""
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def put(self, path: Path, data: bytes) -> None:
        """Write a small file whole or not at all."""
        beside = path.with_name(path.name + ".new")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            view = memoryview(data)
            while len(view):
                view = view[os.write(file, view) :]
            os.fsync(file)
        finally:
            os.close(file)
        os.replace(beside, path)
        self.sync_folder(path.parent)

    def free(self, path: Path) -> int:
        """Return how many bytes there is room for."""
        return shutil.disk_usage(path).free

    def lock(self, path: Path) -> int:
        """Hold a part of a recording until closed or dead, or raise StateError where another process does."""
        try:
            import fcntl
        except ImportError:  # a system without such locks
            return os.open(path, os.O_RDONLY)
        file = os.open(path, os.O_RDONLY)
        for wait in (*_LOOKS, None):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            except OSError:
                if wait is not None:
                    time.sleep(wait)
        os.close(file)
        raise StateError(
            f"{path.parent} is being written by another process. Wait for its end, or choose another path."
        )
