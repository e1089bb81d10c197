"""OpenEphysServer: a recording behind the ZMQ Interface, and its events behind the Event Broadcaster, of Open Ephys."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from ranvier.acquire._openephys_codec import MESSAGE, TTL
from ranvier.errors import ContractError, DeviceError, MissingExtraError
from ranvier.stream import Array, Block
from ranvier.twin._server import DeviceServer

PULSE = 0.005  # [s] for which the line of an event is on
LINES = 8
NODE = 100  # number of the processor that is said to have made the events
HELD = 1_000_000  # messages that a client may be behind


@final
@dataclass(eq=False)
class OpenEphysServer(DeviceServer):
    """A recording behind the ZMQ Interface of the Open Ephys GUI.

    Parameters
    ----------
    port
        Data port; heartbeats come to the port behind it. 0 for any two that are free.
    buffer
        Length of what is sent at once [s].
    patient
        Begin with the first heartbeat of a client; a GUI sends whether somebody listens or not.
    broadcast
        Port of the Event Broadcaster, on which the lines of events leave as JSON; None for none.
    drop
        Share of the messages that are left out.
    seed
        Of which ones.

    Notes
    -----
    One message a channel and buffer, float32 in the unit of the recording. A recorded event is a TTL line for each
    label (on for 5 ms) and a text message with the label.

    References
    ----------
    Open Ephys GUI documentation, ZMQ Interface and Event Broadcaster (open-ephys.github.io/gui-docs).
    """

    port: int = 5556
    buffer: float = 0.01
    patient: bool = True
    broadcast: int | None = None
    drop: float = 0.0
    seed: int = 0

    protocol: ClassVar[str] = "openephys"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.buffer <= 1:
            raise ContractError(f"OpenEphysServer needs 0 < buffer <= 1 s; got {self.buffer:g} s. Take 0.01 s.")
        self._context: Any = None
        self._data: Any = None
        self._heart: Any = None
        self._events: Any = None
        self._zmq: Any = None
        self._chance = np.random.default_rng(self.seed)
        self._kept: list[Array] = []  # samples of a buffer that is not yet whole
        self._next = self._held = self._number = 0
        self.plugged = True  # False: the cable is out, the GUI runs on
        self.clients: set[str] = set()

    @property
    def where(self) -> str:
        return f"127.0.0.1?port={self.port}"

    # life ---------------------------------------------------------------------------------------
    def _open(self) -> None:
        try:
            import zmq
        except ImportError as e:
            raise MissingExtraError("OpenEphysServer", "pyzmq", "acquire") from e
        super()._open()
        self._zmq, self._context = zmq, zmq.Context()
        self._number = 0
        if self.broadcast is not None:
            self._events = self._context.socket(zmq.PUB)
            try:
                self._events.bind(f"tcp://127.0.0.1:{self.broadcast or '*'}")
            except zmq.ZMQError as e:
                raise DeviceError(
                    f"OpenEphysServer needs port {self.broadcast} for its broadcaster; it cannot be had ({e}). Take "
                    "another, or 0 for any."
                ) from e
            self.broadcast = int(self._events.get_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        for _ in range(20):  # two ports in a row, where any will do
            self._data, self._heart = self._context.socket(zmq.PUB), self._context.socket(zmq.REP)
            self._data.set(zmq.SNDHWM, HELD)
            try:
                self._data.bind(f"tcp://127.0.0.1:{self.port or '*'}")
                bound = int(self._data.get_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
                self._heart.bind(f"tcp://127.0.0.1:{bound + 1}")
            except zmq.ZMQError as e:
                self._data.close(0)
                self._heart.close(0)
                if self.port:
                    raise DeviceError(
                        f"OpenEphysServer needs ports {self.port} and {self.port + 1}; they cannot be had ({e}). Take "
                        "others, or 0 for any."
                    ) from e
            else:
                self.port = bound
                return
        raise DeviceError("OpenEphysServer needs two free ports in a row; found none. Name one.")

    def _start(self) -> None:
        if not self.patient:
            self._begin()
        super()._start()

    def _close(self) -> None:
        for socket in (self._data, self._heart, self._events):
            if socket is not None:
                socket.close(0)
        if self._context is not None:
            self._context.term()
        self._data = self._heart = self._events = self._context = None
        super()._close()

    def halt(self) -> None:
        if self._held:
            self._flush()
        super().halt()

    def _begin(self) -> None:
        self._kept, self._held, self._next = [], 0, 0
        self.begin()

    # messages -----------------------------------------------------------------------------------
    def _listen(self) -> None:
        if self._heart is None or not self._heart.poll(0):
            return
        said = self._heart.recv()
        try:
            beat = json.loads(said.decode())
            self.clients.add(str(beat["application"])[:80])
            self._heart.send(b"heartbeat received")
        except (ValueError, KeyError, TypeError, RecursionError):
            self._heart.send(b"JSON message could not be read")
            return
        if not self.streaming and not self.ended:
            self._begin()

    def _say(self, envelope: str, head: dict[str, Any], payload: bytes) -> None:
        head = {"message_num": self._number, **head, "timestamp": self._clock() // 1_000_000}
        self._number += 1
        if self.plugged and self._chance.random() >= self.drop:
            self._data.send_multipart([envelope.encode(), json.dumps(head).encode(), payload])

    def _send(self, block: Block) -> None:
        if block.start != self._next:
            self._flush()
        self._kept.append(np.asarray(block.data, np.float32))
        self._held, self._next = self._held + block.n, block.start + block.n
        size = max(1, round(self.buffer * self.info.rate))
        if self._held >= size:
            self._flush(self._held // size * size, size)

    def _flush(self, n: int | None = None, size: int | None = None) -> None:
        """Send the first `n` of the samples that were kept (all), in buffers of `size`."""
        if not self._held or self._data is None:
            return
        samples, start = np.concatenate(self._kept), self._next - self._held
        n, size = len(samples) if n is None else n, size or len(samples)
        self._kept, self._held = [samples[n:]], len(samples) - n
        for k in range(0, n, size):
            self._buffer(samples[k : k + size], start + k)

    def _buffer(self, samples: Array, start: int) -> None:
        stream, width = self.info.name, max(1, round(PULSE * self.info.rate))
        labels = sorted(set(self.feed.event_info.labels.values())) if hasattr(self.feed, "event_info") else []
        for late, on in ((width, 0), (0, 1)):
            for sample, label, _ in self.events_between(max(start - late, 0), max(start + len(samples) - late, 0)):
                line = labels.index(label) % LINES
                self._event(stream, TTL, sample + late, struct.pack("<BBQ", line, on, on << line))
                self._tell(stream, sample + late, line, on)
                if on:
                    self._event(stream, MESSAGE, sample, label.encode())
        for i, name in enumerate(self.info.channels.names):
            content = {
                "stream": stream,
                "channel_num": i,
                "channel_name": name,
                "num_samples": len(samples),
                "sample_num": start,
                "sample_rate": float(self.info.rate),
            }
            payload = np.ascontiguousarray(samples[:, i]).astype("<f4").tobytes()
            self._say("DATA", {"type": "data", "content": content, "data_size": len(payload)}, payload)

    def _tell(self, stream: str, sample: int, line: int, on: int) -> None:
        """Send a line's change as the Event Broadcaster does."""
        if self._events is None or not self.plugged:
            return
        told = {
            "event_type": "ttl",
            "stream": stream,
            "source_node": NODE,
            "sample_rate": float(self.info.rate),
            "channel_name": "Events",
            "sample_number": sample,
            "line": line,
            "state": on,
        }
        self._events.send_multipart([struct.pack("<H", 0), json.dumps(told).encode()])

    def _event(self, stream: str, kind: int, sample: int, payload: bytes) -> None:
        content = {"stream": stream, "source_node": NODE, "type": kind, "sample_num": sample}
        self._say("EVENT", {"type": "event", "content": content, "data_size": len(payload)}, payload)
