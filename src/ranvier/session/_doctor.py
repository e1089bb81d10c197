"""doctor: does this machine, with this device and this graph, hold what a session needs; in under ten seconds."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ranvier.acquire import Packet, Source
from ranvier.errors import RanvierError
from ranvier.session._compose import entered, split
from ranvier.session._session import KEPT, Session
from ranvier.stage import Run
from ranvier.stream import Block, StreamInfo

Status = Literal["good", "doubtful", "bad"]
LOOK = 2.5  # s of samples that are looked at
SYNCS = 25  # of one chunk of data each
CHUNK = 0.05  # s of data in one
WRITING = 1.5  # s that writing is measured
TIMES = 3.0  # the part by which writing must exceed what comes
SLEEP = 0.001  # s
LATE = (0.5e-3, 5e-3)  # s after which a timer's p99 is doubtful, bad
SYNC = (0.5, 1.0)  # s: the recording promises to lose no more than the last second
LOAD = (0.5, 0.8)  # part of a core that the graph may take
DRIFT = (2e-4, 5e-3)  # part by which a device's rate may differ from its name's
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    what
        What it is.
    status
        Good, doubtful or bad.
    found, needed
        Figures with units.
    advice
        What to do, if it is not good.
    """

    what: str
    status: Status
    found: str
    needed: str
    advice: str = ""


def doctor(
    session: Session | None = None, folder: Path | None = None, minutes: float = 60.0,
    advance: Callable[[str], None] = lambda _: None,
) -> list[Finding]:  # fmt: skip
    """Examine the machine, and the parts of a session that was not started.

    Parameters
    ----------
    session
        Whose sources, graph and recording are examined; None for the machine alone, at 64 channels of 1 kHz float32.
    folder
        Where a recording would go; the session's, or the present folder.
    minutes
        How long the recording is planned to be [min].
    advance
        Called with the name of what is looked at next.
    """
    asked = folder or (session.record.parent if session and session.record else Path("."))
    where = _existing(asked)
    found: list[Finding] = []
    if not asked.is_dir():
        found.append(Finding(
            what="folder", status="bad", found=f"{asked} is no folder", needed="a folder for the recording",
            advice=f"Make it, or record elsewhere; the disk of {where} was looked at.",
        ))  # fmt: skip
    rate = 64 * 1000 * 4.0  # bytes a second
    if session is not None:
        for name, source in session.sources.items():
            advance(f"source {name}")
            found += list(_source(name, source, session))
        opened = [s for s in session.sources.values() if s.phase != "closed"]
        rate = sum(float(s.info.rate) * s.info.n_channels * s.info.dtype.itemsize for s in opened) or rate
        advance("graph")
        if session.graph is not None and len(opened) == len(session.sources):
            found += list(_graph(session))
        for source in session.sources.values():
            source.close()
    advance("timer")
    found += list(_timer())
    found += list(_memory(rate))
    advance("disk")
    found += list(_disk(where, rate, minutes))
    return found


def _judge(value: float, limits: tuple[float, float]) -> Status:
    return "good" if value <= limits[0] else "doubtful" if value <= limits[1] else "bad"


def _timer() -> Iterator[Finding]:
    late = np.empty(300)
    for i in range(len(late)):
        begin = time.perf_counter()
        time.sleep(SLEEP)
        late[i] = time.perf_counter() - begin - SLEEP
    p50, p99 = np.quantile(late, [0.5, 0.99])
    yield Finding(
        what="timer", status=_judge(float(p99), LATE),
        found=f"late by {p50 * 1e6:.0f} us (p50), {p99 * 1e6:.0f} us (p99)",
        needed=f"p99 up to {LATE[0] * 1e6:.0f} us",
        advice="Close other programs; use [host] realtime = true and a core of its own, if permitted.",
    )  # fmt: skip


def _memory(rate: float) -> Iterator[Finding]:
    needed = 2 * KEPT * rate + 64 * MIB
    free = _available()
    if free is not None:
        yield Finding(
            what="memory for rings", status="good" if free > 2 * needed else "doubtful" if free > needed else "bad",
            found=f"{free / MIB:,.0f} MiB available", needed=f"{2 * needed / MIB:,.0f} MiB",
            advice="Close other programs, or record fewer channels.",
        )  # fmt: skip


