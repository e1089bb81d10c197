"""The door of a ring: where another process of the same user gets its memory and a bell of its own.

A socket with the ring's name answers whoever connects with two descriptors: the memory, to be read, and a bell. The
connection then stays open and silent. When either side ends, however it ends, the system closes it and the other knows.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from ranvier.errors import ContractError, FormatError, SafetyError, StateError
from ranvier.session._wake import ReceivedWake, Wake, new_wake

GREETING = b"ranvier ring 1"
MOST = 64  # readers of one ring: each costs the writer a system call a block
PATIENCE = 5.0  # s that a door may take to answer
ABSTRACT = sys.platform == "linux"  # names of sockets that are no files


class Door:
    """Hands out a memory under a name, in a thread of its own, until it is closed.

    Parameters
    ----------
    name
        Letters, digits, ``. _ -``.
    memory
        Descriptor to hand out; the door closes it.
    joined, left
        Called with the bell of each reader that comes or goes.
    """

    def __init__(self, name: str, memory: int, joined: Callable[[Wake], None], left: Callable[[Wake], None]) -> None:
        self._memory, self._joined, self._left = memory, joined, left
        self._address = address(name)
        self._listener = _listen(self._address, name)
        self._stop = new_wake()
        self._open = True
        self._thread = Thread(target=self._serve, name=f"door of {name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let nobody in any more and part from those who are."""
        if self._open:
            self._open = False
            self._stop.strike()
            self._thread.join()
            self._listener.close()
            os.close(self._memory)
            if not ABSTRACT:
                Path(str(self._address)).unlink(missing_ok=True)

    def _serve(self) -> None:
        guests: dict[socket.socket, Wake] = {}
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._listener, selectors.EVENT_READ)
            waiting.register(self._stop, selectors.EVENT_READ)
            while self._open:
                for key, _ in waiting.select():
                    if key.fileobj is self._listener:
                        guest = self._greet(len(guests) < MOST)
                        if guest is not None:
                            guests[guest[0]] = guest[1]
                            waiting.register(guest[0], selectors.EVENT_READ)
                    elif isinstance(key.fileobj, socket.socket):  # a guest says nothing; it has gone
                        waiting.unregister(key.fileobj)
                        self._left(guests.pop(key.fileobj))
                        key.fileobj.close()
            for connection, wake in guests.items():
                self._left(wake)
                connection.close()

    def _greet(self, room: bool) -> tuple[socket.socket, Wake] | None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return None  # it left before it was let in
        if not room or not _is_ours(connection):
            connection.close()
            return None
        wake = new_wake()
        self._joined(wake)
        try:
            connection.setblocking(False)
            socket.send_fds(connection, [GREETING], [self._memory, wake.fileno()])
        except OSError:
            self._left(wake)
            connection.close()
            return None
        return connection, wake


def knock(name: str) -> tuple[int, ReceivedWake, socket.socket]:
    """Return memory and bell of the ring with a name, and the connection that lasts as long as its writer.

    Raises
    ------
    StateError
        Where there is no such ring.
    SafetyError
        Where another user holds the name.
    FormatError
        Where something else answers.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fds: list[int] = []
    try:
        connection.settimeout(PATIENCE)
        connection.connect(address(name))
        if not _is_ours(connection):
            raise SafetyError(
                f"Ring.attach needs a ring of your own; {name!r} belongs to another user. Choose another name."
            )
        said, fds, _, _ = socket.recv_fds(connection, len(GREETING), 2)
        if said != GREETING or len(fds) != 2:
            raise FormatError(
                f"Ring.attach needs a ring behind the name {name!r}; got an answer that no ring gives (or a ring with "
                f"{MOST} readers, which takes no more). Attach to a ring made by this version of Ranvier."
            )
    except OSError as e:
        connection.close()
        raise StateError(
            f"Ring.attach needs a ring named {name!r} that is open; got none ({e}). Start its writer first."
        ) from None
    except BaseException:
        connection.close()
        for fd in fds:
            os.close(fd)
        raise
    return fds[0], ReceivedWake(fds[1]), connection


def address(name: str) -> str | bytes:
    """Return the address of the socket of a ring: of no file on Linux, in a folder of the user's own elsewhere."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,48}", name):
        raise ContractError(
            f"Ring needs a name of 1 to 48 letters, digits, '.', '_', '-'; got {name!r:.60}. Mend the name."
        )
    if not hasattr(socket, "AF_UNIX") or not hasattr(socket, "send_fds"):
        raise StateError(
            "Ring needs sockets that hand over descriptors to meet other processes, and this system has none. "
            "Leave the name out and read the ring in the process that writes it."
        )
    if ABSTRACT:
        return f"\0ranvier-{os.getuid()}-{name}".encode()
    folder = Path(tempfile.gettempdir()) / f"ranvier-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise SafetyError(f"Ring needs {folder} to be yours alone. Remove it, or set TMPDIR to a folder of your own.")
    return str(folder / name)


def _listen(where: str | bytes, name: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if not ABSTRACT and _is_forsaken(where):
            os.unlink(where)
        listener.bind(where)
        listener.listen(MOST)
        listener.setblocking(False)
    except OSError as e:
        listener.close()
        raise StateError(
            f"Ring needs a name that no other ring has; {name!r} cannot be had: {e.strerror}. Close the other ring, "
            "or choose another name."
        ) from None
    return listener


def _is_forsaken(where: str | bytes) -> bool:
    """Say whether a socket's file was left behind by a process that is no more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        try:
            trial.connect(where)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _is_ours(connection: socket.socket) -> bool:
    """Say whether the other side runs as the same user (elsewhere than on Linux the folder's mode sees to it)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(uid == os.getuid())
