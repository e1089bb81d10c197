"""Port: one TCP port on the loopback interface for one client; only `wait` waits."""

from __future__ import annotations

import select
import socket

from ranvier.errors import DeviceError

HELD = 1 << 26  # bytes that a client may be behind before it is let go


class Port:
    """One listening TCP port and its one client; bytes go out when the client takes them.

    Parameters
    ----------
    number
        The port; 0 for any that is free.
    who
        Who needs it, in errors.
    """

    def __init__(self, number: int, who: str) -> None:
        self._listener = socket.socket()
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", number))
            self._listener.listen(1)
        except OSError as e:
            self._listener.close()
            raise DeviceError(f"{who} needs port {number}; it cannot be had ({e}). Take another, or 0 for any.") from e
        self._listener.setblocking(False)
        self.number: int = self._listener.getsockname()[1]
        self._client: socket.socket | None = None
        self._out = bytearray()

    @property
    def connected(self) -> bool:
        """Whether somebody listens."""
        return self._client is not None

    def take(self) -> bytes:
        """Let a client in, send what waits, return what came; never wait."""
        if self._client is None:  # else the next one waits until this one has left
            try:
                self._client, _ = self._listener.accept()
            except OSError:
                return b""
            self._client.setblocking(False)
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send(b"")
        if self._client is None:
            return b""
        try:
            data = self._client.recv(1 << 16)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.cut()
        return data

    def wait(self, timeout: float) -> None:
        """Wait for the client to say something, at most `timeout` [s]."""
        if self._client is not None:
            select.select([self._client], [], [], timeout)

    def send(self, data: bytes) -> None:
        """Send, now or when the client is ready for it; nothing where nobody listens."""
        if self._client is None:
            return
        self._out += data
        try:
            while self._out:
                del self._out[: self._client.send(memoryview(self._out)[: 1 << 18].tobytes())]
        except BlockingIOError:
            if len(self._out) > HELD:
                self.cut()
        except OSError:
            self.cut()

    def cut(self) -> None:
        """Let the client go, as when the cable is pulled."""
        if self._client is not None:
            self._client.close()
        self._client = None
        self._out.clear()

    def close(self) -> None:
        """Let the client go and stop listening."""
        self.cut()
        self._listener.close()


def two_ports(number: int, who: str) -> tuple[Port, Port]:
    """Return two ports in a row, from `number` on; 0 for any two that are free."""
    for attempt in range(20):
        first = Port(number, who)
        try:
            return first, Port(first.number + 1, who)
        except DeviceError:
            first.close()
            if number or attempt == 19:
                raise
    raise AssertionError  # the last attempt returns or raises
