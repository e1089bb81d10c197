"""What is where in one part of an `.rvr` recording: its head, journals and notes, read without trusting any of it."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import FormatError
from ranvier.record._rvr_array import Kept
from ranvier.record._rvr_files import is_held
from ranvier.record._rvr_format import END, HEAD, ZARR, Records, numbered, read_sealed
from ranvier.record._rvr_head import Planned, read_streams
from ranvier.record._rvr_log import Note, walk
from ranvier.record._rvr_segment import FRESH, NOTHING, decoded, read_journal, read_torn, sound

TAIL = 1 << 20  # bytes of notes
HELD = 2  # chunks that are kept uncoded


class Part:
    """One part of a recording.

    Parameters
    ----------
    folder
        Of the part.
    partial
        Whether damage of a closed part is told in `faults`; else it is refused.

    Attributes
    ----------
    faults
        What was found wrong, one sentence each.
    """

    def __init__(self, folder: Path, partial: bool = True) -> None:
        self.folder, self.partial, self.faults = folder, partial, list[str]()
        try:
            self.head = read_sealed(folder / HEAD, "head")
        except FormatError as e:
            first = next(self.notes("head"), None)  # the log begins with a copy
            if first is None:
                raise
            self.head = first.payload
            self.fault(f"{e} Its copy in the notes was taken.")
        self.streams: list[Planned] = read_streams(self.head)
        if self.closed:
            self._compare_sizes()

    @property
    def closed(self) -> bool:
        """Whether its writer closed it."""
        return (self.folder / END).exists()

    @cached_property
    def growing(self) -> bool:
        """Whether its writer lives: then whatever it wrote is there, synced or not."""
        return not self.closed and is_held(self.folder / HEAD)

    def _compare_sizes(self) -> None:
        """Find files that are shorter or longer than when the part was closed."""
        try:
            said = read_sealed(self.folder / END, "end")["files"].items()
        except (FormatError, KeyError, AttributeError) as e:
            self.fault(f"{self.folder.name}: {e}")
            return
        for name, size in said:
            path = self.folder / name
            there = path.stat().st_size if path.is_file() else -1
            if there != size:
                found = f"{there} bytes" if there >= 0 else "none"
                self.fault(
                    f"{self.folder.name}/{name} had {size} bytes when the recording was closed; there is {found}."
                )

    def fault(self, what: str) -> None:
        """Remember what is wrong; refuse it where nothing may be wrong."""
        if self.closed and not self.partial:
            raise FormatError(
                f"{self.folder.parent.name} is damaged: {what} Get a fresh copy, or open it with partial=True for what "
                "is whole."
            )
        if what not in self.faults:
            self.faults.append(what)

    def segments(self, kept: Kept) -> list[tuple[int, Path]]:
        """Return number and folder of each segment of an array."""
        return [(int(p.name), p) for p in numbered(self.folder / kept.folder, r"\d{6,9}")]

    def logs(self) -> list[Path]:
        """Return the files of notes."""
        return numbered(self.folder, r"notes-\d{3,6}\.log")

    def notes(self, kind: str = "") -> Iterator[Note]:
        """Yield the notes that are whole, of one kind, or all."""
        after = -1
        for path in self.logs():
            with path.open("rb") as file:
                for found in walk(file, os.fstat(file.fileno()).st_size, after):
                    if found.note is None:
                        self.fault(f"{self.folder.name}/{path.name}: {found.length} bytes at {found.at} are no notes.")
                    else:
                        after = found.note.sequence
                        if kind in ("", found.note.kind):
                            yield found.note

    def last_notes(self) -> list[Note]:
        """Return the last notes: those that are whole in the last `TAIL` bytes."""
        for path in reversed(self.logs()):
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                found = [f.note for f in walk(file, size, begin=max(size - TAIL, 0)) if f.note is not None]
            if found:
                return found
        return []

    def stop(self, kept: Kept) -> int:
        """Return the index behind the last sample of an array."""
        return self.end(kept)[0]

    def end(self, kept: Kept) -> tuple[int, int]:
        """Return the index behind the last sample of an array, and when that was there [ns of the wall clock]."""
        stop = host = 0
        for number, folder in self.segments(kept):
            records, _, _ = read_journal(folder, kept, number)
            stop = max(stop, int((records["first"] + records["n"]).max(initial=0)))
            host = max(host, int(records["host"].max(initial=0)))
        clock = self.head["clock"]
        return stop, host + int(clock["time_ns"]) - int(clock["monotonic_ns"]) if stop else 0


class Index:
    """Where the samples of one array are, over all parts.

    Parameters
    ----------
    arrays
        Each part that has it, and the array there.
    partial
        Whether to look at every chunk at once and leave out those that are damaged; else only at those that no sync
        may have reached.

    Attributes
    ----------
    records
        In order, each behind the one before.
    """

    def __init__(self, arrays: list[tuple[Part, Kept]], partial: bool) -> None:
        self._places: list[tuple[Path, Kept]] = []
        found, places = [], []
        for part, kept in arrays:
            for number, folder in part.segments(kept):
                records = self._sound(part, folder, kept, number, partial)
                if len(records):
                    found.append(records)
                    places.append(np.full(len(records), len(self._places)))
                    self._places.append((folder / kept.shard, kept))
        self.kept = arrays[0][1]
        self.records: Records = np.concatenate(found) if found else np.zeros(0, np.dtype([("first", "<i8")]))
        self._place = np.concatenate(places) if places else np.zeros(0, int)
        if found:
            self._in_order(arrays[-1][0])
        self.first = self.records["first"]
        self.n = self.records["n"].astype(np.int64) if found else np.zeros(0, np.int64)
        self.at = np.cumsum(self.n) - self.n  # samples held before each record
        self._chunks: OrderedDict[tuple[int, int], npt.NDArray[Any]] = OrderedDict()

    def _sound(self, part: Part, folder: Path, kept: Kept, number: int, partial: bool) -> Records:
        where = f"{part.folder.name}/{kept.folder}/{folder.name}"
        records, bad, rest = read_journal(folder, kept, number)
        sealed = (folder / ZARR).exists()
        torn = self._torn(part, folder, where)
        records = records[~np.isin(records["offset"], torn["chunks"])]
        if bad := [k for k in bad if k not in torn["records"]]:
            part.fault(f"{where}: {len(bad)} records of the journal are damaged, the first is number {bad[0]}.")
        if sealed and rest != torn["journal"]:
            part.fault(f"{where}: {rest} bytes at the end of the journal are damaged.")
        safe = sealed or part.growing
        look = records["host"] >= (0 if partial else 2**62 if safe else records["host"].max(initial=0) - FRESH)
        inside = sound(folder, kept, records, look)
        if not inside.all():
            part.fault(
                f"{where}: {int((~inside).sum())} chunks are damaged or cut off, the first begins at sample "
                f"{int(records['first'][~inside][0])}; they are left out."
            )
        found: Records = records[inside]
        return found

    def _torn(self, part: Part, folder: Path, where: str) -> dict[str, Any]:
        """Return what an interrupted writer left unfinished, as far as that was written down."""
        try:
            torn = read_torn(folder)
        except FormatError as e:
            part.fault(f"{where}: {e}")
            return NOTHING
        if torn["chunks"]:
            part.faults.append(
                f"{where}: {len(torn['chunks'])} chunks were not safe yet when its writer was interrupted."
            )
        return torn

    def _in_order(self, part: Part) -> None:
        first, n = self.records["first"], self.records["n"].astype(np.int64)
        before = np.concatenate([[0], np.maximum.accumulate(first + n)[:-1]])
        if (late := first < before).any():
            part.fault(f"{int(late.sum())} stretches begin before the one before has ended; they are left out.")
            self.records, self._place = self.records[~late], self._place[~late]

    @property
    def held(self) -> int:
        """Samples that are there."""
        return int(self.n.sum())

    def stretches(self) -> list[tuple[int, int, int]]:
        """Return (index of the first sample, samples, samples held before) of each stretch without a gap."""
        if not len(self.first):
            return []
        begins = np.ones(len(self.first), bool)
        begins[1:] = self.first[1:] != (self.first + self.n)[:-1]
        at = np.flatnonzero(begins)
        n = np.add.reduceat(self.n, at)
        return list(zip(self.first[at].tolist(), n.tolist(), self.at[at].tolist(), strict=True))

    def read(self, a: int, b: int) -> npt.NDArray[Any]:
        """Return the samples held at places `a` to `b`, as delivered; raises FormatError where one is damaged."""
        out = np.empty((b - a, *self.kept.shape), self.kept.dtype)
        k = int(np.searchsorted(self.at, a, "right")) - 1
        done = a
        while done < b:
            skip = done - int(self.at[k])
            take = min(int(self.n[k]) - skip, b - done)
            row = int(self.records["row"][k]) + skip
            out[done - a : done - a + take] = self.chunk(k)[row : row + take]
            done += take
            k += 1
        return out

    def chunk(self, k: int) -> npt.NDArray[Any]:
        """Return the chunk of a record, uncoded."""
        key = int(self._place[k]), int(self.records["offset"][k])
        if key not in self._chunks:
            path, kept = self._places[key[0]]
            with path.open("rb") as file:
                self._chunks[key] = decoded(file, self.records[k], kept, path)
            while len(self._chunks) > HELD:
                self._chunks.popitem(last=False)
        chunk: npt.NDArray[Any] = self._chunks[key]
        return chunk

    def files(self) -> list[Path]:
        """Return the files that it is read from."""
        return [path for path, _ in self._places]
