"""Real recordings through every format and back: the same samples, the same events."""

import numpy as np
import pytest

from ranvier import record

FILES = ["eegmmidb_s001/S001R04.edf"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("to", ["xdf", "edf", "bdf"])
def test_there_and_back(shared, tmp_path, name, to):
    pytest.importorskip("pyxdf", reason="pyxdf is not installed (extra record)")
    rec = record.open(shared(name))
    done = record.export(rec, tmp_path / f"a.{to}")
    back = record.open(tmp_path / f"a.{to}")
    np.testing.assert_array_equal(back.read().data, rec.read().data)
    for column in ("sample", "code"):
        np.testing.assert_array_equal(back.events.table[column], rec.events.table[column])
    assert back.event_info.labels == rec.event_info.labels
    assert back.info.rate == rec.info.rate
    assert to == "xdf" or any("exact" in n for n in done.notes)


@pytest.mark.parametrize("name", FILES)
def test_nwb(shared, tmp_path, name):
    pynwb = pytest.importorskip("pynwb", reason="pynwb is not installed (extra export)")
    rec = record.open(shared(name))
    record.export(rec, tmp_path / "a.nwb")
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as io:
        nwb = io.read()
        np.testing.assert_array_equal(nwb.acquisition["ElectricalSeries"].data[:], rec.read().data)
        np.testing.assert_allclose(nwb.intervals["events"]["start_time"][:], rec.events.table["sample"] / 160)
