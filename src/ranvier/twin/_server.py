"""DeviceServer: a recording or a source, served in real time as a device would serve it."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event, Thread, current_thread
from typing import Any, ClassVar

import numpy as np

from ranvier.acquire import Packet, Source
from ranvier.errors import ContractError
from ranvier.stage import Run, Stage
from ranvier.stream import Block, Device, Recording, StreamInfo

TICK = 0.004  # [s] between two looks at the clock: one sample of a Cyton
MOST = 1 << 16  # numbers that are sent at once: what is late comes in pieces


@dataclass(eq=False)
class DeviceServer(Device):
    """Speak a device's protocol and send a recording, or what a source delivers, in real time.

    Who writes one sets `protocol`, opens its port in `_open` (behind ``super()._open()``; the like in `_close`), hears
    its clients in `_listen` (which calls `begin` and `halt`), and writes `_send`. `_listen` and `_send` are called by
    one thread, or by `pump` where a test holds the clock.

    Parameters
    ----------
    feed
        A recording, or a source (opened and closed with the server; its entrance makes units of its counts).
    speed
        Seconds of recording a second; a source has its own.
    loop
        Begin again at the end of a recording; the index goes on.
    seconds
        How long it sends after each `begin`, in recorded time [s]; None for all of it.
    drift
        How much faster than it says the device's clock runs: 0.005 for 0.5 %.

    Notes
    -----
    Each `begin` starts at the first sample. A sample is due at the end of its period, counted from `begin` on the clock
    that `start` was given. Where a recording has a gap, nothing is sent for its time and the index jumps. Servers bind
    to the loopback interface alone.
    """

    feed: Any
    speed: float = 1.0
    loop: bool = False
    seconds: float | None = None
    drift: float = 0.0

    protocol: ClassVar[str] = ""
    threaded: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise ContractError(f"{type(self).__name__} needs speed > 0; got {self.speed:g}. Take 1 for real time.")
        if self.seconds is not None and not self.seconds > 0:
            raise ContractError(
                f"{type(self).__name__} needs seconds > 0 s; got {self.seconds:g}. Leave it out for all."
            )
        if not abs(self.drift) <= 0.5:
            raise ContractError(f"{type(self).__name__} needs drift within 0.5; got {self.drift:g}. 0.005 is 0.5 %.")
        for name in ("port", "broadcast"):
            port = getattr(self, name, None) or 0
            if not (isinstance(port, int) and 0 <= port <= 65535):
                raise ContractError(f"{type(self).__name__} needs a {name} from 0 to 65535; got {port!r}. 0 is any.")
        self._thread: Thread | None = None
        self._leave = Event()
        self._blocks: Iterator[Block] | None = None
        self._rest: Block | None = None
        self._began = 0
        self._through: Run | None = None
        self.sent = 0
        self.ended = False
        self.error: Exception | None = None

    # what a subclass uses -----------------------------------------------------------------------
    @property
    def feed_info(self) -> StreamInfo:
        """What the feed delivers, in its unit; of a source once it is open."""
        info: StreamInfo = self.feed.info
        return self.feed.entrance.describe(info) if isinstance(self.feed, Source) else info  # type: ignore[no-any-return]

    @property
    def info(self) -> StreamInfo:
        """What is served: the feed behind what `prepare` returned; known after `begin`."""
        return self.feed_info if self._through is None else self._through.info  # type: ignore[no-any-return]

    @property
    def where(self) -> str:
        """What a client connects to, as its own tool wants it; known once it is open."""
        return ""

    @property
    def source_text(self) -> str:
        """What `ranvier record` connects to, such as ``cyton:/dev/pts/3``."""
        return f"{self.protocol}:{self.where}"

    @property
    def streaming(self) -> bool:
        """Whether samples flow."""
        return self._blocks is not None

    def begin(self) -> None:
        """Send from the first sample on; what a client's start command leads to."""
        self._rest, self.sent, self.ended = None, 0, False
        front = self.prepare(self.feed_info)
        if isinstance(self.feed, Source):
            stage = self.feed.entrance if front is None else self.feed.entrance | front
            self._through, self._blocks = Run(stage, self.feed.info), iter(())
        else:
            self._through = None if front is None else Run(front, self.feed.info)
            self._blocks = self._recorded(self.feed)
            self._rest = next(self._blocks, None)  # whatever has to be designed or read first is done
        self._began = self._clock()

    def halt(self) -> None:
        """Send no more, until `begin`."""
        self._blocks = self._rest = None

    def events_between(self, start: int, stop: int) -> list[tuple[int, str, float]]:
        """Return (sample, label, value) of the recorded events from index `start` to `stop`."""
        if isinstance(self.feed, Source):
            return []
        n = self.feed.n_samples
        out = []
        for turn in range(start // n, (stop - 1) // n + 1) if self.loop else (0,):
            table = self.feed.events.cut(max(0, start - turn * n), min(n, stop - turn * n)).table
            labels = self.feed.event_info.labels
            out += [(int(e["sample"]) + turn * n, labels[int(e["code"])], float(e["value"])) for e in table]
        return out

    # what a subclass writes ---------------------------------------------------------------------
    def prepare(self, info: StreamInfo) -> Stage | None:
        """Return what the feed flows through before it is sent (another rate, other channels), or None."""
        return None

    def _listen(self) -> None:
        """Hear clients, answer commands; never wait."""

    @abc.abstractmethod
    def _send(self, block: Block) -> None:
        """Send samples: float32 or float64 in the unit of `info`; `block.start` is the index of the first."""

    # life ---------------------------------------------------------------------------------------
    def _open(self) -> None:
        if isinstance(self.feed, Source):
            self.feed.open()

    def _close(self) -> None:
        if isinstance(self.feed, Source):
            self.feed.close()

    def _start(self) -> None:
        self.error = None
        if isinstance(self.feed, Source):
            self.feed.start(self._clock)
        if self.threaded:
            self._leave.clear()
            self._thread = Thread(target=self._work, name=f"serve {self.protocol}", daemon=True)
            self._thread.start()

    def _stop(self) -> None:
        self._leave.set()
        if self._thread is not None and self._thread is not current_thread():
            self._thread.join()
            self._thread = None
        self.halt()
        if isinstance(self.feed, Source):
            self.feed.stop()

    def _work(self) -> None:
        while not self._leave.wait(TICK):
            try:
                self.pump()
            except Exception as e:  # reported by whoever waits for the server
                self.error, self.ended = e, True
                self.halt()
                return

    def wait(self, timeout: float | None = None) -> bool:
        """Return when it was stopped, at most `timeout` [s] later: whether it was."""
        return self._leave.wait(timeout)

    def pump(self) -> None:
        """Hear clients and send what is due by the clock; its thread does this, or a test."""
        self._listen()
        if self.streaming:
            for block in self._from_source() if isinstance(self.feed, Source) else self._due():
                self._send(block)
                self.sent += block.n
                if not self.streaming:
                    return

    # samples ------------------------------------------------------------------------------------
    @property
    def _tempo(self) -> float:
        """Samples a second that leave."""
        return float(self.info.rate) * self.speed * (1 + self.drift)

    def _due(self) -> Iterator[Block]:
        due = int((self._clock() - self._began) * 1e-9 * self._tempo)
        if self.seconds is not None:
            due = min(due, round(self.seconds * self.info.rate))
        most = max(1, MOST // self.info.n_channels)
        while self._blocks is not None:
            block = self._rest if self._rest is not None else next(self._blocks, None)
            if block is None:
                self.ended = True
                self.halt()
                return
            n = min(due - block.start, block.n, most)
            if n <= 0:
                self._rest = block
                break
            self._rest = block.cut(n, block.n) if n < block.n else None
            yield block.cut(0, n)
        if self.seconds is not None and due >= round(self.seconds * self.info.rate):
            self.ended = True
            self.halt()

    def _recorded(self, recording: Recording) -> Iterator[Block]:
        size, offset = max(1, min(4096, MOST // self.info.n_channels)), 0
        while True:
            for block in recording.blocks(size):
                whole = Block(block.data, block.start + offset, block.valid)
                out = whole if self._through is None else self._through.push(whole)
                if out.n:
                    yield out
            if not self.loop:
                return
            offset += recording.n_samples

    def _from_source(self) -> Iterator[Block]:
        for packet in self.feed.read(0.0):
            if isinstance(packet, Packet) and self._through is not None:
                out = self._through.push(Block(np.ascontiguousarray(packet.samples), packet.start))
                if out.n:
                    yield out


def servers() -> dict[str, type[DeviceServer]]:
    """Return every server that this room has, by its protocol."""
    from ranvier import twin

    found = [getattr(twin, name) for name in twin.__all__]
    return {c.protocol: c for c in found if isinstance(c, type) and issubclass(c, DeviceServer) and c.protocol}
