"""check_source and check_codec: what every source and every codec owes, whatever its device."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ranvier.acquire import Mark, Packet, Source
from ranvier.errors import DeviceError, StateError
from ranvier.stage import Run
from ranvier.stream import Block
from ranvier.testing._compare import ConformanceError, need

LATE = 0.5  # [s] that a read may return late on a busy machine


def check_source(
    make: Callable[[], Source],
    *,
    samples: int = 50,
    timeout: float = 10.0,
    pull: Callable[[], None] | None = None,
    plug: Callable[[], None] | None = None,
) -> None:
    """Raise `ConformanceError` unless a source keeps its life cycle, its description and its count.

    The device must be there (one of the servers of `ranvier.twin`, say) and must deliver whenever it is started.

    Parameters
    ----------
    make
        Returns a new source that is not open.
    samples
        How many are read each time.
    timeout
        How long that may take [s].
    pull, plug
        Take the device away while the source runs, and bring it back: `read` must then raise DeviceError, and the same
        source, closed, opened and started again, must count on. Not checked unless given.

    Raises
    ------
    ConformanceError
        What is broken.
    """
    before = set(threading.enumerate())
    source = make()
    for verb in ("stop", "close", "stop", "close"):
        getattr(source, verb)()
    _refused(source, "read", lambda: source.read(0.0))
    _refused(source, "start", source.start)
    _refused(source, "info", lambda: source.info)
    source.open()
    _refused(source, "open", source.open)
    _refused(source, "read", lambda: source.read(0.0))
    source.stop()
    info = source.info
    last, count = _run(source, samples, timeout, -1)
    _stopped_while_reading(source)
    more, _ = _run(source, samples, timeout, last)
    source.close()
    source.close()
    _refused(source, "read", lambda: source.read(0.0))
    source.open()
    need(source.info == info, "opened again, it describes itself otherwise")
    need(sum(source.counters.as_dict().values()) == 0, "opened again, its counters are not 0")
    more, _ = _run(source, samples, timeout, more)
    if pull is not None and plug is not None:
        before |= _pulled(source, samples, timeout, more, pull, plug)
    source.close()
    left = [t.name for t in threading.enumerate() if t not in before]
    need(not left, f"closed, it leaves threads behind: {', '.join(left)}")
    need(count >= samples, "it delivered nothing")


def _refused(source: Source, verb: str, call: Callable[[], Any]) -> None:
    phase = source.phase
    try:
        call()
    except StateError:
        need(source.phase == phase, f"{verb} was refused, yet changed the phase from {phase} to {source.phase}")
        return
    raise ConformanceError(f"{verb} of a source that is {phase} needs to raise StateError; it did not")


def _run(source: Source, samples: int, timeout: float, last: int) -> tuple[int, int]:
    """Start, read and stop twice; return the last index and how many samples came."""
    clock = _Clock()
    before = source.counters.as_dict()
    source.start(clock)
    _refused(source, "start", source.start)
    things = _gather(source, samples, timeout)
    source.stop()
    source.stop()
    _refused(source, "read", lambda: source.read(0.0))
    info, run = source.info, Run(source.entrance, source.info)
    packets = [t for t in things if isinstance(t, Packet)]
    first, jumped = last, 0
    for p in packets:
        got = (p.samples.shape[1:], p.samples.dtype)
        need(got == (info.shape, info.dtype), f"info says {info.shape}, {info.dtype}; a packet has {got[0]}, {got[1]}")
        need(p.samples.flags.c_contiguous and len(p.samples) > 0, "a packet is empty or not contiguous")
        need(p.start > last, f"a packet starts at {p.start}; the one before ended at {last}")
        jumped += p.start - last - 1 if last >= 0 else 0
        last = p.start + len(p.samples) - 1
        need(clock.began <= p.arrival <= clock(), f"an arrival ({p.arrival}) is not of the clock that start was given")
        out = run.push(Block(p.samples, p.start))
        need(bool(np.isfinite(out.data).all()), "its entrance lets through what is not finite")
    for a, b in pairwise(packets):
        need(a.arrival <= b.arrival, "arrivals go back")
    for m in (t for t in things if isinstance(t, Mark)):
        need(first < m.sample <= last + 1, f"a mark lies at {m.sample:g}, outside of what was delivered")
    count = sum(len(p.samples) for p in packets)
    after = source.counters.as_dict()
    need(after["samples"] - before["samples"] >= count, f"it delivered {count} samples and counted fewer")
    need(
        after["lost"] - before["lost"] <= jumped + 1, f"it counted more lost samples than its index left out ({jumped})"
    )
    return last, count


class _Clock:
    """A clock that is nobody else's: host time, and a year."""

    def __init__(self) -> None:
        self.began = self()

    def __call__(self) -> int:
        return time.monotonic_ns() + 365 * 86_400 * 1_000_000_000


