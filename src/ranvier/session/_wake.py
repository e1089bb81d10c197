"""How who waits is woken: an eventfd on Linux, a pair of sockets elsewhere; the one place that knows which."""

from __future__ import annotations

import os
import select
import socket
import sys
from typing import Protocol

SHORT = 0.005  # s; `poll` counts whole milliseconds
_ONE = (1).to_bytes(8, sys.byteorder)


class Wake(Protocol):
    """A bell: struck by the writer, heard by one reader. What it holds open is closed when nobody refers to it."""

    def strike(self) -> None:
        """Let who waits go on; never blocks, whatever the other side does."""

    def clear(self) -> None:
        """Forget all strokes so far."""

    def fileno(self) -> int:
        """What to wait on, readable once struck; it may be handed to another process."""


class EventWake:
    """A counter of the kernel: one descriptor, 8 bytes a stroke, nothing that can fill up."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def strike(self) -> None:
        try:
            os.write(self._fd, _ONE)
        except BlockingIOError:
            return  # struck 2**64 times: it is readable

    def clear(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return  # not struck

    def fileno(self) -> int:
        return self._fd

    def __del__(self) -> None:
        os.close(self._fd)


class SocketWake:
    """Two sockets: a byte a stroke; a full buffer means that the reader will wake up anyway."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)

    def strike(self) -> None:
        try:
            self._near.send(b"\x01")
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            return

    def clear(self) -> None:
        try:
            while len(self._far.recv(4096)) == 4096:
                pass
        except BlockingIOError:
            return

    def fileno(self) -> int:
        return self._far.fileno()

    def __del__(self) -> None:
        self._near.close()
        self._far.close()


class ReceivedWake:
    """The hearing side of somebody else's bell, of either kind."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        os.set_blocking(fd, False)

    def strike(self) -> None:
        """Do nothing: the bell is the writer's."""

    def clear(self) -> None:
        _drain(self._fd)

    def fileno(self) -> int:
        return self._fd

    def __del__(self) -> None:
        os.close(self._fd)


PORTABLE = not hasattr(os, "eventfd")


def new_wake() -> Wake:
    """Return the best bell of this system."""
    return SocketWake() if PORTABLE else EventWake()


class Waiter:
    """Waits until one of a few descriptors is readable."""

    def __init__(self, *fds: int) -> None:
        self._fds = fds
        self._few = max(fds) < 1024  # beyond that `select` does not go
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            for fd in fds:
                self._poll.register(fd, select.POLLIN)

    def __call__(self, timeout: float) -> list[int]:
        """Return what is readable within `timeout` [s]; nothing, if nothing is."""
        if self._poll is not None and (timeout > SHORT or not self._few):
            return [fd for fd, _ in self._poll.poll(max(timeout, 0.0) * 1000)]
        return select.select(self._fds, (), (), max(timeout, 0.0))[0]


def _drain(fd: int) -> None:
    try:
        while len(os.read(fd, 512)) == 512:
            pass
    except BlockingIOError:
        return
