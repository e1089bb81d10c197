"""Track: the memory in which a chunk of one array comes together, and the segments that it goes to."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ranvier.record._rvr_array import Kept
from ranvier.record._rvr_files import Files
from ranvier.record._rvr_segment import Segment


class Loss(NamedTuple):
    """Samples that were not written, or may not be: index of the first, of the one behind, and why."""

    first: int
    stop: int
    why: str
    unsure: bool = False


class Track:
    """One array as it is written; never waits for a disk to be in sync.

    Parameters
    ----------
    files, folder, kept
        The disk, the folder of the part, the array.
    period
        From one sample to the next [s]; 0 where they come at events.
    limit
        Bytes of a segment after which the next is begun.
    start
        Least index that the first sample may have.
    """

    def __init__(self, files: Files, folder: Path, kept: Kept, period: float, limit: int, start: int = 0) -> None:
        self._files, self.folder, self.kept = files, folder / kept.folder, kept
        self._period, self._limit, self.stop = period, limit, start
        self._memory = np.zeros((kept.rows, *kept.shape), kept.dtype)
        kept.encode(self._memory)  # whatever is loaded or compiled for it, is so now
        self._fill, self._since = 0, 0
        self._stretches: list[list[float]] = []  # row, first, n, host, device
        self._numbers = 0
        self.segment: Segment | None = None
        self.full: deque[Segment] = deque()  # that whoever syncs may seal
        self.written = self.durable = start  # index behind the last sample that is in a file, or safe there
        self.bytes = 0
        self.losses: deque[Loss] = deque()
        self.lost = 0
        self.doubt: OSError | None = None  # why the segment is not to be gone on with

    def append(self, samples: npt.NDArray[np.generic], start: int, host: int, device: float) -> None:
        """Take samples; write a chunk where that makes one full."""
        memory, rows, n, i = self._memory, self.kept.rows, len(samples), 0
        while i < n:
            fill, stretches = self._fill, self._stretches
            take = min(n - i, rows - fill)
            memory[fill : fill + take] = samples[i : i + take]
            if stretches and start + i == stretches[-1][1] + stretches[-1][2]:
                stretches[-1][2] += take
                stretches[-1][3] = host
            else:
                if not stretches:
                    self._since = host
                stretches.append([fill, start + i, take, host, device + i * self._period])
            self._fill = fill + take
            i += take
            if self._fill == rows:
                self.write()
        self.stop = start + n

    def flush(self, before: int) -> None:
        """Write the chunk that is not full, if its first sample was there before a host time [ns]."""
        if self._fill and self._since <= before:
            self.write()

    def write(self) -> None:
        """Write the chunk as it is; what is missing of it is 0. What the disk refuses is counted as lost."""
        if self.segment is not None and (self.doubt or self.segment.bytes >= self._limit):
            self.full.append(self.segment)
            self.segment, self.doubt = None, None
        self._memory[self._fill :] = 0
        coded = self.kept.encode(self._memory)
        stretches = [(int(r), int(f), int(n), int(h), d) for r, f, n, h, d in self._stretches]
        first, stop = stretches[0][1], stretches[-1][1] + stretches[-1][2]
        self._fill, self._stretches = 0, []
        try:
            if self.segment is None:
                self.segment = Segment(self._files, self.folder, self.kept, self._numbers)
                self._numbers += 1
            self.bytes += self.segment.write(coded, stretches)
            self.written = stop
        except OSError as e:
            self.lost += sum(n for _, _, n, _, _ in stretches)
            self.lose(Loss(first, stop, e.strerror or str(e)))

    def lose(self, loss: Loss) -> None:
        """Remember a loss until it can be written down; what follows one of the same kind makes that longer."""
        last = self.losses[-1] if self.losses else None
        if last and last[2:] == loss[2:]:
            self.losses[-1] = last._replace(stop=loss.stop)
        else:
            self.losses.append(loss)
