"""check_format passes real and small files, and catches a reader that errs."""

import json
from pathlib import Path

import numpy as np
import pytest

from ranvier import record
from ranvier.stream import Block
from ranvier.testing import ConformanceError, check_format, check_recording

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture
def small(tmp_path):
    x = np.random.default_rng(5).standard_normal((700, 3)).astype(np.float32)
    path = tmp_path / "a.npz"
    np.savez(path, data=x)
    said = {"schema": 1, "rate": 100, "names": ["a", "b", "c"], "events": [[10, "go"], [600, "stop"]]}
    path.with_suffix(".json").write_text(json.dumps(said))
    return path, x


def test_a_small_file_equals_its_array(small):
    path, x = small
    events = [(10, "go"), (600, "stop")]
    check_format(path, reference=record.from_array(x, 100, ["a", "b", "c"], events=events))


def test_another_number_than_the_reference_is_caught(small):
    path, x = small
    x[123, 1] += 1
    with pytest.raises(ConformanceError, match="first at sample 123"):
        check_format(path, reference=record.from_array(x, 100, ["a", "b", "c"]))


def test_a_real_edf_file_passes():
    found = sorted((SHARED / "formats" / "edf").glob("*.edf"))
    if not found:
        pytest.skip("no EDF file in ../shared/data/formats")
    check_format(min((p for p in found if "Hypnogram" not in p.name), key=lambda p: p.stat().st_size))


class ScalesByBlock(record.ArrayRecording):
    """Each piece that is read is centred by itself."""

    def _load(self, a, b):
        data = super()._load(a, b)
        return data - data.mean(axis=0)


class StartsAtZero(record.ArrayRecording):
    """Its blocks do not know where they are."""

    def blocks(self, size, start=0, stop=None):
        for block in super().blocks(size, start, stop):
            yield Block(block.data, 0, block.valid)


@pytest.mark.parametrize(("broken", "said"), [(ScalesByBlock, "numbers differ"), (StartsAtZero, "starts at 0")])
def test_broken_recordings_are_caught(small, broken, said):
    _, x = small
    rec = record.from_array(x, 100)
    rec.__class__ = broken
    with pytest.raises(ConformanceError, match=said):
        check_recording(rec)
