"""An .rvr recording that is flipped, cut short or made up: everything is detected, or confined to one block."""

import io
import os
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rvr_disk import in_memory

from ranvier import record
from ranvier.errors import FormatError
from ranvier.record import Stored, Writer
from ranvier.record._rvr import RVR
from ranvier.record._rvr_log import walk
from ranvier.stream import Block, Channels, StreamInfo

pytest.importorskip("numcodecs", reason="the extra 'record' is not installed")
pytest.importorskip("google_crc32c", reason="the extra 'record' is not installed")

INFO = StreamInfo.signal(400, Channels.of(3, "ecog", "count"), name="raw", dtype="int16")
FEATURE = INFO.but(name="power", dtype=np.dtype("float32"))
ROWS = 20  # samples in a chunk


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A small recording with everything in it, where files are in memory if there is such a place."""
    with in_memory(tmp_path_factory.mktemp("rvr")) as folder:
        yield make(folder)


def make(folder):
    rng = np.random.default_rng(4)
    path, kept = folder / "a.rvr", {"raw": Stored(INFO, 0.5, "uV"), "power": Stored(FEATURE, masked=True)}
    with Writer(path, {"graph": "schema = 1"}, kept, sync_seconds=0, clock=lambda: 5) as w:
        for k in range(0, 120, 15):
            w.append("raw", rng.integers(-999, 999, (15, 3), "int16"), k + 7 * (k >= 60), k)
            w.append_block("power", Block(rng.random((15, 3), "f4"), k, rng.random((15, 3)) < 0.9), k)
            w.note("event", "raw", k, k, {"label": f"cue/{k}"}, {"x": np.arange(3)})
            w.flush(10**9)
    return path


class Reference:
    """What is in the undamaged recording."""

    def __init__(self, path):
        self.raw = {
            (d.start + i, d.samples[i].tobytes())
            for d in open_(path).raw("raw").blocks()
            for i in range(len(d.samples))
        }
        self.scaled = scaled(open_(path))
        self.power = output(open_(path))
        self.notes = [key(n) for n in open_(path).log()]
        self.events = [tuple(e) for e in open_(path).events.table.tolist()]


def open_(path, partial=False):
    return RVR.open(path, stream="raw", partial=partial)


def key(note):
    return (*note[:5], repr(note.payload), [(k, a.tobytes()) for k, a in note.arrays.items()])


def scaled(rec):
    return {(b.start + i, b.data[i].tobytes()) for b in rec.blocks(64) for i in range(b.n)}


def output(rec):
    return {(b.start + i, b.data[i].tobytes(), b.valid[i].tobytes()) for b in rec.output("power") for i in range(b.n)}


def everything(rec, reference):
    """Say what is missing of samples, outputs and notes; fail where anything is there that was never written."""
    got, power, notes = scaled(rec), output(rec), [key(n) for n in rec.log()]
    assert got <= reference.scaled
    assert power <= reference.power
    assert all(n in reference.notes for n in notes)
    return len(reference.scaled - got), len(reference.power - power), len(reference.notes) - len(notes)


def judge(path, reference, most):
    """Check that damage is found by verify, never delivered, and confined."""
    assert not record.verify(path).clean
    try:
        rec = open_(path)
        missing = everything(rec, reference)
        events = [tuple(e) for e in rec.events.table.tolist()]
    except FormatError:
        pass
    else:
        assert missing == (0, 0, 0)
        assert events == reference.events
    if most is None:
        return
    missing = everything(open_(path, True), reference)
    assert missing[0] <= ROWS
    assert missing[1] <= ROWS
    assert missing[2] <= 1
    assert sum(m > 0 for m in missing) <= 1


def files(path):
    return sorted(p for p in path.rglob("*") if p.is_file())


def flip(path, whole_size, bit):
    for file in files(path):
        size = file.stat().st_size
        if bit < 8 * size:
            break
        bit -= 8 * size
    with file.open("r+b") as f:
        f.seek(bit // 8)
        old = f.read(1)
        f.seek(bit // 8)
        f.write(bytes([old[0] ^ 1 << bit % 8]))
        f.seek(bit // 8)
    return file


def flips(path, count, seed):
    reference, size = Reference(path), sum(f.stat().st_size for f in files(path))
    assert record.verify(path).clean
    for bit in np.random.default_rng(seed).integers(0, 8 * size, count).tolist():
        flip(path, size, bit)
        try:
            judge(path, reference, 1)
        except AssertionError as e:
            raise AssertionError(f"bit {bit} of {size} bytes") from e
        finally:
            flip(path, size, bit)
    assert record.verify(path).clean


def cuts(path, every, seed=0):
    reference = Reference(path)
    for file in files(path):
        raw = file.read_bytes()
        for n in range(seed % every, len(raw), every):
            os.truncate(file, n)
            try:
                judge(path, reference, None)
                rec = open_(path, True)
                everything(rec, reference)
            except AssertionError as e:
                raise AssertionError(f"{file.name} cut to {n} of {len(raw)} bytes") from e
            finally:
                file.write_bytes(raw)
    assert record.verify(path).clean


def test_single_bit_flips(whole):
    flips(whole, 200, 1)


@pytest.mark.slow
def test_ten_thousand_single_bit_flips(whole):
    flips(whole, 10_000, 2)


def test_truncation(whole):
    cuts(whole, 59, 3)


@pytest.mark.slow
def test_every_truncation_point(whole):
    cuts(whole, 1)


def test_files_that_are_gone(whole):
    reference = Reference(whole)
    for file in files(whole):
        away = file.with_name("away")
        file.rename(away)
        kept, other = away.read_bytes(), file.name != "end.json"
        away.unlink()
        report = record.verify(whole)
        assert not (report.clean and report.closed), file
        assert report.clean != other, file
        try:
            everything(open_(whole, True), reference)
        except FormatError:
            assert file.name in ("head.json", "notes-000.log")
        file.write_bytes(kept)
    assert record.verify(whole).clean


def test_bytes_that_belong_to_nothing_are_named(whole):
    extra = whole / "part-000" / "stray"
    extra.write_bytes(b"12345")
    report = record.verify(whole)
    extra.unlink()
    assert [(p.file, p.length) for p in report.torn] == [("part-000/stray", 5)]
    assert report.clean


@given(data=st.binary(max_size=400), at=st.floats(0, 1), which=st.integers(0, 50), cut=st.booleans())
def test_anything_in_a_file_is_refused_or_left_out(whole, data, at, which, cut):
    """Whatever is written over a place of a file: the reader ends, and delivers only what was written."""
    reference, file = Reference(whole), files(whole)[which % len(files(whole))]
    raw = file.read_bytes()
    place = int(at * len(raw))
    file.write_bytes(raw[:place] + data + (b"" if cut else raw[place + len(data) :]))
    try:
        record.verify(whole)
        for partial in (False, True):
            with suppress(FormatError):
                everything(open_(whole, partial), reference)
    finally:
        file.write_bytes(raw)


@given(data=st.binary(max_size=300))
def test_notes_are_found_between_anything(whole, data):
    log = (whole / "part-000" / "notes-000.log").read_bytes()
    frames = list(walk(io.BytesIO(log), len(log)))
    at = frames[3].at
    mixed = log[:at] + data + log[at:]
    found = list(walk(io.BytesIO(mixed), len(mixed)))
    assert [key(f.note) for f in found if f.note] == [key(f.note) for f in frames]
    assert sum(f.length for f in found) == len(mixed)
