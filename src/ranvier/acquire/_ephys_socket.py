"""EphysSocket: matrices over TCP, as Bonsai sends them to the Ephys Socket plugin of Open Ephys."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, final

import numpy as np

from ranvier.acquire._ephys_socket_codec import EphysSocketCodec, Header
from ranvier.acquire._source import Counters, Mark, Packet, Source
from ranvier.errors import DeviceError
from ranvier.stream import Channels, StreamInfo

CHUNK = 1 << 18  # bytes taken from the network at once


@final
@dataclass(eq=False)
class EphysSocket(Source):
    """Matrices over TCP, as Bonsai and others send them to the Ephys Socket plugin of Open Ephys.

    Parameters
    ----------
    host, port
        Where the sender listens.
    rate
        Samples per second [Hz]; the protocol does not say it.
    gain
        One step of the numbers [uV].
    zero
        Number that stands for 0 V.
    kind
        What the channels measure: ``spikes``, ``lfp``, ``eeg`` ...
    timeout
        For connecting, and the longest silence while it runs [s].

    Notes
    -----
    The protocol has no count: index 0 is the first sample after the start, and what the sender left out cannot be seen.
    Where samples must not be lost unseen, use another one.

    References
    ----------
    Open Ephys GUI documentation, Ephys Socket (open-ephys.github.io/gui-docs).
    """

    host: str = "127.0.0.1"
    port: int = 9001
    rate: float = 30_000.0
    gain: float = 0.195
    zero: int = 32768
    kind: str = "spikes"
    timeout: float = 2.0

    scheme: ClassVar[str] = "ephyssocket"

    def __post_init__(self) -> None:
        self._socket: socket.socket | None = None
        self._codec = EphysSocketCodec()
        self._end, self._last, self._heard = 0, 0.0, 0.0

    def _open(self) -> None:
        self._counters = Counters()
        try:
            self._socket = socket.create_connection((self.host, self.port), self.timeout)
        except OSError as e:
            raise DeviceError(
                f"EphysSocket needs a sender at {self.host}:{self.port}; got no connection ({e}). Start it, and check "
                "the address."
            ) from e
        self._codec = EphysSocketCodec(self.zero, rate=self.rate)
        self._heard = time.monotonic()
        while self._codec.first is None:
            self._receive(self.timeout)
        self._describe(self._codec.first)

    def _describe(self, first: Header) -> None:
        from ranvier.acquire._units import entrance  # slow to import

        channels = Channels.of([f"CH{i + 1}" for i in range(first.channels)], self.kind, "count")
        rate = Fraction(self.rate).limit_denominator(10**6)
        self._info = StreamInfo.signal(rate, channels, name="ephyssocket", dtype=self._codec.dtype)
        rail, n = (32767.0 if self._codec.dtype == np.int16 else None), first.channels
        self._entrance = entrance(channels, [self.gain] * n, ["uV"] * n, rail, None)

    def _start(self) -> None:
        if self._socket is None:
            raise DeviceError(f"EphysSocket lost the sender at {self.host}. Close it and open it again.")
        self._heard = end = time.monotonic()
        while time.monotonic() < end + self.timeout and self._receive(0.0):
            pass  # whole matrices from before the start; the codec stays in step
        self._codec.counters = self._counters
        passed = round((time.monotonic() - self._last) * self.rate) if self._end else 0
        self._codec.next = self._end + passed

    def _stop(self) -> None:
        """Nothing to be told: the sender goes on."""

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _read(self, timeout: float) -> list[Packet | Mark]:
        end, out = time.monotonic() + timeout, list[Packet | Mark]()
        while not out and self._phase == "running":
            left = end - time.monotonic()
            packets = self._receive(max(left, 0.0))
            out += packets or []
            if packets:
                self._end, self._last = self._codec.next, self._heard
            if left <= 0:
                break
        return out

    def _receive(self, timeout: float) -> list[Packet] | None:
        """Take what comes within `timeout` [s]; None where nothing came."""
        if self._socket is None:
            return None
        try:
            self._socket.settimeout(timeout)
            data = self._socket.recv(CHUNK)
        except (TimeoutError, BlockingIOError):
            if time.monotonic() - self._heard > self.timeout:
                raise DeviceError(
                    f"EphysSocket needs samples from {self.host}:{self.port}; got none for {self.timeout:g} s. Look "
                    "whether the sender still runs, and at the cable."
                ) from None
            return None
        except OSError as e:
            data, why = b"", str(e)
        else:
            why = "closed by the sender"
        if not data:
            raise DeviceError(f"EphysSocket lost the sender at {self.host}:{self.port} ({why}). Open it again.")
        self._heard = time.monotonic()
        return self._codec.feed(data, self._clock())
