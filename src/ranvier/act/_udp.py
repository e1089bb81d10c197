"""UDP: one datagram a command."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from typing import Any, ClassVar

from ranvier.act._actuator import Actuator
from ranvier.act._command import Approved
from ranvier.act._wire import encode, encode_stop
from ranvier.errors import ConfigError, DeviceError

GOODBYES = 3  # datagrams that ask for the safe state: any of them does


def host_and_port(who: str, where: str) -> tuple[str, int]:
    """Return the parts of ``HOST:PORT`` or ``[HOST]:PORT``."""
    host, colon, port = where.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ConfigError(f"{who} needs HOST:PORT, such as 127.0.0.1:5005; got {where!r}. Mend it.")
    return host.removeprefix("[").removesuffix("]"), int(port)


def opened(who: str, where: str) -> tuple[socket.socket, Any]:
    """Return a socket for an address, and the address."""
    host, port = host_and_port(who, where)
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        return socket.socket(family, kind, proto), address
    except OSError as e:
        raise DeviceError(f"{who} cannot reach {where}: {e}. Look at the name and the network.") from e


@dataclass(eq=False)
class UDP(Actuator):
    """Send each command as a datagram; whoever receives it holds the dead-man.

    Parameters
    ----------
    to
        ``HOST:PORT``.

    Notes
    -----
    The datagram is drawn in `ranvier.act._wire`; `Receiver` is the other end. It carries when it expires and a number,
    so that the receiver can refuse what is late, doubled or out of order, and nothing that protects it from others on
    the same network: keep it on one host or on a wire of its own. The safe state is reached by the receiver: at the
    stop datagrams, or after its silence. Never blocks: where the socket has no room, the command is dropped and
    counted; one that has expired is not sent.
    """

    scheme: ClassVar[str] = "udp"

    to: str

    def __post_init__(self) -> None:
        host_and_port("UDP", self.to)

    def _open(self) -> None:
        self._socket, address = opened("UDP", self.to)
        self._session = secrets.randbits(64)
        self._sequence = 0
        self._socket.setblocking(False)
        try:
            self._socket.connect(address)
        except OSError as e:
            raise DeviceError(f"UDP cannot reach {self.to}: {e}. Look at the name and the network.") from e

    def _start(self) -> None:
        """Datagrams need no start."""

    def _send(self, approved: Approved) -> bool:
        now, command = self._clock(), approved.command
        if now >= command.expires:
            return False
        self._sequence = command.sequence
        return self._put(encode(approved, self._session, now))

    def _put(self, data: bytes) -> bool:
        try:
            return self._socket.send(data) == len(data)
        except ConnectionRefusedError:  # an earlier datagram found nobody; this one was not sent yet
            try:
                return self._socket.send(data) == len(data)
            except OSError:
                return False
        except OSError:
            return False

    def _stop(self) -> None:
        data = encode_stop(self._session, self._sequence, self._clock())
        for _ in range(GOODBYES):
            self._put(data)

    def _close(self) -> None:
        if hasattr(self, "_socket"):
            self._socket.close()
