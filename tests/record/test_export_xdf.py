"""Exports to XDF, read back by pyxdf and by ourselves."""

import numpy as np
import pytest
from exported import example, gappy

from ranvier import record
from ranvier.record import export

pyxdf = pytest.importorskip("pyxdf", reason="pyxdf is not installed (extra record)")


def load(path):
    found, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    return {s["info"]["name"][0]: s for s in found}


def test_samples_stamps_and_events_come_back(tmp_path):
    rec = example()
    done = export(rec, tmp_path / "a.xdf")
    found = load(tmp_path / "a.xdf")
    assert (done.n_samples, done.n_events) == (rec.n_samples, rec.events.n)
    np.testing.assert_array_equal(found["example"]["time_series"], rec.read().data)
    np.testing.assert_allclose(found["example"]["time_stamps"], np.arange(rec.n_samples) / 250, atol=1e-12)
    labels = [r[0] for r in found["events"]["time_series"]]
    assert labels == [rec.event_info.labels[c] for c in rec.events.table["code"]]
    np.testing.assert_allclose(found["events"]["time_stamps"], rec.events.table["sample"] / 250)
    assert found["example"]["info"]["nominal_srate"] == ["250.0"]
    assert found["example"]["footer"]["info"]["sample_count"] == [str(rec.n_samples)]


def test_our_own_reader_gives_the_same_recording(tmp_path):
    rec = example()
    export(rec, tmp_path / "a.xdf")
    back = record.open(tmp_path / "a.xdf", stream="example")
    assert back.info.channels == rec.info.channels.__class__.of(
        rec.info.channels.names, rec.info.channels.kinds, rec.info.channels.units)  # fmt: skip
    np.testing.assert_array_equal(back.read().data, rec.read().data)
    assert back.events.table["sample"].tolist() == rec.events.table["sample"].tolist()
    assert back.event_info.labels == rec.event_info.labels


def test_gaps_are_jumps_of_the_stamps(tmp_path):
    rec = gappy()
    done = export(rec, tmp_path / "a.xdf")
    found = load(tmp_path / "a.xdf")["example"]
    index = np.concatenate([np.arange(s.start, s.stop) for s in rec.segments])
    np.testing.assert_allclose(found["time_stamps"], index / 250, atol=1e-12)
    np.testing.assert_array_equal(found["time_series"], np.concatenate([b.data for b in rec.blocks(999)]))
    assert any("Gaps" in n for n in done.notes)
    back = record.open(tmp_path / "a.xdf", stream="example", gap=0.1)
    assert [(s.start, s.n) for s in back.segments] == [(s.start, s.n) for s in rec.segments]
