"""Bench record: who is timed gave back what it was given, and figures add up. No time is asserted."""

import json

import numpy as np
import pytest

from ranvier.errors import RanvierError
from ranvier.evaluate.bench import Options, markdown, record
from ranvier.evaluate.bench import _record as bench

pytest.importorskip("numcodecs", reason="the extra 'record' is not installed")
pytest.importorskip("google_crc32c", reason="the extra 'record' is not installed")


def test_record_from_end_to_end():
    told: list[str] = []
    found = json.loads(json.dumps(record(Options(channels=64, seconds=0.4, turns=2, peers=()), told.append)))
    delta, raw = found["rows"]
    assert (delta["who"], raw["who"]) == ("ranvier", "ranvier, raw")
    assert delta["ratio"] > 1.6 > 1 > raw["ratio"] > 0.9  # noise as of electrodes becomes smaller; raw, it does not
    assert all(r["mbytes"] > 0 and r["core_percent"] > 0 for r in (delta, raw))
    assert "| 20 | ranvier, raw |" in markdown(found)
    assert any("comparing" in t for t in told)


def test_who_does_not_give_back_what_it_was_given_is_not_timed(tmp_path):
    make, read = bench.OURS["ranvier"]
    x = np.arange(64 * 600, dtype=np.int16).reshape(600, 64)
    bench._check("ranvier", make, read, x, 300)
    with pytest.raises(RanvierError, match="gave something else"):
        bench._check("ranvier", make, lambda folder: read(folder) + 1, x, 300)
