"""Events: a chunk of things at instants, with a watermark that says how far it is complete."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.stream._info import EventInfo

EVENT = np.dtype(
    [
        ("sample", np.int64),  # index of the instant
        ("fraction", np.float32),  # what lies between it and the next sample, 0 <= fraction < 1
        ("duration", np.float32),  # [samples]
        ("code", np.int32),  # its label is EventInfo.labels[code]
        ("value", np.float32),  # amplitude, pressure, whatever the source says
        ("source", np.int32),  # its sender is EventInfo.sources[source]
        ("uncertainty", np.float32),  # of the instant [s]
    ]
)


class Events:
    """A chunk of events; it covers ``[start, stop)`` even when empty.

    Parameters
    ----------
    start, stop
        Range of samples that this chunk covers. `stop` is the watermark: nothing earlier will come
        live; what does is recorded as late.
    table
        Structured array of dtype `EVENT`, ordered by time, then source.
    """

    __slots__ = ("start", "stop", "table")

    def __init__(self, start: int, stop: int, table: npt.NDArray[Any] | None = None) -> None:
        self.start = start
        self.stop = stop
        self.table = np.empty(0, EVENT) if table is None else table

    @classmethod
    def at(
        cls, samples: Sequence[int], codes: Sequence[int] | int = 0, *, start: int = 0, stop: int | None = None
    ) -> Events:
        """Make events from sample indices and codes."""
        table = np.zeros(len(samples), EVENT)
        table["sample"] = samples
        table["code"] = codes
        table = table[np.argsort(table["sample"], kind="stable")]
        end = stop if stop is not None else (int(table["sample"][-1]) + 1 if len(table) else start)
        return cls(start, end, table)

    @property
    def n(self) -> int:
        return len(self.table)

    def cut(self, start: int, stop: int) -> Events:
        """Return the events with ``start <= sample < stop``."""
        a, b = np.searchsorted(self.table["sample"], [start, stop])
        return Events(start, stop, self.table[a:b])

    def copy(self) -> Events:
        """Return events that own their memory."""
        return Events(self.start, self.stop, self.table.copy())

    def __repr__(self) -> str:
        return f"Events({self.n} in [{self.start}, {self.stop}))"


def codes_of(info: EventInfo, patterns: str | Sequence[str]) -> list[int]:
    """Return the codes whose label fits one of `patterns` (globs)."""
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    return [c for c, label in info.labels.items() if any(fnmatchcase(label, p) for p in wanted)]


def merge_events(parts: list[Events]) -> Events:
    """Join chunks that follow each other."""
    return Events(parts[0].start, parts[-1].stop, np.concatenate([p.table for p in parts]))


Chunk = Any  # Block | Events, checked at the ports