def _gather(source: Source, samples: int, timeout: float) -> list[Packet | Mark]:
    things: list[Packet | Mark] = []
    end = time.monotonic() + timeout
    while sum(len(t.samples) for t in things if isinstance(t, Packet)) < samples:
        began = time.monotonic()
        need(began < end, f"it delivered fewer than {samples} samples in {timeout:g} s")
        things += source.read(0.1)
        need(time.monotonic() - began < 0.1 + LATE, f"read(0.1) took {time.monotonic() - began:.2f} s")
    return things


def _stopped_while_reading(source: Source) -> None:
    """Stop it from another thread while this one reads."""
    source.start()
    timer = threading.Timer(0.05, source.stop)
    timer.start()
    end = time.monotonic() + 5.0
    try:
        while time.monotonic() < end:
            source.read(0.2)
    except StateError:
        pass
    timer.join()
    need(source.phase == "open", "stopped from another thread while it was read, it went on")


def _pulled(
    source: Source, samples: int, timeout: float, last: int, pull: Callable[[], None], plug: Callable[[], None]
) -> set[threading.Thread]:
    """Take the device away and bring it back; return the threads that bringing it back began."""
    source.start()
    things = _gather(source, samples, timeout)
    pull()
    end = time.monotonic() + timeout
    try:
        while time.monotonic() < end:
            things += source.read(0.1)
    except DeviceError:
        pass
    else:
        raise ConformanceError(f"its device was taken away, and read raised no DeviceError in {timeout:g} s")
    packets = [t for t in things if isinstance(t, Packet)]
    last = max(last, packets[-1].start + len(packets[-1].samples) - 1)
    source.stop()
    source.close()
    try:
        source.open()
    except DeviceError:
        need(source.phase == "closed", "its device is not there, and it is not closed")
    else:
        raise ConformanceError("its device is not there, and open raised no DeviceError")
    there = set(threading.enumerate())
    plug()
    began = set(threading.enumerate()) - there
    source.open()
    source.start()
    things = _gather(source, samples, timeout)
    begin = next(t.start for t in things if isinstance(t, Packet))
    need(begin > last, f"its device came back, and it counts from {begin}, not on from {last}")
    source.stop()
    return began


def check_codec(make: Callable[[], Any], data: bytes, cuts: Sequence[Sequence[int]] = ()) -> None:
    """Raise `ConformanceError` unless recorded bytes give the same packets, marks and counters however they are cut.

    Parameters
    ----------
    make
        Returns a new codec: ``feed(data) -> list`` of `Packet` and `Mark`, and `counters`.
    data
        What a device sent.
    cuts
        Places at which to cut; byte by byte, in 7, in 1,000 and in two are tried in any case.
    """
    whole = make()
    expected = _things(whole.feed(data))
    half = len(data) // 2
    sizes = [range(0, len(data), n) for n in (1, 7, 1000)]
    for places in ([0], [half], [half + 1], *sizes, *cuts):
        codec, found = make(), []
        edges = sorted({0, len(data), *places})
        for a, b in pairwise(edges):
            found += codec.feed(data[a:b])
        got = _things(found)
        need(got == expected, f"cut into {len(edges) - 1} pieces, it gives other samples or marks")
        need(codec.counters == whole.counters, f"cut into {len(edges) - 1} pieces, it counts otherwise")


def _things(found: Sequence[Packet | Mark]) -> tuple[dict[int, bytes], list[tuple[float, str, float]]]:
    packets = [t for t in found if isinstance(t, Packet)]
    marks = [(t.sample, t.label, t.value) for t in found if isinstance(t, Mark)]
    return {p.start + k: row.tobytes() for p in packets for k, row in enumerate(p.samples)}, marks
