"""The reader of .rvr recordings under made-up ones for as long as one likes: RANVIER_FUZZ_SECONDS, 60 unless given."""

import os
import random
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.rvr import make, rvr

pytest.importorskip("numcodecs", reason="the extra 'record' is not installed")
pytest.importorskip("google_crc32c", reason="the extra 'record' is not installed")


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as name:
        yield make(Path(name)), Path(name)


@given(st.binary(min_size=12, max_size=300))
@example(b"")
def test_made_up_recordings_are_refused_or_read(place, data):
    rvr(data, *place)


@pytest.mark.slow
def test_made_up_recordings_for_long(place):
    rng, end, done = (
        random.Random(int(os.environ.get("RANVIER_FUZZ_SEED", "1"))),
        time.monotonic() + float(os.environ.get("RANVIER_FUZZ_SECONDS", "60")),
        0,
    )
    while time.monotonic() < end:
        data = rng.randbytes(rng.randrange(12, 300))
        try:
            rvr(data, *place)
        except Exception as e:
            raise AssertionError(f"after {done} recordings: {data.hex()}") from e
        done += 1
    assert done > 20
