"""Memory that several processes see, which has no name and so is gone with the last who uses it.

Linux gives it as a memfd, sealed: nobody can change its size, and only who made it can write to it. Elsewhere it is a
temporary file that is removed before anything is written. Either way the reader's side is a file descriptor that can
be handed to another process, and a crash leaves nothing behind.
"""

from __future__ import annotations

import mmap
import os
import tempfile

import numpy as np
import numpy.typing as npt

from ranvier.errors import FormatError, StateError

Bytes = npt.NDArray[np.uint8]
_POPULATE = getattr(mmap, "MAP_POPULATE", 0)
_SEAL_SHRINK, _SEAL_GROW, _SEAL_FUTURE_WRITE = 0x2, 0x4, 0x10  # fcntl.h; Python does not know the last
HAS_MEMFD = hasattr(os, "memfd_create") and hasattr(os, "posix_fallocate")


def allocate(size: int) -> tuple[Bytes, int]:
    """Return `size` bytes of zeros, and a descriptor through which others can read them (-1: there is none)."""
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else size
    if size > most:
        raise _too_much(size, f"the machine has {most / 2**20:,.0f} MiB")
    if os.name != "posix":
        return np.frombuffer(mmap.mmap(-1, size), np.uint8), -1
    fd, read_only = _memfd() if HAS_MEMFD else _file()
    try:
        os.posix_fallocate(fd, 0, size) if hasattr(os, "posix_fallocate") else os.ftruncate(fd, size)
        mapped = mmap.mmap(fd, size, flags=mmap.MAP_SHARED | _POPULATE)
        if HAS_MEMFD:
            _seal(fd)
    except (OSError, ValueError, OverflowError) as e:
        os.close(read_only)
        raise _too_much(size, str(e)) from None
    finally:
        os.close(fd)
    return np.frombuffer(mapped, np.uint8), read_only


def look(fd: int, size: int) -> Bytes:
    """Return memory of `size` bytes behind a descriptor, to be read only; refuse what could shrink meanwhile."""
    if HAS_MEMFD and not _seals(fd) & _SEAL_SHRINK:
        raise FormatError(
            "Ring needs memory whose size is sealed; got some that its owner could take away while it is read. "
            "Attach to a ring made by this version of Ranvier."
        )
    return np.frombuffer(mmap.mmap(fd, size, flags=mmap.MAP_SHARED | _POPULATE, prot=mmap.PROT_READ), np.uint8)


def _too_much(size: int, why: str) -> StateError:
    return StateError(f"Ring needs {size / 2**20:,.0f} MiB of memory and cannot have it: {why}. Ask for fewer seconds.")


def _memfd() -> tuple[int, int]:
    fd = os.memfd_create("ranvier-ring", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    return fd, os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)


def _file() -> tuple[int, int]:
    fd, path = tempfile.mkstemp(prefix="ranvier-ring-")
    try:
        return fd, os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.unlink(path)


def _seal(fd: int) -> None:
    import fcntl

    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEAL_SHRINK | _SEAL_GROW)
    try:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEAL_FUTURE_WRITE)
    except OSError:
        return  # before Linux 5.1: the descriptor that is handed out is read-only all the same


def _seals(fd: int) -> int:
    import fcntl

    try:
        return fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    except OSError:
        return 0
