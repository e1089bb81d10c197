"""Source: a device that delivers samples as they come, with the counter that the device gave them."""

from __future__ import annotations

import abc
from dataclasses import dataclass, fields
from math import nan
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ranvier.errors import StateError
from ranvier.stage import Stage
from ranvier.stream import Array, Device, StreamInfo

if TYPE_CHECKING:
    from typing import Self


class Packet(NamedTuple):
    """Samples that came together.

    Parameters
    ----------
    samples
        ``(n, n_channels)`` as delivered, of the dtype that the source describes; owned by the receiver.
    start
        Index of the first, counted by the device: where samples were lost it jumps forward.
    arrival
        Host time at which the last one was there [ns].
    device
        The device's own clock at the first sample [s]; nan where it has none.
    """

    samples: Array
    start: int
    arrival: int
    device: float = nan


class Mark(NamedTuple):
    """An event that a device reports within its stream (a trigger line, a marker).

    Parameters
    ----------
    sample
        Index of the instant, with its fraction.
    label
        What it is called, such as ``"line 3 on"``.
    value
        Whatever number comes with it.
    arrival
        Host time at which it was there [ns].
    """

    sample: float
    label: str
    value: float
    arrival: int


@dataclass(slots=True)
class Counters:
    """What a codec saw: nothing of it is mended, all of it is told.

    Parameters
    ----------
    packets, samples
        Taken in.
    gaps, lost
        Jumps of the device's counter, and the samples that they left out.
    duplicates, reordered
        Samples that came twice, or after later ones; thrown away.
    damaged
        Packets with a wrong frame, length or check; thrown away.
    skipped
        Bytes thrown away in search of the next packet.
    wraps
        Times that the device's counter began again.
    """

    packets: int = 0
    samples: int = 0
    gaps: int = 0
    lost: int = 0
    duplicates: int = 0
    reordered: int = 0
    damaged: int = 0
    skipped: int = 0
    wraps: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return all of them by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


class Found(NamedTuple):
    """A source that can be reached now.

    Parameters
    ----------
    source
        The text that makes it.
    name
        What it calls itself.
    detail
        What else is known of it, in a few words.
    """

    source: str
    name: str
    detail: str


class Source(Device):
    """A device that delivers samples.

    Who writes one makes a dataclass of plain parameters, says its `scheme`, fills `info` and `entrance` in `_open`,
    and writes `_read`. The index of a sample is the device's own count since `start`, unwrapped; what was lost is left
    out, never filled in.

    Attributes
    ----------
    scheme
        What it is called in ``scheme:where?key=value``.
    info
        What it delivers, in the numbers that it delivers (counts); known once it is open.
    entrance
        The stage that makes of it finite numbers in their unit: `denoise.Integrity` with the rail of the device, then
        `channels.Scale`.
    counters
        What its codec saw.
    """

    scheme: ClassVar[str] = ""

    _info: StreamInfo | None = None
    _entrance: Stage | None = None
    _counters: Counters

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls, *args, **kwargs)
        self._counters = Counters()
        return self

    @classmethod
    def nearby(cls, timeout: float) -> list[Found]:
        """Return what of this kind can be reached, looking at most `timeout` [s].

        Whoever writes a source says here how it is found; no device is opened or changed. Raises MissingExtraError
        where its library is missing.
        """
        return []

    @property
    def info(self) -> StreamInfo:
        if self._info is None:
            raise StateError(f"{type(self).__name__} needs to be open before it is described. Call open first.")
        return self._info

    @property
    def entrance(self) -> Stage:
        if self._entrance is None:
            raise StateError(f"{type(self).__name__} needs to be open before it has an entrance. Call open first.")
        return self._entrance

    @property
    def counters(self) -> Counters:
        """Of its codec, since it was opened."""
        return self._counters

    @property
    def patient(self) -> bool:
        """Whether nothing is lost if nobody reads for a while, however long: a file is, a device is not."""
        return False

    @property
    def tempo(self) -> float:
        """Seconds of signal a second: 1 of every device, something else of a recording that is played faster."""
        return 1.0

    @property
    def settings(self) -> dict[str, str]:
        """What the device says of itself (firmware, gains, filters); goes into the recording."""
        return {}

    def read(self, timeout: float) -> list[Packet | Mark]:
        """Return what has come, waiting at most `timeout` [s] for something.

        Raises
        ------
        StateError
            Where it is not running.
        EOFError
            Where nothing more will come, as at the end of a file.
        DeviceError
            Where the device is gone. It may be closed, opened and started again; its indices then go on behind those
            of before, by the time that passed.
        """
        if self._phase != "running":
            raise StateError(f"{type(self).__name__}.read needs a source that runs; it is {self._phase}. Start it.")
        return self._read(timeout)

    @abc.abstractmethod
    def _read(self, timeout: float) -> list[Packet | Mark]: ...
