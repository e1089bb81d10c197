"""Recordings that somebody made up: bytes become changes of a small one, mostly with right check values.

Run alone, under atheris: ``python -m tests.fuzz.rvr CORPUS -max_total_time=60``.
"""

import json
import shutil
import sys
import tempfile
import time
from copy import deepcopy
from pathlib import Path

import numpy as np

from ranvier import record
from ranvier.errors import ContractError, FormatError
from ranvier.record import Stored, Writer
from ranvier.record._rvr import RVR
from ranvier.record._rvr_format import RECORD, WIDTH, crc32c, sealed_text, seals
from ranvier.record._rvr_log import HEADER
from ranvier.stream import Block, Channels, StreamInfo

INFO = StreamInfo.signal(400, Channels.of(3, "ecog", "count"), name="raw", dtype="int16")
ODD = (
    0,
    -1,
    1,
    2**31,
    2**32 - 1,
    2**62,
    2**63 - 1,
    -(2**63),
    10**30,
    1e308,
    "",
    "x",
    "../..",
    None,
    True,
    [],
    {},
    [0, 0],
)
LONGEST = 1.0  # s


def make(folder):
    """Write a small recording with everything in it."""
    rng, path = np.random.default_rng(4), folder / "a.rvr"
    power = INFO.but(name="power", dtype=np.dtype("float32"))
    with Writer(path, {}, {"raw": Stored(INFO, 0.5, "uV"), "power": Stored(power, masked=True)}, sync_seconds=0) as w:
        for k in range(0, 60, 15):
            w.append("raw", rng.integers(-999, 999, (15, 3), "int16"), k, k)
            w.append_block("power", Block(rng.random((15, 3), "f4"), k), k)
            w.note("event", "raw", k, k, {"label": "cue"}, {"x": np.arange(3)})
            w.flush(10**9)
    return path


class Bytes:
    """Bytes to take choices from; 0 where there are no more."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def whole(self, below):
        raw = self.data[self.at : self.at + 3]
        self.at += 3
        return int.from_bytes(raw, "little") % below

    def bytes(self, n):
        self.at += n
        return self.data[self.at - n : self.at]


def leaves(value, path=()):
    if isinstance(value, dict | list):
        for k in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[k], (*path, k))
    if path:
        yield path


def change_json(path, what, take):
    said = json.loads(path.read_text())[what]
    for _ in range(1 + take.whole(3)):
        places = list(leaves(said))
        where = places[take.whole(len(places))]
        at = said
        for k in where[:-1]:
            at = at[k]
        at[where[-1]] = deepcopy(ODD[take.whole(len(ODD))])
    path.write_bytes(sealed_text(what, said))


def change_journal(path, take):
    records = np.frombuffer(path.read_bytes(), RECORD).copy()
    for _ in range(1 + take.whole(3)):
        field = RECORD.names[take.whole(len(RECORD.names))]
        raw = np.frombuffer(take.bytes(8).ljust(8, b"\xff"), "u1")
        cell = records[field][take.whole(len(records)) :][:1]
        cell.view("u1")[:] = raw[: cell.itemsize]
    records["own"] = seals(records)
    path.write_bytes(records.tobytes()[: len(records) * WIDTH - take.whole(2) * take.whole(WIDTH)])


def change_chunk(folder, take):
    """Put other bytes into a chunk, all check values right."""
    path, journal = next(folder.glob("c.*")), folder / "journal"
    records, raw = np.frombuffer(journal.read_bytes(), RECORD).copy(), bytearray(path.read_bytes())
    k = take.whole(len(records))
    offset, length = int(records["offset"][k]), int(records["length"][k])
    at, new = take.whole(max(length - 4, 1)), take.bytes(1 + take.whole(20))
    raw[offset + at : offset + at + len(new)] = new
    body = bytes(raw[offset : offset + length - 4])
    raw[offset + length - 4 : offset + length] = crc32c(body).to_bytes(4, "little")
    records["crc"][k] = crc32c(body)
    records["own"] = seals(records)
    path.write_bytes(raw)
    journal.write_bytes(records.tobytes())


def change_notes(path, take):
    text = take.bytes(take.whole(300)) if take.whole(2) else json.dumps(
        {"kind": "event", "stream": "raw", "payload": {"label": ODD[take.whole(len(ODD))]},
         "arrays": [["x", ("f8", "f4", "O", [["a", "u1"]], 7)[take.whole(5)], [ODD[take.whole(9)], take.whole(3)]]]}
    ).encode()  # fmt: skip
    numbers = take.bytes(take.whole(40))
    sizes = (len(text), len(numbers)) if take.whole(3) else (take.whole(2**24) << take.whole(9), len(numbers))
    head = HEADER.pack(
        b"RvNt", sizes[0] % 2**32, sizes[1], crc32c(text + numbers), 5 + take.whole(9), take.whole(99), 0
    )
    with path.open("ab") as file:
        file.write(head + crc32c(head).to_bytes(4, "little") + text + numbers)


def change(path, take):
    part = path / "part-000"
    files = sorted(p for p in path.rglob("*") if p.is_file())
    segments = sorted(p.parent for p in part.rglob("journal"))
    match take.whole(8):
        case 0 | 1:
            change_json(part / "head.json", "head", take)
        case 2:
            change_json(part / "end.json", "end", take)
        case 3:
            change_journal(segments[take.whole(len(segments))] / "journal", take)
        case 4:
            change_chunk(segments[take.whole(len(segments))], take)
        case 5:
            change_notes(part / "notes-000.log", take)
        case 6:
            file = files[take.whole(len(files))]
            raw = bytearray(file.read_bytes())
            at, new = take.whole(len(raw) + 1), take.bytes(take.whole(64))
            raw[at : at + len(new)] = new
            file.write_bytes(raw)
        case 7:
            torn = {"chunks": [take.whole(4000)], "records": [take.whole(9)], "journal": take.whole(200)}
            (segments[take.whole(len(segments))] / "torn.json").write_bytes(sealed_text("torn", torn))
    if take.whole(3) == 0:
        (part / "end.json").unlink(missing_ok=True)


def read(path, partial):
    """Read all there is; what cannot be read is refused in words."""
    try:
        rec = RVR.open(path, partial=partial)
        assert sum(b.n for b in rec.blocks(64)) <= 4000
        for name in rec.streams:
            try:
                for block in rec.output(name):
                    assert block.valid.shape == block.data.shape
            except ContractError:
                pass
        assert len(list(rec.log())) <= 4000
        assert len(rec.events.table) <= 4000
    except FormatError:
        pass


def rvr(data, original, folder):
    """Change a copy of a recording and read it, in less than a second."""
    path = folder / "b.rvr"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(original, path)
    take = Bytes(data)
    for _ in range(1 + take.whole(2)):
        try:
            change(path, take)
        except (OSError, ValueError, LookupError, TypeError):
            break  # the second change does not fit what the first one left
    begin = time.thread_time()
    report = record.verify(path) if (path / "part-000").exists() else None
    assert report is None or report.as_dict()
    for partial in (False, True):
        read(path, partial)
    assert time.thread_time() - begin < LONGEST


def main():
    import atheris

    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        original = make(Path(name))
        atheris.instrument_all()
        atheris.Setup(sys.argv, lambda data: rvr(data, original, Path(name)))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
