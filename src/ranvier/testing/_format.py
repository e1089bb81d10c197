"""check_format: what every opened recording owes, whatever its format."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ranvier.stream import Block, Recording, is_all_valid
from ranvier.testing._compare import need

SIZES = (37, 256, 10_000)
MOST = 200_000  # samples looked at: the first and the last half of it


def check_format(path: str | Path, reference: Recording | None = None, **options: Any) -> None:
    """Raise `ConformanceError` unless a file reads the same in any blocks, twice, and as its reference does.

    Parameters
    ----------
    path
        The file, as for `ranvier.record.open`.
    reference
        The same recording read by something else: every sample, bit for bit, and the description.
    **options
        For `ranvier.record.open`.

    Raises
    ------
    ConformanceError
        What differs, and where.
    """
    from ranvier import record

    first: Any = record.open(path, **options)
    second: Any = record.open(path, **options)
    check_recording(first)
    _same_recording(first, second, "opened again")
    need(first.digest() == second.digest(), f"{path}: opened again, it has another digest")
    if reference is not None:
        _same_recording(first, reference, "against the reference")


def check_recording(rec: Any) -> None:
    """Check one open recording: blocks, segments, events, description."""
    info, digest = rec.info, rec.digest()
    for a, b in _stretches(rec):
        whole = rec.read(a, b)
        need(whole.start == a and whole.n == b - a, f"read({a}, {b}) gave {whole.n} samples from {whole.start}")
        need(
            whole.data.shape[1:] == info.shape and whole.data.dtype == info.dtype,
            f"info says {info.shape} of {info.dtype}; read gave {whole.data.shape[1:]} of {whole.data.dtype}",
        )
        for size in (1, *SIZES):
            stop = min(b, a + 50) if size == 1 else b
            _check_blocks(list(rec.blocks(size, a, stop)), whole.cut(0, stop - a), size)
    places = [(s.start, s.stop) for s in _segments(rec)]
    need(all(a < b for a, b in places) and all(p[1] < q[0] for p, q in pairwise(places)),
         "segments need to be in order, with a gap between each two")  # fmt: skip
    t = rec.events.table
    need(bool(np.all((t["sample"] >= 0) & (t["sample"] < rec.n_samples))), "an event lies outside the signal")
    need(bool(np.all(np.diff(t["sample"]) >= 0)), "events are not in order")
    need(bool(np.all((t["fraction"] >= 0) & (t["fraction"] < 1))), "the fraction of an event is not in [0, 1)")
    need({int(c) for c in t["code"]} <= set(rec.event_info.labels), "an event has a code without a label")
    need(rec.info == info, "info changed while it was read")
    need(rec.digest() == digest, "the digest changed while it was read")


def _segments(rec: Any) -> Sequence[Any]:
    from ranvier.record import Segment

    return getattr(rec, "segments", None) or (Segment(0, rec.n_samples, 0),)


def _stretches(rec: Any) -> list[tuple[int, int]]:
    """Return the segments; of long ones the beginning and the end."""
    out = []
    for s in _segments(rec)[:20]:
        half = MOST // 2
        out += [(s.start, s.stop)] if s.n <= MOST else [(s.start, s.start + half), (s.stop - half, s.stop)]
    return out


def _check_blocks(blocks: list[Block], whole: Block, size: int) -> None:
    at = whole.start
    for block in blocks:
        need(block.start == at, f"blocks({size}): a block starts at {block.start}, not at {at}")
        need(0 < block.n <= size, f"blocks({size}) gave one of {block.n} samples")
        at = block.stop
    need(at == whole.stop, f"blocks({size}) end at {at}, not at {whole.stop}")
    if blocks:
        _same_numbers(np.concatenate([b.data for b in blocks]), whole.data, f"blocks({size}) against read", whole.start)
        same = np.array_equal(np.concatenate([b.valid for b in blocks]), whole.valid)
        need(same or (is_all_valid(whole.valid) and all(b.valid.all() for b in blocks)), f"blocks({size}): other masks")


def _same_numbers(x: Any, y: Any, what: str, start: int) -> None:
    need(x.shape == y.shape, f"{what}: shapes {x.shape} and {y.shape}")
    differ = ~((x == y) | (np.isnan(x) & np.isnan(y)))
    place = np.argwhere(differ)[0] if differ.any() else (0, 0)
    need(not differ.any(), f"{what}: {int(differ.sum())} numbers differ, first at sample {start + int(place[0])}")


def _same_recording(rec: Any, other: Any, what: str) -> None:
    need(rec.n_samples == other.n_samples, f"{what}: {rec.n_samples} and {other.n_samples} samples")
    mine, its = rec.info, other.info
    need((mine.rate, mine.shape, mine.dtype) == (its.rate, its.shape, its.dtype), f"{what}: another rate or shape")
    need((mine.channels.names, mine.channels.units) == (its.channels.names, its.channels.units),
         f"{what}: other channel names or units")  # fmt: skip
    for a, b in _stretches(rec):
        pairs = zip(rec.blocks(SIZES[-1], a, b), other.blocks(SIZES[-1], a, b), strict=True)
        for x, y in pairs:
            need(x.start == y.start, f"{what}: blocks start at {x.start} and {y.start}")
            _same_numbers(x.data, y.data, what, x.start)
    columns = ["sample", "fraction", "duration", "value"]
    need(np.array_equal(rec.events.table[columns], other.events.table[columns]), f"{what}: other events")
    labels = [[r.event_info.labels[int(c)] for c in r.events.table["code"]] for r in (rec, other)]
    need(labels[0] == labels[1], f"{what}: other labels of events")
