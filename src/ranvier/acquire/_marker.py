"""MarkerSource: a device that tells of instants instead of samples."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from ranvier.errors import ConfigError, StateError
from ranvier.stage import build_dataclass, devices_in, from_text, split_text
from ranvier.stream import Device


class Marker(NamedTuple):
    """An event of an experiment, as its source sent it.

    Parameters
    ----------
    host_ns
        When it happened: host time [ns], the source's latency taken off.
    label
        What it is called.
    value
        Whatever number comes with it.
    arrival_ns
        Host time at which it was there [ns].
    """

    host_ns: int
    label: str
    value: float
    arrival_ns: int


class MarkerSource(Device):
    """A device that sends markers.

    Who writes one makes a dataclass of plain parameters, `latency`, `jitter` and `watermark` among them, says its
    `scheme`, and writes `_read`, which stamps what came with its arrival when it takes it: a marker that a later call
    returns has a later arrival.

    Attributes
    ----------
    latency
        From the event to the stamp that its marker gets, as calibrated (with a photodiode, a microphone) [s].
    jitter
        One standard deviation of that [s].
    watermark
        How long after the event its marker may still come [s]; later ones are kept, and marked late.
    damaged
        Messages that were no markers, since it was opened; thrown away.
    """

    scheme: ClassVar[str] = ""

    latency: float
    jitter: float
    watermark: float

    def __post_init__(self) -> None:
        self.damaged = 0
        if not (abs(self.latency) <= 10 and 0 <= self.jitter <= 10 and max(self.latency, 0) < self.watermark <= 60):
            raise ConfigError(
                f"{type(self).__name__} needs |latency| <= 10 s, 0 <= jitter <= 10 s and latency < watermark <= 60 s; "
                f"got {self.latency:g} s, {self.jitter:g} s and {self.watermark:g} s. Correct them."
            )

    def read(self, timeout: float) -> list[Marker]:
        """Return the markers that have come, waiting at most `timeout` [s] for one.

        Raises
        ------
        StateError
            Where it is not running.
        DeviceError
            Where it is gone.
        """
        if self._phase != "running":
            raise StateError(f"{type(self).__name__}.read needs a source that runs; it is {self._phase}. Start it.")
        return self._read(timeout)

    def _stamped(self, label: str, value: float, age: float = 0.0, now: int | None = None) -> Marker:
        """Make a marker that came now (or at host time `now` [ns]) and tells of what was `age` [s] before."""
        now = self._clock() if now is None else now
        return Marker(now - round((age + self.latency) * 1e9), label, value, now)

    @abc.abstractmethod
    def _read(self, timeout: float) -> list[Marker]: ...


def marker_source(given: str | Mapping[str, Any], where: str = "markers") -> MarkerSource:
    """Return the source of markers that a text or a table means; it is not opened.

    Parameters
    ----------
    given
        ``udp:127.0.0.1:5006?latency=0.01``, ``lsl:name=Cues``, ``keyboard``; or a table with `use` (``udp``, ``lsl``,
        ``keyboard``) and its parameters.
    where
        What it is called in errors, such as the key of a session file.

    Raises
    ------
    ConfigError
        For an unknown scheme, key or value; the message names those that are known.

    Examples
    --------
    >>> marker_source("udp:127.0.0.1:5006?latency=0.01").latency
    0.01
    """
    known = devices_in("acquire", MarkerSource)
    scheme, rest = split_text(given) if isinstance(given, str) else (given.get("use"), None)
    if not isinstance(scheme, str) or scheme not in known:
        raise ConfigError(
            f"{where} needs one of {', '.join(sorted(known))}; got {given!r}. Write it like udp:127.0.0.1:5006, "
            "lsl:name=Cues or keyboard."
        )
    if isinstance(given, str):
        made = from_text(known[scheme], rest or "", f"{where} {scheme}")
    else:
        made = build_dataclass(known[scheme], {k: v for k, v in given.items() if k != "use"}, where)
    return made  # type: ignore[no-any-return]
