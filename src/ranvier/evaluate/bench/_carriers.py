"""Ways to hand a block from one thread or process to another: ours, and those that others use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, ClassVar

import numpy as np

from ranvier.evaluate.bench._carrier import PATIENCE, Array, Carrier, Receive, new_name, silent
from ranvier.evaluate.bench._carrier_ezmsg import EzmsgCarrier
from ranvier.evaluate.bench._carrier_redis import REDIS, RedisCarrier
from ranvier.evaluate.bench._data import RATE
from ranvier.session import Reader, Ring
from ranvier.stream import StreamInfo

KEPT = 0.25  # s in our ring
SAID = 16  # blocks after which our receiver says how far it is
SPIN = 100e-6  # s before and after a block is due in which the second of our receivers does not sleep
LSL_KEPT = 5  # s in that of LSL, which would otherwise drop parts of blocks


class RingCarrier:
    """Our ring: blocks are views of its memory.

    It has no flow control, and here nothing may be lost: the receiver tells by a ring of its own how far it is, and the
    sender waits where others would block.
    """

    spin: ClassVar[float] = 0.0

    def __init__(self, shape: tuple[int, int], between: str) -> None:
        info = StreamInfo.signal(RATE, shape[1], dtype=np.int16)
        self._name = new_name()
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
                raise silent()
            self._heard = int(said.data[-1, 0])

    def close(self) -> None:
        self._ring.close()
        if self._back is not None:
            self._back.close()

    @classmethod
    @contextmanager
    def receiver(cls, ticket: tuple[str, Reader | None], shape: tuple[int, int]) -> Iterator[Receive]:
        name, reader = ticket
        received = np.zeros((1, 1), np.int32)
        with (
            reader or Ring.attach(name) as reader,
            Ring.create(StreamInfo.signal(RATE, 1, dtype=np.int32), KEPT, block=1, name=f"{name}-back") as back,
        ):

            def receive() -> Array:
                if not received[0, 0] % SAID:
                    back.write(received)
                reader.wait(PATIENCE, cls.spin)
                block = reader.read()
                if block is None:
                    raise silent()
                received[0, 0] += 1
                return block.data

            yield receive


class AwakeCarrier(RingCarrier):
    """Our ring, with a receiver that looks again and again about when a block is due, and so is not woken late."""

    spin = SPIN


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
                raise silent()
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
        self.ticket = f"inproc://{new_name()}" if between == "threads" else f"ipc://@{new_name()}"
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

        self.ticket = new_name()
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
            raise silent()
        inlet = pylsl.StreamInlet(found[0], max_buflen=LSL_KEPT, max_chunklen=shape[0])
        inlet.open_stream(timeout=PATIENCE)
        memory = np.empty(shape, np.int16)

        def receive() -> Array:
            _, stamps = inlet.pull_chunk(timeout=PATIENCE, max_samples=shape[0], dest_obj=memory)
            if len(stamps) != shape[0]:
                raise silent()
            return memory

        yield receive


# peer -> what it needs installed, between whom, and how
CARRIERS: dict[str, tuple[tuple[str, ...], tuple[str, ...], type[Carrier]]] = {
    "ranvier": ((), ("threads", "processes"), RingCarrier),
    "ranvier awake": ((), ("processes",), AwakeCarrier),
    "pipe": ((), ("processes",), PipeCarrier),
    "queue": ((), ("processes",), QueueCarrier),
    "pyzmq": (("pyzmq",), ("threads", "processes"), ZmqCarrier),
    "pylsl": (("pylsl",), ("processes",), LslCarrier),
    "redis": (REDIS, ("processes",), RedisCarrier),
    "ezmsg": (("ezmsg",), ("processes",), EzmsgCarrier),
}
OURS = ("ranvier", "ranvier awake")
