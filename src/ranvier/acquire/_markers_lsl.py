"""LSLMarkers: markers of a lab streaming layer stream, with its clock set on ours."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from ranvier.acquire._marker import Marker, MarkerSource
from ranvier.errors import ConfigError, DeviceError, MissingExtraError

AT_ONCE = 256  # markers that one call takes
AGAIN = 2_000_000_000  # how often the offset of the sender's clock is asked for [ns]


@dataclass(eq=False)
class LSLMarkers(MarkerSource):
    """Markers of an LSL stream, by its name, type or source id.

    The sender's stamps count, not the arrival; LSL's estimate of the offset between the clocks is applied, and asked
    for again every two seconds. Numbers become labels as they are written: 7 is ``"7"``.

    Parameters
    ----------
    name, type, source_id
        Of the stream; what is empty may be anything.
    wait
        How long to look for it [s].
    latency, jitter, watermark
        See `MarkerSource` [s].
    """

    scheme: ClassVar[str] = "lsl"

    name: str = ""
    type: str = "Markers"
    source_id: str = ""
    wait: float = 5.0
    latency: float = 0.0
    jitter: float = 0.001
    watermark: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._lsl: Any = None
        self._inlet: Any = None
        given = (self.name, self.type, self.source_id)
        if not any(given) or any("'" in g for g in given) or not 0 < self.wait <= 600:
            raise ConfigError(
                "LSLMarkers needs a name, type or source_id, without quotation marks, and 0 < wait <= 600 s; got "
                f"name={self.name!r}, type={self.type!r}, source_id={self.source_id!r}, wait={self.wait:g} s. "
                "Correct them."
            )

    def _open(self) -> None:
        try:
            import pylsl
        except (ImportError, RuntimeError) as e:  # RuntimeError: the package is there, liblsl is not
            raise MissingExtraError("LSLMarkers", "pylsl", "acquire") from e
        wanted = {"name": self.name, "type": self.type, "source_id": self.source_id}
        query = " and ".join(f"{key}='{text}'" for key, text in wanted.items() if text)
        found = pylsl.resolve_bypred(query, minimum=1, timeout=self.wait)
        if not found:
            raise DeviceError(
                f"LSLMarkers found no stream with {query} within {self.wait:g} s. Start its sender; where they are on "
                "different computers, look at the firewall (UDP port 16571)."
            )
        self._lsl = pylsl
        self._inlet = pylsl.StreamInlet(found[0], max_buflen=60)

    def _start(self) -> None:
        try:
            self._inlet.open_stream(timeout=self.wait)
            self._offset = self._inlet.time_correction(timeout=self.wait)
        except (self._lsl.util.TimeoutError, self._lsl.util.LostError) as e:
            raise DeviceError(
                f"LSLMarkers: the stream does not answer within {self.wait:g} s. Is its sender up?"
            ) from e
        self._asked = self._clock()

    def _stop(self) -> None:
        if self._inlet is not None:
            self._inlet.close_stream()

    def _close(self) -> None:
        self._inlet = None

    def _read(self, timeout: float) -> list[Marker]:
        inlet = self._inlet
        found: list[Marker] = []
        if self._clock() - self._asked > AGAIN:
            self._asked = self._clock()
            with suppress(
                self._lsl.util.TimeoutError, self._lsl.util.LostError
            ):  # the sender is away: the last offset holds
                self._offset = inlet.time_correction(timeout=0.01)
        while len(found) < AT_ONCE:
            try:
                sample, stamp = inlet.pull_sample(timeout=0.0 if found else max(timeout, 0.0))
            except self._lsl.util.LostError as e:
                raise DeviceError("LSLMarkers: the stream is gone. Start its sender again, then open it again.") from e
            if sample is None:
                break
            label, value = _said(sample)
            found.append(self._stamped(label, value, self._lsl.local_clock() - (stamp + self._offset)))
        return found


def _said(sample: list[Any]) -> tuple[str, float]:
    """Return label and value of what an LSL sample holds."""
    texts = [v if isinstance(v, str) else f"{v:g}" for v in sample]
    first = sample[0]
    return " ".join(texts), 0.0 if isinstance(first, str) else float(first)
