"""An .rvr recording whose writer is killed at any moment: it opens as it is, and nothing durable is missing."""

import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rvr_disk import in_memory
from rvr_kill import BLOCK, KEPT, RATE, values

from ranvier import record
from ranvier.record import Writer

pytest.importorskip("numcodecs", reason="the extra 'record' is not installed")
pytest.importorskip("google_crc32c", reason="the extra 'record' is not installed")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

PATIENCE = 60  # s


@pytest.fixture
def folder(tmp_path):
    with in_memory(tmp_path) as made:
        yield made


@pytest.fixture
def mother(folder):
    """A process that makes children which write until they die."""
    script = Path(__file__).with_name("rvr_kill.py")
    made = subprocess.Popen(
        [sys.executable, str(script), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield made
    made.stdin.close()
    made.wait(PATIENCE)
    made.stdout.close()


def kill_one(mother, folder, seed):
    """Let a child write and die; return what it had appended, and what it had called durable."""
    status = folder / f"{seed}.status"
    status.write_bytes(bytes(24))
    mother.stdin.write(f"{seed}\n")
    mother.stdin.flush()
    number = int(mother.stdout.readline())
    if seed % 2 == 0:  # the others kill themselves, in the midst of a call to the disk
        wanted, until = int(np.random.default_rng(seed).integers(BLOCK, 3 * RATE)), time.monotonic() + PATIENCE
        while struct.unpack("<qqq", status.read_bytes())[0] < wanted:
            assert time.monotonic() < until
            os.sched_yield()
        os.kill(number, signal.SIGKILL)
    assert mother.stdout.readline() == "dead\n"
    return struct.unpack("<qqq", status.read_bytes())


def judge(folder, seed, appended, durable, notes):
    path = folder / f"{seed}.rvr"
    if not (path / "part-000" / "head.json").exists():
        assert appended == 0  # it died before there was anything to open
        return 0
    rec = record.open(path)
    there = rec.n_samples
    assert len(rec.segments) == 1
    assert appended - there <= 0.1 * RATE
    assert there >= durable
    got = np.concatenate([values(0, 0), *(d.samples for d in rec.raw("raw").blocks())])
    np.testing.assert_array_equal(got, values(0, there))
    found = list(rec.log())
    assert [n.sequence for n in found] == list(range(len(found)))
    assert len(found) >= notes
    assert record.verify(path).clean
    with Writer(path, {}, KEPT, resume=True, sync_seconds=0) as w:
        assert w.stops["raw"] == there
        w.note("gap", "raw", there, payload={"missing": 500})
        w.append("raw", values(there + 500, 40), there + 500, 0)
    again = record.open(path)
    assert [(s.start, s.n) for s in again.segments if s.n] == ([(0, there)] if there else []) + [(there + 500, 40)]
    report = record.verify(path)
    assert report.clean
    assert sum(report.bytes.values()) == sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return there


def kill_many(mother, folder, seeds):
    lengths = []
    for seed in seeds:
        lengths.append(judge(folder, seed, *kill_one(mother, folder, seed)))
        shutil.rmtree(folder / f"{seed}.rvr", ignore_errors=True)
    return lengths


def test_a_killed_writer(mother, folder):
    lengths = kill_many(mother, folder, range(20))
    assert sum(n > 0 for n in lengths) > 10, lengths


@pytest.mark.slow
def test_a_writer_killed_five_hundred_times(mother, folder):
    lengths = kill_many(mother, folder, range(1000, 1500))
    assert sum(n > 0 for n in lengths) > 300
