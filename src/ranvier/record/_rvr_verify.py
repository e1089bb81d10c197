"""record.verify: every byte of an `.rvr` recording belongs to something that is sound, or is named."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ranvier.errors import FormatError
from ranvier.record._rvr_array import Kept, group
from ranvier.record._rvr_format import (
    END,
    HEAD,
    JOURNAL,
    SUFFIX,
    WIDTH,
    ZARR,
    Records,
    need_plain,
    parts_of,
    read_sealed,
)
from ranvier.record._rvr_index import Part
from ranvier.record._rvr_log import walk
from ranvier.record._rvr_segment import FRESH, NOTHING, TORN, decoded, described, index_of, read_journal, read_torn


class Place(NamedTuple):
    """Bytes of a file, and what is to be said of them."""

    file: str
    at: int
    length: int
    what: str


@dataclass
class Report:
    """What `verify` found.

    Parameters
    ----------
    path
        The recording.
    bytes
        By what they belong to: ``head``, ``journal``, ``chunks``, ``index``, ``notes``, ``descriptions``, ``torn``.
    damage
        What was sound once and is not.
    torn
        What was never finished: the end of what an interrupted writer wrote, and bytes that belong to nothing.
    streams
        Of each: name, samples, first and last index, gaps (index of the first missing one, how many).
    notes
        How many of each kind.
    closed
        Whether its last writer closed it.
    """

    path: str
    bytes: dict[str, int] = field(default_factory=dict)
    damage: list[Place] = field(default_factory=list)
    torn: list[Place] = field(default_factory=list)
    streams: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    closed: bool = False

    @property
    def clean(self) -> bool:
        """True where nothing is damaged."""
        return not self.damage

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain tables."""
        places = {k: [p._asdict() for p in getattr(self, k)] for k in ("damage", "torn")}
        return {**asdict(self), **places, "clean": self.clean}


def verify(path: str | Path, progress: Callable[[int], None] = lambda _: None) -> Report:
    """Look at every byte of an `.rvr` recording; nothing is changed.

    Parameters
    ----------
    path
        The folder.
    progress
        Is told how many more bytes were looked at.

    Raises
    ------
    FormatError
        It is no such recording at all.
    """
    path = Path(path)
    parts = parts_of(path) if path.is_dir() else []
    if not parts:
        raise FormatError(
            f"verify needs a recording, a folder that ends in {SUFFIX}; got {str(path)!r}. Check the path."
        )
    need_plain(path)
    return _Verifier(path, progress).all_of(parts)


