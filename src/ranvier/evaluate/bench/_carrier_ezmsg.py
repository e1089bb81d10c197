"""ezmsg's publisher and subscriber in two processes: blocks in its shared memory, word of them over the loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from ranvier.evaluate.bench._carrier import PATIENCE, Array, Receive, new_name

LOOPBACK = "127.0.0.1"
ROOM = 4096  # bytes beside the block in a buffer of its shared memory


class EzmsgCarrier:
    """Arrays as messages, read where they lie; no unit, no second thread: each side drives its own event loop."""

    def __init__(self, shape: tuple[int, int], between: str) -> None:
        import ezmsg.core as ez

        server = start_server()
        self._server, address = server, tuple(server.address)
        self._topic = new_name()
        self.ticket = (*address, self._topic)
        self._loop = asyncio.new_event_loop()
        self._context = ez.GraphContext(address, auto_start=False)
        self._do(self._context.__aenter__())
        size = 2 * shape[0] * shape[1] + ROOM
        self._publisher: Any = self._do(self._context.publisher(self._topic, host=LOOPBACK, buf_size=size))
        self._meeting: Thread | None = Thread(target=self._loop.run_forever, daemon=True)
        self._meeting.start()  # until the subscriber is there, which it is before the first message

    def send(self, block: Array) -> None:
        self._meet()
        self._loop.run_until_complete(self._publisher.broadcast(block))

    def close(self) -> None:
        self._meet()
        self._do(self._context.__aexit__(None, None, None))
        self._loop.close()
        self._server.stop()

    def _meet(self) -> None:
        if self._meeting is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._meeting.join()
            self._meeting = None

    def _do(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(what)

    @staticmethod
    @contextmanager
    def receiver(ticket: tuple[str, int, str], shape: tuple[int, int]) -> Iterator[Receive]:
        import ezmsg.core as ez

        ez.logger.setLevel("ERROR")  # it warns where it is as fast as it goes
        host, port, topic = ticket
        loop = asyncio.new_event_loop()
        context = ez.GraphContext((host, port), auto_start=False)
        loop.run_until_complete(context.__aenter__())
        subscriber: Any = loop.run_until_complete(context.subscriber(topic))
        held: Any = None

        async def take() -> Array:
            nonlocal held
            if held is not None:  # its memory is theirs again
                await held.__aexit__(None, None, None)
            held = subscriber.recv_zero_copy()
            async with asyncio.timeout(PATIENCE):
                block: Array = await held.__aenter__()
            return block

        try:
            yield lambda: loop.run_until_complete(take())
        finally:
            loop.run_until_complete(context.__aexit__(None, None, None))
            loop.close()


def start_server() -> Any:
    """Start what ezmsg's processes meet at, in a thread, at a free port of this machine only."""
    import ezmsg.core as ez
    from ezmsg.core.graphserver import GraphServer

    ez.logger.setLevel("ERROR")  # it warns where it is as fast as it goes
    server = GraphServer()
    server.start((LOOPBACK, 0))
    return server