def _available() -> float | None:
    try:
        with open("/proc/meminfo") as file:
            fields = dict(line.split(":", 1) for line in file)
        return float(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _disk(folder: Path, rate: float, minutes: float) -> Iterator[Finding]:
    free, wanted = shutil.disk_usage(folder).free, rate * minutes * 60
    yield Finding(
        what="free space", status="good" if free > 1.2 * wanted else "bad", found=f"{free / 1e9:,.1f} GB",
        needed=f"{1.2 * wanted / 1e9:,.1f} GB for {minutes:g} min uncompressed",
        advice="Free space, or record to another disk.",
    )  # fmt: skip
    chunk = os.urandom(min(max(int(rate * CHUNK), 4096), 8 * MIB))
    syncs, written, began = [], 0, time.perf_counter()
    handle, name = tempfile.mkstemp(dir=folder, prefix=".ranvier-doctor-")
    sync = getattr(os, "fdatasync", os.fsync)
    try:
        for _ in range(SYNCS):
            written += os.write(handle, chunk)
            begin = time.perf_counter()
            sync(handle)
            syncs.append(time.perf_counter() - begin)
            if time.perf_counter() - began > WRITING:
                break
        big, total, began = os.urandom(4 * MIB), 0, time.perf_counter()
        while total < min(64 * MIB, free // 4) and time.perf_counter() - began < WRITING:
            total += os.write(handle, big)
        sync(handle)
        speed = total / (time.perf_counter() - began)
    finally:
        os.close(handle)
        os.unlink(name)
    p99 = float(np.quantile(syncs, 0.99))
    yield Finding(
        what="sync to disk", status=_judge(p99, SYNC), found=f"p99 {p99 * 1e3:.1f} ms of {len(syncs)}",
        needed=f"p99 up to {SYNC[0] * 1e3:.0f} ms",
        advice="Record to a local disk; network drives and full ones are slow.",
    )  # fmt: skip
    yield Finding(
        what="sustained write", status="good" if speed >= TIMES * rate else "bad", found=f"{speed / 1e6:,.0f} MB/s",
        needed=f"{TIMES * rate / 1e6:,.1f} MB/s, {TIMES:g} times what comes", advice="Record to a faster disk.",
    )  # fmt: skip


def _source(name: str, source: Source, session: Session) -> Iterator[Finding]:
    """Open a source and look at what comes."""
    from ranvier.acquire import ClockFitter

    try:
        source.open()
        source.start()
    except (RanvierError, OSError) as e:
        yield Finding(what=f"source {name}", status="bad", found=str(e), needed="a device that answers",
                      advice="Check power, cable and address; ranvier sources lists what can be found.")  # fmt: skip
        return
    packets, clock, until = [], ClockFitter(source.info.rate), time.monotonic() + LOOK
    fit, error = None, ""
    try:
        while time.monotonic() < until:
            for packet in source.read(0.1):
                if isinstance(packet, Packet):
                    packets.append(packet)
                    fit = clock.feed(packet.start + len(packet.samples), packet.arrival) or fit
    except EOFError:
        pass
    except (RanvierError, OSError) as e:
        error = str(e)
    source.stop()
    info, n = source.info, sum(len(p.samples) for p in packets)
    expected = LOOK * float(info.rate)
    yield Finding(
        what=f"source {name}", status="good" if n > 0.8 * expected else "doubtful" if n else "bad",
        found=error or f"{n} samples of {info.n_channels} channels in {LOOK:g} s",
        needed=f"{expected:.0f} samples at {float(info.rate):g} Hz",
        advice="Is it streaming? Its rate may be set to another value than it says.",
    )  # fmt: skip
    if n:
        yield from _stream(name, source, packets, fit)


def _stream(name: str, source: Source, packets: Sequence[Packet], fit: Any) -> Iterator[Finding]:
    counters = source.counters
    lost = counters.lost + counters.damaged + counters.reordered
    yield Finding(
        what=f"counter of {name}", status="good" if not lost else "bad",
        found=f"{counters.lost} samples lost, {counters.damaged} packets damaged, {counters.reordered} out of order",
        needed="none", advice="Move the receiver nearer, use another port or cable.",
    )  # fmt: skip
    if fit is not None:
        off = abs(1 / fit.period / float(source.info.rate) - 1)
        doubt = fit.uncertainty / LOOK
        yield Finding(
            what=f"clock of {name}", status=_judge(max(off - 2 * doubt, 0), DRIFT),
            found=f"{1 / fit.period:.4g} Hz against the host, within {100 * doubt:.2g} %",
            needed=f"within {100 * DRIFT[0]:.2g} % of {float(source.info.rate):g} Hz",
            advice="The device's rate is not the one it says; times of events will drift. Check its setting.",
        )  # fmt: skip
    run = Run(source.entrance, source.info)
    blocks = [run.push(Block(p.samples, p.start)) for p in packets]
    data = np.concatenate([b.data for b in blocks])
    valid = np.concatenate([b.valid for b in blocks])
    channels = source.info.channels
    judged = [i for i, k in enumerate(channels.kinds) if k not in ("trigger", "misc", "motion", "feature")]
    still = [channels.names[i] for i in judged if valid[:, i].any() and np.ptp(data[valid[:, i], i]) == 0]
    gone = [channels.names[i] for i in judged if valid[:, i].mean() < 0.9]
    for what, names, why in (("flat channels", still, "electrode off or not connected"),
                             ("railing or missing", gone, "electrode off, gel, or gain too high")):  # fmt: skip
        yield Finding(
            what=f"{what} of {name}", status="good" if not names else "doubtful" if len(names) < len(judged) else "bad",
            found=", ".join(names[:8]) + (f" ... ({len(names)})" if len(names) > 8 else "") or "none", needed="none",
            advice=f"Check them: {why}. The graph treats them as invalid where it marks them.",
        )  # fmt: skip


def _graph(session: Session) -> Iterator[Finding]:
    """Run the graph dry, on noise in blocks of one millisecond or one sample."""
    if session.graph is None:
        return
    sources = list(session.sources.values())
    try:
        decider, _ = split(session.graph)
        whole = entered([s.entrance for s in sources], decider)
        if len(sources) > 1 or len(whole.inputs) > 1:
            whole.describe(*[s.info for s in sources])
            return
        run = Run(whole, sources[0].info, cores=session.cores)
    except RanvierError as e:
        yield Finding(what="graph", status="bad", found=str(e), needed="a graph that fits its sources",
                      advice="Train it on recordings of this device, or pick and resample before it.")  # fmt: skip
        return
    took, block = _dry(run, sources[0].info)
    length = block / float(sources[0].info.rate)
    p50, p99 = np.quantile(took, [0.5, 0.99])
    yield Finding(
        what="graph", status=_judge(float(np.mean(took)) / length, LOAD),
        found=f"{p50 * 1e6:.0f} us (p50), {p99 * 1e6:.0f} us (p99) a block of {length * 1e3:g} ms; "
        f"{100 * np.mean(took) / length:.0f} % of a core",
        needed=f"up to {100 * LOAD[0]:.0f} % of a core", advice="Fewer channels, longer hops, or [host] cores = 2.",
    )  # fmt: skip


def _dry(run: Run, info: StreamInfo) -> tuple[np.ndarray[Any, Any], int]:
    block = max(1, round(float(info.rate) / 1000))
    rng = np.random.default_rng(1)
    noise = (100 * rng.standard_normal((block, info.n_channels))).astype(info.dtype)
    took: list[float] = []
    until, k = time.perf_counter() + 1.0, 0
    while time.perf_counter() < until or len(took) < 20:
        begin = time.perf_counter()
        run.step(Block(noise, k * block))
        took.append(time.perf_counter() - begin)
        k += 1
    return np.array(took[len(took) // 10 :]), block


def _existing(folder: Path) -> Path:
    folder = folder.resolve()
    while not folder.is_dir():
        folder = folder.parent
    return folder
