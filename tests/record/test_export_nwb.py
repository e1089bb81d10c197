"""Exports to NWB, read back by pynwb."""

import warnings

import numpy as np
import pytest
from exported import example, gappy

from ranvier.record import export

pynwb = pytest.importorskip("pynwb", reason="pynwb is not installed (extra export)")


@pytest.fixture
def read():
    """Return a function that opens an NWB file; it is closed afterwards."""
    files = []

    def open_(path):
        files.append(pynwb.NWBHDF5IO(str(path), "r"))
        return files[-1].read()

    yield open_
    for f in files:
        f.close()


def test_samples_electrodes_and_events_come_back(tmp_path, read):
    rec = example(positions=[[0.01, 0.02, 0.03], None, None, None])
    done = export(rec, tmp_path / "a.nwb")
    nwb = read(tmp_path / "a.nwb")
    series = nwb.acquisition["ElectricalSeries"]
    np.testing.assert_array_equal(series.data[:], rec.read().data[:, :3])
    assert (series.conversion, series.unit, series.rate, series.starting_time) == (1e-6, "volts", 250.0, 0.0)
    table = series.electrodes.to_dataframe()
    assert table["label"].tolist() == ["C3", "C4", "EOG"]
    assert table["x"].tolist()[0] == pytest.approx(10000)  # [um]
    force = nwb.acquisition["TimeSeries"]
    np.testing.assert_array_equal(force.data[:, 0], rec.read().data[:, 3])
    assert force.unit == "N"
    events = nwb.intervals["events"].to_dataframe()
    assert events["label"].tolist() == ["begin", "left", "Größe/β", "right", "left"]
    np.testing.assert_allclose(events["start_time"], rec.events.table["sample"] / 250)
    np.testing.assert_allclose(events["stop_time"] - events["start_time"], [0, 0.2, 0, 0, 0], atol=1e-9)
    assert nwb.session_start_time.isoformat() == "2026-03-01T12:30:15+00:00"
    assert nwb.subject.subject_id == "S01"
    assert (done.n_samples, done.n_events) == (2000, 5)


def test_gaps_and_invalid_samples(tmp_path, read):
    rec = gappy(scale=[0.195, 0.195, np.nan, 0.195])
    export(rec, tmp_path / "a.nwb")
    nwb = read(tmp_path / "a.nwb")
    series = nwb.acquisition["ElectricalSeries"]
    index = np.concatenate([np.arange(s.start, s.stop) for s in rec.segments])
    np.testing.assert_array_equal(series.timestamps[:], index / 250)
    np.testing.assert_array_equal(nwb.acquisition["TimeSeries"].timestamps[:], index / 250)
    np.testing.assert_array_equal(series.data[:], np.concatenate([b.data for b in rec.blocks(500)])[:, :3])
    invalid = nwb.invalid_times.to_dataframe()
    tags = [list(t) for t in invalid["tags"]]
    gaps = invalid[np.array([t == ["gap"] for t in tags])]
    np.testing.assert_allclose(gaps["start_time"], [2.0, 7.8, 9.56])
    np.testing.assert_allclose(gaps["stop_time"], [5.0, 7.96, 11.56])
    assert tags.count(["invalid EOG"]) == 4


@pytest.mark.slow
@pytest.mark.parametrize("make", [example, gappy])
def test_nwbinspector_finds_nothing_wrong(tmp_path, make):
    inspector = pytest.importorskip("nwbinspector", reason="nwbinspector is not installed")
    export(make(), tmp_path / "a.nwb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tool itself
        found = list(inspector.inspect_nwbfile(nwbfile_path=str(tmp_path / "a.nwb")))
    wrong = {m.check_function_name for m in found if m.importance.name in ("CRITICAL", "ERROR", "PYNWB_VALIDATION")}
    assert wrong <= {"check_subject_age", "check_subject_sex", "check_subject_species_exists"}  # nobody told us
