"""Segment: a file of chunks with its journal while it grows; `seal` makes a Zarr shard of it, also after a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import FormatError
from ranvier.record._rvr_array import OVERHEAD, Kept
from ranvier.record._rvr_files import Files
from ranvier.record._rvr_format import (
    JOURNAL,
    MAGIC,
    RECORD,
    SEGMENT,
    WIDTH,
    ZARR,
    Records,
    crc32c,
    read_sealed,
    sealed_record,
    sealed_text,
    seals,
)

MOST = 1 << 22  # records of a journal that are read: 256 MiB, years of chunks
FRESH = 10_000_000_000  # ns before the last chunk in which no sync may have reached it
TORN = "torn.json"
NOTHING: dict[str, Any] = {"chunks": [], "records": [], "journal": 0}
NONE = 2**64 - 1  # in a shard's index: no such chunk


class Segment:
    """A segment that grows.

    Parameters
    ----------
    files
        The disk.
    folder
        Of the array; there.
    kept
        The array.
    number
        Of the segment.
    """

    def __init__(self, files: Files, folder: Path, kept: Kept, number: int) -> None:
        self.folder, self.number, self.kept = folder / SEGMENT.format(number), number, kept
        self._files, self.failed, self.named = files, False, False
        self.bytes = self.records = self.chunks = 0
        files.make_folder(self.folder)
        self._data = files.open(self.folder / kept.shard)
        try:
            self._journal = files.open(self.folder / JOURNAL)
        except OSError:
            files.close(self._data)
            raise

    def write(self, coded: bytes, stretches: list[tuple[int, int, int, int, float]]) -> int:
        """Append a chunk and its records, or raise OSError and be as before; return the bytes.

        Parameters
        ----------
        coded
            The chunk.
        stretches
            (row, first, n, host, device) of each.
        """
        crc, length = crc32c(coded), len(coded) + 4
        records = b"".join(
            sealed_record(
                self.kept.index, self.number, self.chunks, row, n, length, first, self.bytes, host, device, crc
            )
            for row, first, n, host, device in stretches
        )
        self._files.write(self._data, coded, self.bytes)
        self._files.write(self._data, crc.to_bytes(4, "little"), self.bytes + len(coded))
        self._files.write(self._journal, records, self.records * WIDTH)
        self.bytes += length
        self.records += len(stretches)
        self.chunks += 1
        return length + len(records)

    def sync(self) -> None:
        """Return when everything written before this call would survive a power cut."""
        self._files.sync(self._data)
        self._files.sync(self._journal)
        if not self.named:
            self._files.sync_folder(self.folder)
            self._files.sync_folder(self.folder.parent)
            self.named = True

    def close(self) -> None:
        """Let go of the files."""
        self._files.close(self._data)
        self._files.close(self._journal)


def read_journal(folder: Path, kept: Kept, number: int) -> tuple[Records, list[int], int]:
    """Return the records of a segment that are whole and make sense, the places of those that are not, and the rest.

    Returns
    -------
    Good records in their order; places of bad ones before the last good one; bytes behind the last good one.
    """
    try:
        with (folder / JOURNAL).open("rb") as file:
            raw = file.read(MOST * WIDTH)
    except OSError:
        raw = b""
    found = np.frombuffer(raw, RECORD, len(raw) // WIDTH)
    good = (found["own"] == seals(found)) & (found["magic"] == MAGIC)
    good &= (found["array"] == kept.index) & (found["segment"] == number)
    rows = found["row"].astype(np.int64) + found["n"]
    good &= (found["n"] > 0) & (rows <= kept.rows) & (found["length"] > 4) & (found["first"] >= 0)
    good &= (found["first"] < 2**62) & (found["offset"] < 2**62) & (found["chunk"] <= np.arange(len(found)))
    places = np.flatnonzero(good)
    last = int(places[-1]) + 1 if len(places) else 0
    return found[good], np.flatnonzero(~good[:last]).tolist(), len(raw) - last * WIDTH


def index_of(records: Records, chunks: int) -> bytes:
    """Return the index of a shard: where each chunk is, with a check value."""
    index = np.full((chunks, 2), NONE, "<u8")
    index[records["chunk"], 0] = records["offset"]
    index[records["chunk"], 1] = records["length"]
    raw = index.tobytes()
    return raw + crc32c(raw).to_bytes(4, "little")


def described(kept: Kept, records: Records, attributes: dict[str, Any]) -> tuple[int, bytes]:
    """Return how many chunks a shard has, and what its ``zarr.json`` says."""
    chunks = int(records["chunk"].max()) + 1 if len(records) else 0
    rows = records["chunk"].astype(np.int64) * kept.rows + records["row"]
    samples = int((rows + records["n"]).max(initial=0))
    begins = np.ones(len(records), bool)  # a stretch goes on where both row and sample do
    begins[1:] = (rows[1:] != (rows + records["n"])[:-1]) | (np.diff(rows - records["first"]) != 0)
    at = np.flatnonzero(begins)
    n = np.add.reduceat(records["n"].astype(np.int64), at) if len(at) else at
    stretches = np.stack([rows[at], records["first"][at], n], axis=1).tolist()
    said = {"ranvier": {**attributes, "stretches": stretches, "stretch": "row, first sample, samples"}}
    return chunks, kept.zarr(chunks, samples, said)


def seal(
    files: Files, folder: Path, kept: Kept, number: int, attributes: dict[str, Any], crashed: bool = False
) -> None:
    """Make a Zarr array of a segment that nobody writes to: append the index of its shard, describe it.

    What an interrupted writer left unfinished stays where it is, and is listed. A segment that is sealed is left alone.
    """
    if (folder / ZARR).exists():
        return
    records, bad, rest = read_journal(folder, kept, number)
    if crashed:
        whole = sound(folder, kept, records, records["host"] >= records["host"].max(initial=0) - FRESH)
        torn = {"chunks": np.unique(records["offset"][~whole]).tolist(), "records": bad, "journal": rest}
        if torn != NOTHING:
            files.put(folder / TORN, sealed_text("torn", torn))
        records = records[whole]
    chunks, text = described(kept, records, attributes)
    file = files.open(folder / kept.shard)
    try:
        files.write(file, index_of(records, chunks), (folder / kept.shard).stat().st_size)
        files.sync(file)
    finally:
        files.close(file)
    files.put(folder / ZARR, text)


def read_torn(folder: Path) -> dict[str, Any]:
    """Return what was unfinished when a segment was sealed after a crash, or raise FormatError."""
    if not (folder / TORN).exists():
        return NOTHING
    found = read_sealed(folder / TORN, "torn")
    lists = [found.get("chunks"), found.get("records"), [found.get("journal")]]
    if not all(isinstance(v, list) and all(isinstance(n, int) and 0 <= n < 2**62 for n in v) for v in lists):
        raise FormatError(f"{folder.name}/{TORN} does not list what is torn.")
    return found


def sound(folder: Path, kept: Kept, records: Records, look: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Say of each record whether its chunk lies in the file and, where asked for, agrees with its check values."""
    path = folder / kept.shard
    size = path.stat().st_size if path.exists() else 0
    good = (records["offset"] + records["length"] <= size) & (records["length"] <= kept.nbytes + OVERHEAD)
    if (look & good).any():
        with path.open("rb") as file:
            for k in np.flatnonzero(look & good):
                try:
                    decoded(file, records[k], kept, path)
                except FormatError:
                    good[k] = False
    found: npt.NDArray[np.bool_] = good
    return found


def decoded(file: Any, record: Any, kept: Kept, path: Path) -> npt.NDArray[Any]:
    """Return the chunk of a record, uncoded, or raise FormatError."""
    offset, length = int(record["offset"]), int(record["length"])
    file.seek(offset)
    coded = file.read(length)
    try:
        if len(coded) != length:
            raise FormatError(f"it needs {length} bytes; there are {len(coded)}")
        return kept.decode(coded, int(record["crc"]))
    except FormatError as e:
        raise FormatError(
            f"{'/'.join(path.parts[-4:])}: the chunk at byte {offset}, samples {int(record['first'])} to "
            f"{int(record['first']) + int(record['n'])}, is damaged: {e}. Open the recording with "
            "partial=True to leave it out."
        ) from None
