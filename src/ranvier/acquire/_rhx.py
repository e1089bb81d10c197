"""IntanRHX: amplifiers of Intan Technologies, through the TCP ports of the RHX software."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, final

import numpy as np

from ranvier.acquire._rhx_codec import FRAMES, RhxCodec
from ranvier.acquire._rhx_commands import QUIET, Remote, Word, enabled, wanted
from ranvier.acquire._source import Counters, Mark, Packet, Source
from ranvier.errors import DeviceError
from ranvier.stream import Channels, StreamInfo

FLAT = 1.0  # [s] for which a living amplifier never repeats one value
RAIL = 32767.0  # counts at which an amplifier is at its end
CHUNK = 1 << 18  # bytes taken from the network at once
KINDS = {"aux": "misc", "analog": "misc", "digital": "trigger"}
FILTERS = ("desiredlowerbandwidthhertz", "desiredupperbandwidthhertz", "notchfilterfreqhertz")


@final
@dataclass(eq=False)
class IntanRHX(Source):
    """Amplifiers of Intan Technologies (RHD, RHS), through the TCP ports of the RHX software.

    Parameters
    ----------
    host
        Where RHX runs.
    port, waveform
        Its command port and its waveform port; None for the one behind the command port (5001).
    channels
        What to record, such as ``A-000..A-031,ANALOG-IN-1,DIGITAL-IN-01``; empty for what is switched on in RHX.
    bands
        Bands of the amplifiers: ``wide``, ``low``, ``high``, or several with commas.
    kind
        What the amplifiers measure: ``spikes``, ``ecog``, ``emg`` ...
    timeout
        For connecting, for each answer, and the longest silence while it runs [s]; a silence is never shorter than
        three blocks.

    Notes
    -----
    Delivers int16 counts in blocks of 128 samples: amplifiers in steps of 0.195 uV, analog inputs in 312.5 uV about 0 V
    (USB interface board: 50.354 uV about 1.65 V), auxiliary inputs in 37.4 uV about 1.2255 V; the last channel,
    ``DIGITAL-IN``, has the digital inputs as bits (line 16 is the sign), and each change of a line is a mark. RHX must
    be stopped or running, not recording to disk; it is stopped when the source stops. Auxiliary inputs are taken from
    one port only: nobody has published where those of several ports stand in a frame.

    References
    ----------
    Intan Technologies, RHX TCP control, and its example clients (intantech.com/RHX_software.html).
    """

    host: str = "127.0.0.1"
    port: int = 5000
    waveform: int | None = None
    channels: str = ""
    bands: str = "wide"
    kind: str = "spikes"
    timeout: float = 2.0

    scheme: ClassVar[str] = "rhx"

    def __post_init__(self) -> None:
        self._remote: Remote | None = None
        self._socket: socket.socket | None = None
        self._codec = RhxCodec(1)
        self._words: list[Word] = []
        self._settings: dict[str, str] = {}
        self._lines = -1  # word of the digital inputs at the newest sample
        self._end, self._last = 0, 0.0  # index behind the newest sample, and when it came [s]
        self._heard = 0.0

    @property
    def _port(self) -> int:
        return self.port + 1 if self.waveform is None else self.waveform

    @property
    def settings(self) -> dict[str, str]:
        return dict(self._settings)

    # life ---------------------------------------------------------------------------------------
    def _open(self) -> None:
        self._counters = Counters()
        remote = self._remote = Remote(self.host, self.port, self.timeout)
        mode = remote.ask("runmode")
        if mode.lower() == "run":
            remote.put("runmode", "stop")
        elif mode.lower() != "stop":
            raise DeviceError(
                f"IntanRHX needs RHX at {remote.where} to be stopped or running; its mode is {mode}. Stop it."
            )
        controller = remote.ask("type")
        rate = self._rate(remote.ask("sampleratehertz"))
        self._socket = self._connect(remote)
        self._words = self._switch(remote, controller)
        self._describe(rate)
        self._settings = {"controller": controller, "rate": f"{float(rate):g} Hz"}
        for name in FILTERS:
            if (value := self._maybe(remote, name)) is not None:
                self._settings[name] = value

    def _start(self) -> None:
        if self._remote is None or self._socket is None:
            raise DeviceError(f"IntanRHX lost RHX at {self.host}. Close it and open it again.")
        self._remote.put("runmode", "stop")
        self._socket.settimeout(QUIET)
        end = time.monotonic() + self.timeout
        try:
            while time.monotonic() < end and self._socket.recv(CHUNK):
                pass  # what was on its way when it was stopped: its timestamps are those of the run before
        except TimeoutError:
            pass
        except OSError as e:
            raise DeviceError(f"IntanRHX lost the waveform port at {self.host}:{self._port} ({e}).") from e
        rate = float(self.info.rate)
        passed = round((time.monotonic() - self._last) * rate) if self._end else 0
        n = sum(w.what != "digital" for w in self._words)
        digital = n < len(self._words)
        self._codec = RhxCodec(
            n + digital, rate=rate, digital=digital, counters=self._counters, base=self._end + passed
        )
        self._lines, self._heard = -1, time.monotonic()
        self._remote.put("runmode", "run")

    def _stop(self) -> None:
        if self._remote is not None:
            with suppress(DeviceError):  # where it is gone, nothing is left to be stopped
                self._remote.tell("set runmode stop")

    def _close(self) -> None:
        for thing in (self._socket, self._remote):
            if thing is not None:
                thing.close()
        self._socket = self._remote = None

    # data ---------------------------------------------------------------------------------------
    def _read(self, timeout: float) -> list[Packet | Mark]:
        port, end = self._socket, time.monotonic() + timeout
        out: list[Packet | Mark] = []
        while not out and port is not None:
            try:
                port.settimeout(max(end - time.monotonic(), 0.0))
                data = port.recv(CHUNK)
            except (TimeoutError, BlockingIOError):
                silence = max(self.timeout, 3 * FRAMES / float(self.info.rate))
                if time.monotonic() - self._heard > silence:
                    raise DeviceError(
                        f"IntanRHX needs samples from {self.host}:{self._port}; got none for {silence:g} s. "
                        "Look whether RHX still runs, and at the cable."
                    ) from None
                break
            except OSError as e:
                data, why = b"", str(e)
            else:
                why = "closed by RHX"
            if not data:
                if self._phase != "running":
                    break
                raise DeviceError(
                    f"IntanRHX lost the waveform port at {self.host}:{self._port} ({why}). Open it again."
                )
            now, self._heard = self._clock(), time.monotonic()
            for packet in self._codec.feed(data, now):
                out.append(packet)
                out += self._marks(packet)
                self._end, self._last = packet.start + len(packet.samples), self._heard
            if self._codec.restarted and not out:
                raise DeviceError(f"IntanRHX needs one run; RHX at {self.host} began to count anew. Start it again.")
        return out

    def _marks(self, packet: Packet) -> list[Mark]:
        """Return a mark for each line of the digital inputs that changed."""
        if not self._words or self._words[-1].what != "digital":
            return []
        words = packet.samples[:, -1].view(np.uint16).astype(np.int64)
        before = np.r_[words[:1] if self._lines < 0 else self._lines, words[:-1]]
        self._lines = int(words[-1])
        out = []
        for k in np.flatnonzero(words != before):
            changed = int(words[k] ^ before[k])
            for line in range(16):
                if changed >> line & 1:
                    on = int(words[k]) >> line & 1
                    label = f"line {line + 1} {'on' if on else 'off'}"
                    out.append(Mark(float(packet.start + k), label, float(on), packet.arrival))
        return out

    # opening ------------------------------------------------------------------------------------
    @staticmethod
    def _rate(text: str) -> Fraction:
        try:
            rate = Fraction(text)
        except (ValueError, ZeroDivisionError):
            rate = Fraction(0)
        if not 0 < rate <= 10**6:
            raise DeviceError(f"IntanRHX needs a sample rate from RHX; got {text[:40]!r}. Look at RHX's window.")
        return rate

    @staticmethod
    def _maybe(remote: Remote, name: str) -> str | None:
        try:
            return remote.ask(name)
        except DeviceError as e:
            if isinstance(e.__cause__, OSError):
                raise
            return None

    def _connect(self, remote: Remote) -> socket.socket:
        """Reach the waveform port; where it is closed, ask RHX once to open it."""
        for attempt in (1, 2):
            try:
                return socket.create_connection((self.host, self._port), self.timeout)
            except OSError as e:
                if attempt == 2:
                    raise DeviceError(
                        f"IntanRHX needs the waveform port of RHX at {self.host}:{self._port}; got no connection "
                        f"({e}). Press Connect in RHX under Network, Remote TCP Control, Data Output."
                    ) from e
                remote.put("tcpwaveformdataoutputport", str(self._port))
                remote.tell("execute connecttcpwaveformdataoutput")
                remote.ask("runmode")  # answered after what was told before
        raise AssertionError  # the second attempt returns or raises

    def _switch(self, remote: Remote, controller: str) -> list[Word]:
        """Switch on what is wanted, or find out what is on."""
        if self.channels:
            words = wanted(self.channels, self.bands, controller)
            remote.tell("execute clearalldataoutputs")
            for word in words:
                remote.put(word.parameter, "true")
        else:
            words = enabled(remote, controller)
        if not words:
            raise DeviceError(
                f"IntanRHX needs channels; none are switched on in RHX at {remote.where}. Name them "
                "(channels='A-000..A-031'), or switch on their TCP output in RHX."
            )
        ports = {w.name[0] for w in words if w.what in ("amplifier", "aux")}
        if len(ports) > 1 and any(w.what == "aux" for w in words):
            raise DeviceError(
                f"IntanRHX takes auxiliary inputs from one port only; got ports {', '.join(sorted(ports))}. Leave out "
                "the auxiliary inputs, or the other ports."
            )
        return words

    def _describe(self, rate: Fraction) -> None:
        from ranvier.acquire._units import entrance  # slow to import

        words = [w for w in self._words if w.what != "digital"]
        names, gains = [w.name for w in words], [w.gain for w in words]
        kinds = [KINDS.get(w.what, self.kind) for w in words]
        groups = [w.name[0] if w.what in ("amplifier", "aux") else "" for w in words]
        if len(words) < len(self._words):
            names, gains = [*names, "DIGITAL-IN"], [*gains, 1.0]
            kinds, groups = [*kinds, "trigger"], [*groups, ""]
        channels = Channels.of(names, kinds, "count", groups=groups)
        self._info = StreamInfo.signal(rate, channels, name="rhx", dtype=np.int16)
        units = ["1" if kind == "trigger" else "uV" for kind in kinds]
        self._entrance = entrance(channels, gains, units, RAIL, FLAT)
