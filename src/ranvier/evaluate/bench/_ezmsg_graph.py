"""The implant job up to the crossings as a running ezmsg graph: in its own runtime, all units in one process."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from ranvier.evaluate.bench._carrier import ask, tell
from ranvier.evaluate.bench._ezmsg import _Source


def run_graph(
    control: Connection, path: str, rate: float, block: int, count: int, gain: float, group: int,
    band: tuple[float, float], threshold: float, refractory: int,
) -> None:  # fmt: skip
    """Run until `count` blocks came through, and tell how old each was at the end; the body of a process.

    Parameters
    ----------
    control
        Where to tell it.
    path
        Of a file of samples ``(n, n_channels)``, repeated as often as needed.
    rate, block, gain, group, band, threshold, refractory
        Of the job [Hz, samples, uV, channels, Hz, uV, samples].
    """
    import ezmsg.core as ez
    from ezmsg.event.peak import OutputFormat, ThresholdCrossing, ThresholdSettings
    from ezmsg.sigproc.affinetransform import CommonRereference, CommonRereferenceSettings
    from ezmsg.sigproc.butterworthfilter import ButterworthFilter, ButterworthFilterSettings
    from ezmsg.sigproc.math.scale import Scale, ScaleSettings
    from ezmsg.util.messages.axisarray import AxisArray

    ez.logger.setLevel("WARNING")
    counts = np.load(path, allow_pickle=False).astype(np.float32)  # what else they would do in every block
    message = _Source(rate, counts.shape[1])
    sent, heard = np.zeros(count, np.int64), np.zeros(count, np.int64)
    begin: list[int] = []

    class Source(ez.Unit):  # type: ignore[misc]
        OUTPUT = ez.OutputStream(AxisArray)

        @ez.publisher(OUTPUT)  # type: ignore[untyped-decorator]
        async def send(self) -> Any:
            begin.append(time.monotonic_ns())
            for i in range(count):
                due = begin[0] + round(i * block * 1e9 / rate)
                while (now := time.monotonic_ns()) < due:
                    await asyncio.sleep((due - now) / 1e9)
                at = i * block % len(counts)
                sent[i] = time.monotonic_ns()
                yield self.OUTPUT, message(counts[at : at + block], i * block)

    class Sink(ez.Unit):  # type: ignore[misc]
        INPUT = ez.InputStream(AxisArray)

        @ez.subscriber(INPUT)  # type: ignore[untyped-decorator]
        async def hear(self, got: Any) -> None:
            i = round(got.axes["time"].offset * rate / block)
            heard[i] = time.monotonic_ns()
            if i == count - 1:
                raise ez.NormalTermination

    groups = np.arange(counts.shape[1]).reshape(-1, group).tolist()
    units = {
        "source": Source(),
        "gain": Scale(ScaleSettings(scale=gain)),
        "reference": CommonRereference(CommonRereferenceSettings(mode="mean", axis="ch", channel_groups=groups)),
        "band": ButterworthFilter(ButterworthFilterSettings(order=4, cuton=band[0], cutoff=band[1], coef_type="sos")),
        "crossings": ThresholdCrossing(
            ThresholdSettings(
                threshold=threshold, refrac_dur=(refractory - 0.5) / rate, output_format=OutputFormat.DENSE
            )
        ),
        "sink": Sink(),
    }
    wires = []
    for a, b in pairwise(units):
        out = units[a].OUTPUT if a == "source" else units[a].OUTPUT_SIGNAL
        wires.append((out, units[b].INPUT if b == "sink" else units[b].INPUT_SIGNAL))
    cpu = time.process_time()
    ez.run(components=units, connections=tuple(wires), force_single_process=True, auto_start=True)
    cpu = time.process_time() - cpu
    there = heard > 0
    due = begin[0] + np.rint(np.arange(count) * block * 1e9 / rate).astype(np.int64)
    sent_us, due_us = (((heard - since)[there] / 1e3).tolist() for since in (sent, due))
    tell(
        control, sent_us=sent_us, due_us=due_us, lost=int((~there).sum()), cpu=cpu,
        behind_ms=float((sent - due)[-1]) / 1e6, took=(int(heard.max()) - begin[0]) / 1e9,
    )  # fmt: skip
    ask(control)
