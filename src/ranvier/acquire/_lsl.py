"""LSL: a stream of the lab streaming layer, found by name, type, source id, or at a plain address."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from math import isfinite, nan
from typing import Any, ClassVar

import numpy as np

from ranvier.acquire._lsl_find import at_address, discover, need_pylsl, predicate
from ranvier.acquire._source import Counters, Found, Mark, Packet, Source
from ranvier.acquire._units import POTENTIALS, entrance, kind_of, volts_of
from ranvier.errors import ConfigError, DeviceError
from ranvier.stream import Array, Channels, StreamInfo

DTYPES = {"float32": "float32", "double64": "float64", "int32": "int32", "int16": "int16", "int8": "int16"}
SLOW = 2.0  # [s] over which the sender's rate and jitter are followed
OFTEN = 5.0  # [s] between two looks at the offset of the sender's clock


class LslCounter:
    """Counts the samples of a stream that has no counter, and finds in its time stamps what is missing.

    Parameters
    ----------
    rate
        Nominal rate [Hz].
    tolerance
        How far a time stamp may be ahead of its sample before samples are missing [s].

    Notes
    -----
    Samples are counted. How far their time stamps run ahead of the count is followed over 2 s, so that a sender's drift
    (up to 1 %) and jitter change nothing; where a stamp is ahead of that by more than `tolerance`, the whole samples
    in between are lost and the index jumps. What is lost in smaller pieces shows as drift of the clock alone.
    """

    def __init__(self, rate: float, tolerance: float, counters: Counters) -> None:
        self.rate, self.tolerance, self.counters = rate, tolerance, counters
        self._next = 0
        self._zero = nan  # [s] of sample 0
        self._ahead = 0.0  # [s]
        self._arrival = 0
        self._again = False

    def resume(self, counters: Counters) -> None:
        """The stream was begun again: count on behind what was, by the time that passed."""
        self.counters, self._zero, self._ahead, self._again = counters, nan, 0.0, self._arrival > 0

    def take(self, samples: Array, stamps: Array, arrival: int) -> list[Packet]:
        """Return the samples as packets without a jump; the device's time is that of the stamps."""
        if self._again:
            self._again = False
            self._skip(max(0, round((arrival - self._arrival) * 1e-9 * self.rate) - len(samples)))
        if not isfinite(self._zero):
            self._zero = float(stamps[0]) - self._next / self.rate
        out, a = [], 0
        follow = 1 / (SLOW * self.rate)
        first = self._next
        for k in range(len(stamps)):
            ahead = float(stamps[k]) - self._zero - self._next / self.rate
            if ahead - self._ahead > self.tolerance:
                lost = round((ahead - self._ahead) * self.rate)
                if lost > 0:
                    if k > a:
                        out.append(Packet(samples[a:k], first, arrival, float(stamps[a])))
                    self._skip(lost)
                    ahead -= lost / self.rate
                    a, first = k, self._next
            self._ahead += (ahead - self._ahead) * follow
            self._next += 1
        out.append(Packet(samples[a:], first, arrival, float(stamps[a])))
        self._arrival = arrival
        self.counters.packets += 1
        self.counters.samples += len(samples)
        return out

    def _skip(self, lost: int) -> None:
        if lost:
            self._next += lost
            self.counters.gaps += 1
            self.counters.lost += lost


