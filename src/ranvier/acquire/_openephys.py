"""OpenEphys: the Open Ephys GUI, through its ZMQ Interface."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from threading import RLock
from typing import Any, ClassVar, final

import numpy as np

from ranvier.acquire._openephys_codec import OpenEphysCodec, OpenEphysCounters, Piece, decode
from ranvier.acquire._source import Found, Mark, Packet, Source
from ranvier.errors import DeviceError, MissingExtraError
from ranvier.stream import Channels, StreamInfo

EACH = 0.05  # [s] for which the sockets are held at once; stop and close wait that long at the most
HEARTBEAT = 2.0  # [s], as the plugin's documentation asks for
HELD = 100_000  # messages that may wait: 384 channels for 2.6 s, at 100 buffers a second
ENOUGH = 3  # whole buffers with the same channels, after which the channels are known


@final
@dataclass(eq=False)
class OpenEphys(Source):
    """The Open Ephys GUI (Neuropixels, acquisition boards, any of its sources), through its ZMQ Interface plugin.

    Parameters
    ----------
    host
        Where the GUI runs.
    port
        Data port of the plugin; heartbeats go to the port behind it.
    stream
        Name of the stream; empty for the first that comes.
    kind
        What the channels measure: ``spikes``, ``lfp``, ``eeg`` ...
    timeout
        Longest silence, when it is opened and while it runs [s].

    Notes
    -----
    Delivers float32 as the GUI sends it, in uV; a channel whose message was lost is nan in that packet. The GUI must be
    acquiring when this is opened: what the channels are is learned from the first messages. Its sample number is the
    count; index 0 is the first sample after the first start. TTL lines, texts and spikes of the stream are marks.

    References
    ----------
    Open Ephys GUI documentation, ZMQ Interface (open-ephys.github.io/gui-docs).
    """

    host: str = "127.0.0.1"
    port: int = 5556
    stream: str = ""
    kind: str = "spikes"
    timeout: float = 5.0

    scheme: ClassVar[str] = "openephys"

    def __post_init__(self) -> None:
        self._zmq: Any = None
        self._context: Any = None
        self._data: Any = None
        self._heart: Any = None
        self._using = RLock()  # sockets of this library belong to one thread at a time
        self._codec = OpenEphysCodec((), "")
        self._numbers: tuple[int, ...] = ()
        self._name = ""
        self._first: int | None = None
        self._end, self._last = 0, 0.0  # index behind the newest sample, and when it came [s]
        self._heard = self._beat = 0.0
        self._asked = False
        self._uuid = str(uuid.uuid4())

    @property
    def settings(self) -> dict[str, str]:
        return {"stream": self._name, "channels": str(len(self._numbers))} if self._numbers else {}

    # life ---------------------------------------------------------------------------------------
    def _open(self) -> None:
        try:
            import zmq
        except ImportError as e:
            raise MissingExtraError("OpenEphys", "pyzmq", "acquire") from e
        self._zmq = zmq
        self._counters = OpenEphysCounters()
        with self._using:
            self._context = zmq.Context()
            self._data = self._context.socket(zmq.SUB)
            self._data.set(zmq.LINGER, 0)
            self._data.set(zmq.RCVHWM, HELD)
            try:
                self._data.connect(f"tcp://{self.host}:{self.port}")
            except zmq.ZMQError as e:
                raise DeviceError(f"OpenEphys needs an address; got {self.host}:{self.port} ({e}). Mend it.") from e
            self._data.subscribe(b"")
            self._survey()
            self._data.unsubscribe(b"")

    def _start(self) -> None:
        with self._using:
            while self._data.poll(0):
                self._data.recv_multipart()
            rate = float(self.info.rate)
            passed = round((time.monotonic() - self._last) * rate) if self._end else 0
            self._codec = OpenEphysCodec(
                self._numbers,
                self._name,
                counters=self._counters,  # type: ignore[arg-type]
                first=self._first,
                floor=self._end,
                anew=self._end + passed,
                rate=rate,
            )
            self._heard = time.monotonic()
            self._data.subscribe(b"")

    def _stop(self) -> None:
        with self._using:
            if self._data is not None:
                self._data.unsubscribe(b"")

    def _close(self) -> None:
        with self._using:
            for socket in (self._data, self._heart):
                if socket is not None:
                    socket.close(0)
            if self._context is not None:
                self._context.term()
            self._data = self._heart = self._context = None

    # data ---------------------------------------------------------------------------------------
    def _read(self, timeout: float) -> list[Packet | Mark]:
        end, out = time.monotonic() + timeout, list[Packet | Mark]()
        while not out and self._phase == "running":
            left = end - time.monotonic()
            for frames in self._messages(max(min(left, EACH), 0.0)):
                now, self._heard = self._clock(), time.monotonic()
                out += self._codec.feed(frames, now)
            if left <= 0:
                break
        for packet in out:
            if isinstance(packet, Packet):
                self._end, self._last = packet.start + len(packet.samples), self._heard
        self._first = self._codec.first if self._codec.first is not None else self._first
        if self._codec.restarted and not out:
            raise DeviceError(f"OpenEphys needs one run; the GUI at {self.host} began to count anew. Start it again.")
        if not out and self._phase == "running" and time.monotonic() - self._heard > self.timeout:
            raise DeviceError(
                f"OpenEphys needs messages from {self.host}:{self.port}; got none for {self.timeout:g} s. Look whether "
                "the GUI still acquires, and at the cable."
            )
        return out

    def _messages(self, timeout: float) -> list[Sequence[bytes]]:
        """Wait for messages, tell the plugin that somebody listens, return what has come."""
        out: list[Sequence[bytes]] = []
        with self._using:
            if self._data is None:
                return out
            self._tell()
            if self._data.poll(max(1, round(timeout * 1000)) if timeout > 0 else 0):
                while len(out) < HELD:
                    try:
                        out.append(self._data.recv_multipart(self._zmq.NOBLOCK))
                    except self._zmq.Again:
                        break
        return out

    def _tell(self) -> None:
        """Send a heartbeat when it is due; an answer is taken, and none is needed."""
        zmq, now = self._zmq, time.monotonic()
        if self._heart is not None and self._asked and self._heart.poll(0):
            self._heart.recv()
            self._asked = False
        if now - self._beat < HEARTBEAT and self._heart is not None:
            return
        if self._heart is None or self._asked:  # one that was never answered cannot ask again
            if self._heart is not None:
                self._heart.close(0)
            self._heart = self._context.socket(zmq.REQ)
            self._heart.set(zmq.LINGER, 0)
            self._heart.connect(f"tcp://{self.host}:{self.port + 1}")
        said = {"application": "Ranvier", "uuid": self._uuid, "type": "heartbeat"}
        try:
            self._heart.send(json.dumps(said).encode(), zmq.NOBLOCK)
            self._asked = True
        except zmq.Again:
            self._asked = False
        self._beat = now

    @classmethod
    def nearby(cls, timeout: float) -> list[Found]:
        """Listen for a moment at the usual port of this machine."""
        try:
            import zmq
        except ImportError as e:
            raise MissingExtraError("OpenEphys", "pyzmq", "acquire") from e
        found: dict[str, Found] = {}
        end = time.monotonic() + timeout
        with zmq.Context() as context, context.socket(zmq.SUB) as heard:
            heard.set(zmq.LINGER, 0)
            heard.connect(f"tcp://127.0.0.1:{cls.port}")
            heard.subscribe(b"")
            while not found and (left := end - time.monotonic()) > 0:
                message = decode(heard.recv_multipart()) if heard.poll(max(1, round(left * 1000))) else None
                if message is not None and isinstance(message[1], Piece):
                    name = message[1].stream
                    where = f"openephys:127.0.0.1?stream={name}" if name else "openephys:127.0.0.1"
                    found[name] = Found(where, name, f"Open Ephys GUI, {message[1].rate:g} Hz")
        return list(found.values())

    # opening ------------------------------------------------------------------------------------
    def _survey(self) -> None:
        """Learn stream, channels and rate from what comes."""
        end, rate = time.monotonic() + self.timeout, 0.0
        names: dict[int, str] = {}
        buffers: list[frozenset[int]] = []
        stream, current = self.stream, (-1, set[int]())
        seen: set[str] = set()
        while len(buffers) < ENOUGH + 1 or any(b != buffers[-1] for b in buffers[-ENOUGH:]):
            if time.monotonic() > end:
                others = f"; streams there: {', '.join(sorted(seen))}" if seen else ""
                raise DeviceError(
                    f"OpenEphys needs data{f' of stream {stream!r}' if stream else ''} from the ZMQ Interface "
                    f"at {self.host}:{self.port}; got too little within {self.timeout:g} s{others}. Put the plugin in "
                    "the signal chain of the GUI, select channels in it, and start acquisition."
                )
            for frames in self._messages(EACH):
                found = decode(frames)
                piece = found[1] if found is not None else None
                if not isinstance(piece, Piece):
                    continue
                seen.add(piece.stream)
                stream = stream or piece.stream
                if piece.stream != stream:
                    continue
                if piece.first != current[0]:
                    buffers.append(frozenset(current[1]))
                    current = (piece.first, set())
                current[1].add(piece.channel)
                names[piece.channel], rate = piece.name, piece.rate
        self._numbers, self._name = tuple(sorted(buffers[-1])), stream
        labels = [names[k] or f"CH{k + 1}" for k in self._numbers]
        if len(set(labels)) < len(labels):
            labels = [f"CH{k + 1}" for k in self._numbers]
        self._describe(Channels.of(labels, self.kind, "uV"), Fraction(rate).limit_denominator(10**6))

    def _describe(self, channels: Channels, rate: Fraction) -> None:
        from ranvier.denoise import Integrity  # slow to import

        self._info = StreamInfo.signal(rate, channels, name=self._name or "openephys", dtype=np.float32)
        self._entrance = Integrity()
