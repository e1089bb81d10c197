"""Ways to hand a block from one thread or process to another: ours, and those that others use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from ranvier.errors import RanvierError
from ranvier.evaluate.bench._data import RATE
from ranvier.session import Reader, Ring
from ranvier.stream import StreamInfo

Array = npt.NDArray[Any]
Receive = Callable[[], Array]  # the next block, within PATIENCE
PATIENCE = 10.0  # s until a message that does not come is a failure
KEPT = 0.25  # s in our ring
SAID = 16  # blocks after which our receiver says how far it is
LSL_KEPT = 5  # s in that of LSL, which would otherwise drop parts of blocks


class Carrier(Protocol):
    """The sending side; the ticket goes to the receiving side, where `receiver` opens with it what receives.

    Attributes
    ----------
    ticket
        What the other side needs: plain values between processes.
    """

    ticket: Any

    def __init__(self, shape: tuple[int, int], between: str) -> None: ...

    def send(self, block: Array) -> None: ...

    def close(self) -> None: ...

    @staticmethod
    def receiver(ticket: Any, shape: tuple[int, int]) -> AbstractContextManager[Receive]: ...


class RingCarrier:
    """Our ring: blocks are views of its memory.

    It has no flow control, and here nothing may be lost: the receiver tells by a ring of its own how far it is, and the
    sender waits where others would block.
    """

    def __init__(self, shape: tuple[int, int], between: str) -> None:
        info = StreamInfo.signal(RATE, shape[1], dtype=np.int16)
        self._name = _name()
        self._ring = Ring.create(info, KEPT, block=shape[0], name=self._name)
        self.ticket = (self._name, self._ring.reader() if between == "threads" else None)
        self._back: Reader | None = None
        self._sent = self._heard = 0

    def send(self, block: Array) -> None:
        self._sent += 1
        if self._sent - self._heard > self._ring.slots // 2:
            self._hear()
        self._ring.write(block)

    def _hear(self) -> None:
        self._back = self._back or Ring.attach(f"{self._name}-back", newest=True)
        while self._sent - self._heard > self._ring.slots // 2:
            self._back.wait(PATIENCE)
            said = self._back.read()
            if said is None:
                raise _silent()
            self._heard = int(said.data[-1, 0])

    def close(self) -> None:
        self._ring.close()
        if self._back is not None:
            self._back.close()

    @staticmethod
    @contextmanager
    def receiver(ticket: tuple[str, Reader | None], shape: tuple[int, int]) -> Iterator[Receive]:
        name, reader = ticket
        received = np.zeros((1, 1), np.int32)
        with (
            reader or Ring.attach(name) as reader,
            Ring.create(StreamInfo.signal(RATE, 1, dtype=np.int32), KEPT, block=1, name=f"{name}-back") as back,
        ):

            def receive() -> Array:
                if not received[0, 0] % SAID:
                    back.write(received)
                reader.wait(PATIENCE)
                block = reader.read()
                if block is None:
                    raise _silent()
                received[0, 0] += 1
                return block.data

            yield receive


class PipeCarrier:
    """multiprocessing.Pipe with send_bytes and recv_bytes_into: no pickle, its quickest way."""

    def __init__(self, shape: tuple[int, int], between: str) -> None:
        self.ticket, self._end = get_context("spawn").Pipe(duplex=False)

    def send(self, block: Array) -> None:
        self._end.send_bytes(block)

    def close(self) -> None:
        self._end.close()

    @staticmethod
    @contextmanager
    def receiver(ticket: Connection, shape: tuple[int, int]) -> Iterator[Receive]:
        memory = np.empty(shape, np.int16)

        def receive() -> Array:
            if not ticket.poll(PATIENCE):
                raise _silent()
            ticket.recv_bytes_into(memory.reshape(-1))
            return memory

        yield receive


class QueueCarrier:
    """multiprocessing.Queue: pickles, and sends from a thread of its own."""

    def __init__(self, shape: tuple[int, int], between: str) -> None:
        self.ticket = get_context("spawn").Queue()

    def send(self, block: Array) -> None:
        self.ticket.put(block.copy())  # it is pickled later

    def close(self) -> None:
        self.ticket.close()
        self.ticket.join_thread()

    @staticmethod
    @contextmanager
    def receiver(ticket: Any, shape: tuple[int, int]) -> Iterator[Receive]:
        def receive() -> Array:
            got: Array = ticket.get(timeout=PATIENCE)
            return got

        yield receive


class ZmqCarrier:
    """pyzmq push and pull: inproc between threads, ipc between processes."""

    def __init__(self, shape: tuple[int, int], between: str) -> None:
        import zmq

        self._context = zmq.Context.instance()
        self._socket = self._context.socket(zmq.PUSH)
        self.ticket = f"inproc://{_name()}" if between == "threads" else f"ipc://@{_name()}"
        self._socket.bind(self.ticket)

    def send(self, block: Array) -> None:
        self._socket.send(block)

    def close(self) -> None:
        self._socket.close(linger=0)

    @staticmethod
    @contextmanager
    def receiver(ticket: str, shape: tuple[int, int]) -> Iterator[Receive]:
        import zmq

        socket = zmq.Context.instance().socket(zmq.PULL)
        socket.connect(ticket)
        socket.setsockopt(zmq.RCVTIMEO, int(PATIENCE * 1000))
        with socket:
            yield lambda: np.frombuffer(socket.recv(), np.int16).reshape(shape)


class LslCarrier:
    """pylsl push_chunk and pull_chunk over the loopback; it keeps samples, not blocks."""

    def __init__(self, shape: tuple[int, int], between: str) -> None:
        import pylsl

        self.ticket = _name()
        info = pylsl.StreamInfo(self.ticket, "EEG", shape[1], RATE, "int16", self.ticket)
        self._outlet = pylsl.StreamOutlet(info, chunk_size=shape[0], max_buffered=LSL_KEPT)

    def send(self, block: Array) -> None:
        self._outlet.push_chunk(block)

    def close(self) -> None:
        del self._outlet

    @staticmethod
    @contextmanager
    def receiver(ticket: str, shape: tuple[int, int]) -> Iterator[Receive]:
        import pylsl

        found = pylsl.resolve_byprop("source_id", ticket, timeout=PATIENCE)
        if not found:
            raise _silent()
        inlet = pylsl.StreamInlet(found[0], max_buflen=LSL_KEPT, max_chunklen=shape[0])
        inlet.open_stream(timeout=PATIENCE)
        memory = np.empty(shape, np.int16)

        def receive() -> Array:
            _, stamps = inlet.pull_chunk(timeout=PATIENCE, max_samples=shape[0], dest_obj=memory)
            if len(stamps) != shape[0]:
                raise _silent()
            return memory

        yield receive


# peer -> what it needs installed, between whom, and how
CARRIERS: dict[str, tuple[tuple[str, ...], tuple[str, ...], type[Carrier]]] = {
    "ranvier": ((), ("threads", "processes"), RingCarrier),
    "pipe": ((), ("processes",), PipeCarrier),
    "queue": ((), ("processes",), QueueCarrier),
    "pyzmq": (("pyzmq",), ("threads", "processes"), ZmqCarrier),
    "pylsl": (("pylsl",), ("processes",), LslCarrier),
}


def tell(control: Connection, **said: Any) -> None:
    """Send plain values to the other side of a benchmark."""
    control.send_bytes(json.dumps(said).encode())


def ask(control: Connection, patience: float = 6 * PATIENCE) -> dict[str, Any]:
    """Return what the other side said, within so many seconds."""
    if not control.poll(patience):
        raise _silent()
    said: dict[str, Any] = json.loads(control.recv_bytes())
    return said


def _name() -> str:
    return f"bench-{uuid4().hex[:12]}"


def _silent() -> RanvierError:
    return RanvierError(
        "bench needs both sides to be heard; one said nothing for a while. Run it on a machine that is less busy, "
        "or leave that peer out with --peers."
    )