@dataclass(eq=False)
class LSL(Source):
    """A numeric stream of the lab streaming layer (LSL), with a rate.

    Parameters
    ----------
    name, type, source_id
        What the stream says of itself; what is left out may be anything, but one stream alone may fit.
    address
        ``HOST`` or ``HOST:PORT`` of the sender: the stream is asked there, without discovery (multicast and broadcast
        often do not pass hospital and radio networks). Needs TCP to that host alone.
    timeout
        How long to look for it [s].
    unit
        What its numbers are in, where it does not say; uV for potentials unless given.
    tolerance
        How far a time stamp may be ahead of its sample before samples count as lost [s].
    buffer
        How much may wait to be read before the oldest is lost [s].

    Notes
    -----
    Delivers what the stream has (float32, float64, int32, int16; int8 as int16), with the labels, types and units of
    its description; `entrance` brings voltages to uV. LSL has no counter: samples are counted, and gaps found in the
    time stamps (`LslCounter`). `Packet.device` is the sender's time stamp brought to this machine's LSL clock by
    liblsl's measured offset; that clock is ``time.monotonic``. A stream that is gone raises DeviceError; it
    is not waited for behind the scenes. For markers see `LSLMarkers`. Needs the extra ``acquire`` (pylsl).

    References
    ----------
    Kothe et al., The lab streaming layer for synchronized multimodal recording, 2024; liblsl, tcp_server.cpp.
    """

    name: str = ""
    type: str = ""
    source_id: str = ""
    address: str = ""
    timeout: float = 5.0
    unit: str = ""
    tolerance: float = 0.1
    buffer: int = 60

    scheme: ClassVar[str] = "lsl"

    _inlet: Any = field(default=None, init=False, repr=False)
    _count: LslCounter | None = field(default=None, init=False, repr=False)
    _offset: float = field(default=nan, init=False, repr=False)
    _looked: int = field(default=0, init=False, repr=False)
    _found: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not (self.timeout > 0 and self.tolerance > 0 and self.buffer >= 1):
            raise ConfigError(
                f"LSL needs timeout > 0 s, tolerance > 0 s and buffer >= 1 s; got {self.timeout:g}, {self.tolerance:g} "
                f"and {self.buffer}. Leave them out if in doubt."
            )

    @property
    def settings(self) -> dict[str, str]:
        return {**self._found, "clock_offset": f"{self._offset:.9g}"}

    def _asked(self) -> str:
        given = [f"{k}={v}" for k in ("name", "type", "source_id", "address") if (v := getattr(self, k))]
        return ", ".join(given) or "any stream"

    @classmethod
    def nearby(cls, timeout: float) -> list[Found]:
        pylsl = need_pylsl("LSL")
        found = []
        for i in pylsl.resolve_streams(timeout):
            where = f"source_id={i.source_id()}" if i.source_id() else f"name={i.name()}"
            rate = f"{i.nominal_srate():g} Hz" if i.nominal_srate() else "irregular"
            detail = f"{i.type() or 'no type'}, {i.channel_count()} channels, {rate}, at {i.hostname()}"
            found.append(Found(f"lsl:{where}", i.name(), detail))
        return sorted(set(found))

    # life ---------------------------------------------------------------------------------------
    def _open(self) -> None:
        pylsl = need_pylsl("LSL")
        wanted = predicate(self.name, self.type, self.source_id)
        if self.address:
            found = at_address(pylsl, self.address, wanted, self.timeout)
        else:
            found = discover(pylsl, wanted, self.timeout)
        numeric = [i for i in found if i.channel_format() != pylsl.cf_string and i.nominal_srate() > 0]
        if len(numeric) != 1:
            listed = "; ".join(f"{i.name()} ({i.type()}, {i.source_id()}, at {i.hostname()})" for i in numeric or found)
            raise DeviceError(
                f"LSL needs one stream of samples with {self._asked()}; within {self.timeout:g} s it found "
                f"{len(numeric)}{': ' + listed if listed else ''}. "
                + ("Name one by source_id." if numeric else "Start it, see `ranvier sources`, or give address=HOST.")
            )
        self._inlet = pylsl.StreamInlet(numeric[0], self.buffer, recover=False)
        try:
            self._describe(pylsl, self._inlet.info(self.timeout))
        except RuntimeError as e:  # of pylsl: lost, or no answer in time
            raise self._gone(e) from e

    def _describe(self, pylsl: Any, info: Any) -> None:
        n, form = info.channel_count(), pylsl.lib.fmt2string[info.channel_format()]
        if form not in DTYPES:
            raise ConfigError(
                f"LSL needs a stream of {', '.join(DTYPES)}; {info.name()!r} is {form}. Send another format."
            )
        kind = kind_of(info.type(), "misc")
        labels = [c or "" for c in info.get_channel_labels() or [""] * n]
        names = [c if c and labels.count(c) == 1 else f"{c or 'ch'}{i:03d}" for i, c in enumerate(labels)]
        kinds = [kind_of(t or "", kind) for t in info.get_channel_types() or [""] * n]
        said = [u or "" for u in info.get_channel_units() or [""] * n]
        units = [u or self.unit or ("uV" if k in POTENTIALS else "1") for u, k in zip(said, kinds, strict=True)]
        volts = [volts_of(u) for u in units]
        units = ["uV" if v == 1.0 else u for u, v in zip(units, volts, strict=True)]
        rate = Fraction(info.nominal_srate()).limit_denominator(10_000)
        channels = Channels.of(names, kinds, units)
        self._info = StreamInfo.signal(rate, channels, name=info.name() or "LSL", dtype=DTYPES[form])
        after = ["uV" if v is not None else u for u, v in zip(units, volts, strict=True)]
        self._entrance = entrance(channels, [1.0 if v is None else v for v in volts], after, None, 1.0)
        self._found = {
            "name": info.name(), "type": info.type(), "source_id": info.source_id(), "uid": info.uid(),
            "hostname": info.hostname(), "format": form, "lsl_version": str(info.version() / 100),
            "unit": "stated" if all(said) else f"assumed: {', '.join(sorted(set(units)))}",
        }  # fmt: skip
        self._counters = Counters()

    def _start(self) -> None:
        try:
            self._offset = self._inlet.time_correction(self.timeout)
            self._inlet.flush()  # of what came before an earlier stop
            self._inlet.open_stream(self.timeout)
        except RuntimeError as e:  # of pylsl: lost, or no answer in time
            raise self._gone(e) from e
        self._looked = self._clock()
        if self._count is None:
            self._count = LslCounter(float(self.info.rate), self.tolerance, self._counters)
        else:
            self._count.resume(self._counters)

    def _stop(self) -> None:
        inlet = self._inlet
        if inlet is not None:
            inlet.close_stream()

    def _close(self) -> None:
        self._inlet = None

    # samples ------------------------------------------------------------------------------------
    def _read(self, timeout: float) -> list[Packet | Mark]:
        pylsl, inlet, count = need_pylsl("LSL"), self._inlet, self._count
        if inlet is None or count is None:
            return []
        most = max(64, int(self.info.rate))
        try:
            samples, stamps = inlet.pull_chunk(timeout, most, min_samples=1, as_numpy=True)
            now = self._clock()
            if now - self._looked > OFTEN * 1e9:
                self._looked = now
                with suppress(pylsl.util.TimeoutError):  # the last one holds
                    self._offset = inlet.time_correction(0.01)
        except RuntimeError as e:  # of pylsl
            if self._phase != "running":
                return []
            raise self._gone(e) from e
        if not len(stamps):
            return []
        data = np.ascontiguousarray(samples, self.info.dtype)
        return list(count.take(data, np.asarray(stamps, np.float64) + self._offset, now))

    def _gone(self, e: Exception) -> DeviceError:
        return DeviceError(
            f"LSL stream with {self._asked()} is gone: {type(e).__name__}. Check the sender and the network, then "
            "close, open and start it again."
        )
