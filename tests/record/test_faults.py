"""Planted faults are found, each by its name and amount; a clean recording has none."""

from __future__ import annotations

import numpy as np
import pytest

from ranvier import record


def _noise(n=5000, channels=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, channels)) * 20


def _found(x, rate=250, **options):
    return {(f.channel, f.kind): f for f in record.faults(record.from_array(x, rate), **options)}


@pytest.mark.parametrize("seed", range(5))
def test_a_clean_recording_has_no_fault(seed):
    assert not _found(_noise(seed=seed))


def test_missing_numbers_are_counted():
    x = _noise()
    x[100:137, 2] = np.nan
    x[0, 3] = np.inf
    found = _found(x)
    assert found.keys() == {("ch002", "missing"), ("ch003", "missing")}
    assert (found["ch002", "missing"].amount, found["ch002", "missing"].unit) == (37, "samples")


def test_flat_stretches_are_added_up():
    x = _noise(60000)
    x[100:600, 1] = 3.0
    x[2000:2250, 1] = -1.0
    x[40000:40249, 1] = 5.0  # one sample short of 1 s
    found = _found(x)
    assert found.keys() == {("ch001", "flat")}
    assert found["ch001", "flat"].amount == 750 / 250


def test_a_stretch_across_two_pieces_is_one(monkeypatch):
    from ranvier.record import _faults

    x = _noise()
    x[1000:1900, 4] = 0.0
    whole = _found(x)
    monkeypatch.setattr(_faults, "_CHUNK", 8 * 37)
    assert _found(x) == whole
    assert whole["ch004", "flat"].amount == 900 / 250


def test_a_rail_is_found_at_either_end():
    x = _noise()
    x[:, 5] = np.clip(x[:, 5], -15, 40)
    x[3000:3004, 6] = 500
    found = _found(x)
    low = found["ch005", "rail"]
    runs = np.split(x[:, 5], np.flatnonzero(np.diff(x[:, 5])) + 1)
    assert low.amount == sum(len(r) for r in runs if len(r) >= 3 and r[0] == -15)
    assert found["ch006", "rail"].amount == 4
    assert "500 uV" in found["ch006", "rail"].text


@pytest.mark.parametrize("line", [50, 60])
def test_line_noise(line):
    x = _noise()
    x[:, 3] += 20 * np.sin(2 * np.pi * line * np.arange(len(x)) / 250)
    found = _found(x)
    assert found.keys() == {("ch003", "line noise")}
    assert f"{line} Hz" in found["ch003", "line noise"].text


def test_odd_amplitude():
    x = _noise(channels=16)
    x[:, 7] *= 30
    x[:, 2] /= 30
    assert _found(x).keys() == {("ch007", "amplitude"), ("ch002", "amplitude")}


def test_gaps_are_findings_and_seconds_limit_the_look(tmp_path, writers):
    path = tmp_path / "g.edf"
    rng = np.random.default_rng(1)
    writers["edf"](path, [rng.integers(-9999, 9999, 4000)], [100], onsets=[*range(20), *range(25, 45)])
    rec = record.open(path)
    (gap,) = [f for f in record.faults(rec) if f.kind == "gap"]
    assert (gap.amount, gap.unit) == (5.0, "s")
    assert not record.faults(rec, seconds=10)


def test_trigger_channels_may_rest():
    x = np.zeros((5000, 1))
    x[100] = 1
    assert not record.faults(record.from_array(x, 250, ["STI"], kind="trigger", unit="1"))


def test_a_sample_an_hour_has_no_line_noise():
    assert _found(_noise(50, 2), 1 / 3600) == {}
