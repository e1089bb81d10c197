"""LSLServer: a recording as streams of the lab streaming layer, one of samples and one of markers."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ranvier.errors import ConfigError, MissingExtraError
from ranvier.stream import Block
from ranvier.twin._server import DeviceServer

TYPES = {"eeg": "EEG", "ecog": "ECoG", "emg": "EMG", "ecg": "ECG", "eog": "EOG", "lfp": "LFP"}


@dataclass(eq=False)
class LSLServer(DeviceServer):
    """Serve a recording as an LSL stream, and its events as a stream of markers beside it.

    Parameters
    ----------
    feed, speed, loop, seconds, drift
        As for `DeviceServer`.
    name
        Of the stream; the markers are called ``name markers``.
    dtype
        Of its samples: float32 or float64 (double64).
    wait_for_inlet
        Begin when the first inlet reads the samples, not at once.
    seen
        How far outlets announce themselves: this machine, or the network as liblsl is configured. Where the process has
        used LSL before, or has set its own configuration, that stays in force. Connections are not encrypted.

    Notes
    -----
    Time stamps are the instants at which samples are due, on the LSL clock: the beginning plus a whole number of
    periods, gaps of the recording left out. Invalid samples are NaN. The stated rate is that of the recording times
    `speed`, whatever `drift` is. A marker bears the time stamp of its sample.
    """

    name: str = "Ranvier"
    dtype: str = "float32"
    wait_for_inlet: bool = True
    seen: str = "machine"

    protocol: ClassVar[str] = "lsl"
    _outlet: Any = field(default=None, init=False, repr=False)
    _markers: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dtype not in ("float32", "float64") or self.seen not in ("machine", "network") or not self.name:
            raise ConfigError(
                f"LSLServer needs a name, dtype float32 or float64 and seen machine or network; got {self.name!r}, "
                f"{self.dtype!r} and {self.seen!r}. Mend them."
            )
        self._zero = 0.0

    @property
    def where(self) -> str:
        return f"name={self.name}"

    def _open(self) -> None:
        super()._open()
        try:
            import pylsl
        except (ImportError, RuntimeError, OSError) as e:
            raise MissingExtraError("LSLServer", "pylsl", "acquire") from e
        if self.seen == "machine" and hasattr(pylsl, "set_config_content"):
            pylsl.set_config_content("[multicast]\nResolveScope = machine\n[log]\nlevel = -2\n")
        info = self.feed_info
        rate = float(info.rate) * self.speed
        kind = TYPES.get(info.channels.kinds[0], "EEG")
        form = {"float32": "float32", "float64": "double64"}[self.dtype]
        stream = pylsl.StreamInfo(self.name, kind, info.n_channels, rate, form, f"ranvier-{self.name}")
        stream.set_channel_labels(list(info.channels.names))
        stream.set_channel_types([k.upper() for k in info.channels.kinds])
        stream.set_channel_units(["microvolts" if u == "uV" else u for u in info.channels.units])
        self._outlet = pylsl.StreamOutlet(stream)
        marks = pylsl.StreamInfo(f"{self.name} markers", "Markers", 1, 0, "string", f"ranvier-{self.name}-markers")
        self._markers = pylsl.StreamOutlet(marks)

    def _close(self) -> None:
        self._outlet = self._markers = None
        super()._close()

    def _listen(self) -> None:
        if not self.streaming and not self.ended and (not self.wait_for_inlet or self._outlet.have_consumers()):
            self.begin()
            self._zero = time.monotonic()  # the LSL clock of this machine
            self._next_event = 0

    def _send(self, block: Block) -> None:
        data = block.data.astype(self.dtype)
        data[~block.valid] = np.nan
        stamps = self._zero + (np.arange(block.start, block.stop) + 1) / self._tempo
        self._outlet.push_chunk(data, stamps.tolist())
        for sample, label, _ in self.events_between(self._next_event, block.stop):
            self._markers.push_sample([label], self._zero + (sample + 1) / self._tempo)
        self._next_event = block.stop
