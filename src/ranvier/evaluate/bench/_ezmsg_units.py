"""Units of the ezmsg graph: what sends, what hears, and between them the implant job up to the crossings.

Import it only where ezmsg is installed: its units must stand in a module, so that other processes find them.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import ezmsg.core as ez
import numpy as np
from ezmsg.event.peak import OutputFormat, ThresholdCrossing, ThresholdSettings
from ezmsg.sigproc.affinetransform import CommonRereference, CommonRereferenceSettings
from ezmsg.sigproc.butterworthfilter import ButterworthFilter, ButterworthFilterSettings
from ezmsg.sigproc.math.scale import Scale, ScaleSettings
from ezmsg.util.messages.axisarray import AxisArray

from ranvier.evaluate.bench._ezmsg import _Source


class Ends(ez.Settings):  # type: ignore[misc]
    """What the first and the last unit need: samples, their rate [Hz] and kind, samples a block, blocks, a folder."""

    path: str
    rate: float
    dtype: str
    block: int
    count: int
    folder: str


class Send(ez.Unit):  # type: ignore[misc]
    """Sends blocks on the grid of their samples, and keeps when it began and when each went off."""

    SETTINGS = Ends  # type: ignore[assignment]
    OUTPUT = ez.OutputStream(AxisArray)

    @ez.publisher(OUTPUT)  # type: ignore[untyped-decorator]
    async def send(self) -> Any:
        """Send them all."""
        s = self.SETTINGS
        counts = np.load(s.path, allow_pickle=False).astype(s.dtype)
        message = _Source(s.rate, counts.shape[1])
        self.times = np.zeros(s.count + 1, np.int64)
        begin = self.times[0] = time.monotonic_ns()
        for i in range(s.count):
            due = begin + round(i * s.block * 1e9 / s.rate)
            while (now := time.monotonic_ns()) < due:
                await asyncio.sleep((due - now) / 1e9)
            at = i * s.block % len(counts)
            self.times[i + 1] = time.monotonic_ns()
            yield self.OUTPUT, message(counts[at : at + s.block], i * s.block)

    async def shutdown(self) -> None:
        """Leave the times where they are looked for."""
        np.save(Path(self.SETTINGS.folder) / "sent.npy", self.times, allow_pickle=False)


class Pass(ez.Unit):  # type: ignore[misc]
    """Passes every block on as it is."""

    INPUT_SIGNAL = ez.InputStream(AxisArray)
    OUTPUT_SIGNAL = ez.OutputStream(AxisArray)

    @ez.subscriber(INPUT_SIGNAL)  # type: ignore[untyped-decorator]
    @ez.publisher(OUTPUT_SIGNAL)  # type: ignore[untyped-decorator]
    async def go(self, got: Any) -> Any:
        """Pass it on."""
        yield self.OUTPUT_SIGNAL, got


class Hear(ez.Unit):  # type: ignore[misc]
    """Keeps when each block came, 0 for those that did not, and ends the graph with the last."""

    SETTINGS = Ends  # type: ignore[assignment]
    INPUT = ez.InputStream(AxisArray)

    async def initialize(self) -> None:
        """Nothing came yet."""
        self.times = np.zeros(self.SETTINGS.count, np.int64)

    @ez.subscriber(INPUT)  # type: ignore[untyped-decorator]
    async def hear(self, got: Any) -> None:
        """Look at the clock."""
        i = round(got.axes["time"].offset * self.SETTINGS.rate / self.SETTINGS.block)
        self.times[i] = time.monotonic_ns()
        if i == self.SETTINGS.count - 1:
            raise ez.NormalTermination

    async def shutdown(self) -> None:
        """Leave the times where they are looked for."""
        np.save(Path(self.SETTINGS.folder) / "heard.npy", self.times, allow_pickle=False)


def units_between(
    rate: float, gain: float, groups: list[list[int]], band: tuple[float, float], threshold: float, refractory: int
) -> dict[str, Any]:
    """Return the units of the job in the order of the data."""
    return {
        "gain": Scale(ScaleSettings(scale=gain)),
        "reference": CommonRereference(CommonRereferenceSettings(mode="mean", axis="ch", channel_groups=groups)),
        "band": ButterworthFilter(ButterworthFilterSettings(order=4, cuton=band[0], cutoff=band[1], coef_type="sos")),
        "crossings": ThresholdCrossing(
            ThresholdSettings(
                threshold=threshold, refrac_dur=(refractory - 0.5) / rate, output_format=OutputFormat.DENSE
            )
        ),
    }