class _Verifier:
    """Goes through the files; those that are left in the end belong to nothing."""

    def __init__(self, path: Path, progress: Callable[[int], None]) -> None:
        self.path, self.report, self._progress = path, Report(str(path)), progress
        self._left = {p for p in path.rglob("*") if p.is_file()}
        self._stretches: dict[str, list[tuple[int, int]]] = {}
        self._closed = True

    def all_of(self, parts: list[Path]) -> Report:
        self._text(self.path / ZARR, group())
        for folder in parts:
            self._part(folder)
        for path in sorted(self._left):
            self._torn(path, 0, path.stat().st_size, "a file that belongs to nothing")
        self._streams()
        self.report.closed = self._closed
        return self.report

    def _count(self, kind: str, n: int) -> None:
        self.report.bytes[kind] = self.report.bytes.get(kind, 0) + n
        self._progress(n)

    def _bad(self, path: Path, at: int, length: int, what: str) -> None:
        self.report.damage.append(Place(path.relative_to(self.path).as_posix(), at, length, what))

    def _torn(self, path: Path, at: int, length: int, what: str) -> None:
        self.report.torn.append(Place(path.relative_to(self.path).as_posix(), at, length, what))
        self._count("torn", length)

    def _text(self, path: Path, wanted: bytes) -> None:
        """Look at a file that can say one thing only."""
        if path not in self._left:
            (self._bad if self._closed else self._torn)(path, 0, 0, "is missing")
            return
        self._left.discard(path)
        size = path.stat().st_size
        with path.open("rb") as file:
            found = file.read(len(wanted) + 1)
        if found != wanted:
            at = next(
                (i for i, (a, b) in enumerate(zip(found, wanted, strict=False)) if a != b), min(len(found), len(wanted))
            )
            self._bad(path, at, max(size - at, 0), "does not say what the journal and the head say")
        self._count("descriptions", size)

    def _part(self, folder: Path) -> None:
        self._closed = (folder / END).exists()
        if not self._closed and not (folder / HEAD).exists() and not any(folder.glob("notes-*")):
            for path in sorted(p for p in self._left if folder in p.parents):
                self._left.discard(path)
                self._torn(path, 0, path.stat().st_size, "its writer was interrupted before it began")
            return
        try:
            part = Part(folder)
        except FormatError as e:
            self._left.discard(folder / HEAD)
            self._bad(folder / HEAD, 0, 0, str(e))
            return
        sealed = (*((folder / HEAD, "head"),), *([(folder / END, "end")] if self._closed else []))
        for path, what in sealed:
            self._left.discard(path)
            try:
                read_sealed(path, what)
            except FormatError as e:
                self._bad(path, 0, path.stat().st_size if path.exists() else 0, str(e))
            self._count("head", path.stat().st_size if path.exists() else 0)
        for fault in part.faults:
            if " bytes when the recording was closed" in fault:
                self._bad(folder / END, 0, 0, fault)
        self._text(folder / ZARR, group())
        stops = {}
        for p in part.streams:
            for role, kept in p.arrays.items():
                self._text(folder / kept.folder / ZARR, group({"stream": p.name}))
                found = self._array(part, kept, {"stream": p.name, "array": kept.folder})
                if role == "samples":
                    self._stretches.setdefault(p.name, []).extend(found)
                    stops[p.name] = found[-1][1] if found else 0
        self._notes(part, folder)
        self._compare_end(folder, stops)

    def _compare_end(self, folder: Path, stops: dict[str, int]) -> None:
        if not self._closed or any(p.file.endswith(END) for p in self.report.damage):
            return
        said = read_sealed(folder / END, "end").get("samples")
        said = said if isinstance(said, dict) else {}
        for name, stop in stops.items():
            if stop and said.get(name) != stop and not any(n.startswith("loss") for n in self.report.notes):
                self._bad(folder / END, 0, 0, f"{name!r} ended at sample {said.get(name)}; {stop} are there")

    def _array(self, part: Part, kept: Kept, attributes: dict[str, Any]) -> list[tuple[int, int]]:
        out: list[tuple[int, int]] = []
        segments = part.segments(kept)
        for before_it, (number, folder) in zip([-1, *[n for n, _ in segments]], segments, strict=False):
            if number != before_it + 1:
                (self._bad if self._closed else self._torn)(folder, 0, 0, "a segment is missing before it")
            records = self._segment(kept, folder, number, attributes)
            before = out[-1][1] if out else 0
            first, stop = records["first"], records["first"] + records["n"]
            if len(first) and (first[0] < before or (first[1:] < stop[:-1]).any()):
                self._bad(folder / JOURNAL, 0, 0, "its samples are not in order")
            out += zip(first.tolist(), stop.tolist(), strict=True)
        return out

    def _segment(self, kept: Kept, folder: Path, number: int, attributes: dict[str, Any]) -> Records:
        journal, shard = folder / JOURNAL, folder / kept.shard
        self._left -= {journal, shard}
        sealed = (folder / ZARR).exists()
        torn = self._torn_list(folder)
        records, bad, rest = read_journal(folder, kept, number)
        # what may be unfinished: where it was written down, else what no sync may have reached
        fresh = 2**62 if sealed else int(records["host"].max(initial=0)) - FRESH
        whole = (journal.stat().st_size if journal.exists() else 0) - rest
        for place in bad:
            late = place in torn["records"] or records["host"][min(place, len(records) - 1)] > fresh
            (self._torn if late else self._bad)(journal, place * WIDTH, WIDTH, "a record that is none")
        self._count("journal", whole - len(bad) * WIDTH)
        if rest:
            self._torn(journal, whole, rest, "behind the last record")
        if sealed and rest != torn["journal"]:
            self._bad(journal, whole, rest, "records that were there are damaged or cut off")
        at = 0
        size = shard.stat().st_size if shard.exists() else 0
        chunks = np.unique(records[["offset", "length"]])
        good = []
        with shard.open("rb") if shard.exists() else open(os.devnull, "rb") as file:
            for offset, length in chunks.tolist():
                own = records[records["offset"] == offset]
                may_be_torn = offset in torn["chunks"] or own["host"].max() > fresh
                try:
                    decoded(file, own[0], kept, shard)
                    good.append(offset)
                except FormatError as e:
                    if may_be_torn:
                        continue  # its bytes are named with those that belong to nothing
                    self._bad(shard, offset, length, str(e))
                if offset > at:
                    self._torn(shard, at, min(offset, size) - at, "between chunks")
                elif offset < at:
                    self._bad(shard, offset, length, "a chunk within another")
                stop = min(offset + length, size)
                self._count("chunks", max(stop - max(offset, at), 0))
                at = max(at, stop)
            end = file.seek(0, 2)
            if sealed:
                records = records[~np.isin(records["offset"], torn["chunks"])]
                count, text = described(kept, records, attributes)
                self._text(folder / ZARR, text)
                index = index_of(records, count)
                file.seek(max(end - len(index), 0))
                if at + len(index) > end or file.read() != index:
                    self._bad(shard, max(end - len(index), at), len(index), "the index of the shard")
                else:
                    self._count("index", len(index))
                    end -= len(index)
        if end > at:
            self._torn(shard, at, end - at, "behind the last chunk")
        return records[np.isin(records["offset"], good)]

    def _torn_list(self, folder: Path) -> dict[str, Any]:
        path = folder / TORN
        try:
            return read_torn(folder)
        except FormatError as e:
            self._bad(path, 0, path.stat().st_size, str(e))
            return NOTHING
        finally:
            if path in self._left:
                self._left.discard(path)
                self._count("descriptions", path.stat().st_size)

    def _notes(self, part: Part, folder: Path) -> None:
        after, missing, torn, last = -1, 0, 0, 0
        holes: list[tuple[Path, int, int, int]] = []  # file, at, length, host time of the note behind it
        for path in part.logs():
            self._left.discard(path)
            with path.open("rb") as file:
                for found in walk(file, path.stat().st_size, after):
                    if found.note is None:
                        holes.append((path, found.at, found.length, 2**62))
                        continue
                    note = found.note
                    holes[-1:] = [(*h[:3], min(h[3], note.host)) for h in holes[-1:]]
                    missing += note.sequence - after - 1
                    after, last = note.sequence, max(last, note.host)
                    self.report.notes[note.kind] = self.report.notes.get(note.kind, 0) + 1
                    self._count("notes", found.length)
        for path, at, length, host in holes:
            late = not self._closed and host > last - FRESH
            torn += late
            (self._torn if late else self._bad)(path, at, length, "bytes that are no notes")
        first = part.logs()[0] if part.logs() else folder
        if missing and not torn and not self.report.notes.get("loss"):
            self._bad(first, 0, 0, f"{missing} notes are missing, by their numbers")
        if self._closed and not any(p.file.endswith(END) for p in self.report.damage):
            said = read_sealed(folder / END, "end").get("notes")
            if said != after + 1:
                self._bad(first, 0, 0, f"there were {said} notes when it was closed; the last is number {after}")

    def _streams(self) -> None:
        for name, found in self._stretches.items():
            merged = list(_merged(found))
            gaps = [[a[1], b[0] - a[1]] for a, b in pairwise(merged)]
            self.report.streams.append({
                "name": name, "samples": sum(b - a for a, b in merged), "first": merged[0][0] if merged else 0,
                "stop": merged[-1][1] if merged else 0, "gaps": gaps,
            })  # fmt: skip


def _merged(found: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join stretches that follow each other."""
    begin, end = None, 0
    for a, b in found:
        if begin is not None and a == end:
            end = b
            continue
        if begin is not None:
            yield begin, end
        begin, end = a, b
    if begin is not None:
        yield begin, end
