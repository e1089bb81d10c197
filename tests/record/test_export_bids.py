"""Exports to BIDS, read back by MNE-BIDS, and validated by bids-validator-deno in the slow lane."""

import csv
import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exported import example, gappy

from ranvier.errors import ConfigError, FormatError
from ranvier.record import export

pytest.importorskip("mne", reason="mne is not installed (extra record)")
mne_bids = pytest.importorskip("mne_bids", reason="mne-bids is not installed (extra export)")


def rows(path):
    with path.open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture
def dataset(tmp_path):
    """Return the root of a data set with one recording, the recording, and what the export said."""
    rec = example()
    return tmp_path / "set", rec, export(rec, tmp_path / "set", "bids", task="rest", run="R01", line_frequency=50.0)


@pytest.mark.filterwarnings("ignore")  # of mne-bids about what the example does not say
def test_samples_events_and_sidecars_come_back(dataset):
    root, rec, done = dataset
    folder = root / "sub-S01" / "eeg"
    assert {f.name for f in done.files} >= {
        f"sub-S01_task-rest_run-01_{x}" for x in ("eeg.edf", "eeg.json", "channels.tsv", "events.tsv")}  # fmt: skip
    place = mne_bids.BIDSPath(subject="S01", task="rest", run="01", datatype="eeg", root=root)
    raw = mne_bids.read_raw_bids(place, verbose="error")
    np.testing.assert_allclose(raw.get_data()[:3].T * 1e6, rec.read().data[:, :3], rtol=1e-6, atol=1e-6)
    channels = rows(folder / "sub-S01_task-rest_run-01_channels.tsv")
    assert [(c["name"], c["type"]) for c in channels] == [
        ("C3", "EEG"), ("C4", "EEG"), ("EOG", "EOG"), ("force", "MISC")]  # fmt: skip
    events = rows(folder / "sub-S01_task-rest_run-01_events.tsv")
    assert [e["trial_type"] for e in events] == ["begin", "left", "Größe/β", "right", "left"]
    np.testing.assert_allclose([float(e["onset"]) for e in events], rec.events.table["sample"] / 250)
    assert float(events[1]["duration"]) == pytest.approx(0.2)
    said = json.loads((folder / "sub-S01_task-rest_run-01_eeg.json").read_text())
    assert (said["SamplingFrequency"], said["PowerLineFrequency"], said["TaskName"]) == (250.0, 50.0, "rest")


def test_runs_are_added_and_none_is_overwritten(dataset):
    root, rec, _ = dataset
    with pytest.raises(ConfigError, match="is there already"):
        export(rec, root, "bids", task="rest", run="1")
    export(gappy(), root, "bids", task="rest", run="2", session="day1")
    export(example(entities={"subject": "S02"}), root, "bids", task="rest")
    assert [p["participant_id"] for p in rows(root / "participants.tsv")] == ["sub-S01", "sub-S02"]
    assert (root / "sub-S01" / "eeg" / "sub-S01_task-rest_run-01_eeg.edf").exists()
    assert (root / "sub-S01" / "ses-day1" / "eeg" / "sub-S01_ses-day1_task-rest_run-02_eeg.edf").exists()
    events = rows(root / "sub-S01" / "ses-day1" / "eeg" / "sub-S01_ses-day1_task-rest_run-02_events.tsv")
    assert [(float(e["onset"]), float(e["duration"])) for e in events if e["trial_type"] == "BAD_gap"] == [
        (2.0, 3.0), (7.8, 0.16), (9.56, 2.0)]  # fmt: skip
    export(rec, root, "bids", task="rest", run="1", force=True)
    assert not [p for p in root.parent.iterdir() if p.name.startswith(".")]


def test_what_does_not_fit_into_16_bits_becomes_bdf(tmp_path):
    rec = example(scale=[0.195, 1e-3 * np.pi, 0.195, 0.195])
    rec._data = np.random.default_rng(2).integers(-8_000_000, 8_000_000, (2000, 4))
    done = export(rec, tmp_path / "set", "bids", task="rest")
    assert any(f.name.endswith("_eeg.bdf") for f in done.files)


def test_what_cannot_be(tmp_path):
    with pytest.raises(ConfigError, match="--task NAME"):
        export(example(), tmp_path / "set", "bids")
    with pytest.raises(ConfigError, match="--subject NAME"):
        export(example(entities={}), tmp_path / "set", "bids", task="rest")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is neither"):
        export(example(), tmp_path / "full", "bids", task="rest")
    with pytest.raises(FormatError, match="EEG, ECoG or LFP"):
        export(example(kind="misc"), tmp_path / "set", "bids", task="rest")
    assert not (tmp_path / "set").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [["eeg", "eeg", "eog", "misc"], ["ecog", "ecog", "ecog", "misc"]])
def test_the_validator_finds_no_error(tmp_path, kind):
    tool = shutil.which("bids-validator-deno", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if tool is None:
        pytest.skip("bids-validator-deno is not installed")
    for run, make in ((1, example), (2, gappy)):
        export(make(kind=kind), tmp_path / "set", "bids", task="rest", run=str(run), line_frequency=50.0)

    def errors():
        done = subprocess.run(
            [tool, "--json", str(tmp_path / "set")], capture_output=True, text=True, timeout=300, check=False
        )
        return [i for i in json.loads(done.stdout)["issues"]["issues"] if i["severity"] == "error"]

    assert errors() == []
    sidecar = next((tmp_path / "set").rglob("*run-01_*eeg.json"))
    said = json.loads(sidecar.read_text())
    del said["PowerLineFrequency"]  # negative control
    sidecar.write_text(json.dumps(said))
    assert errors()


def test_decisions_become_a_recording_of_their_own(tmp_path):
    """Beside the signal, with a rate and a start; what is invalid is n/a."""
    from ranvier.record._export_bids import _is_regular, _physio
    from ranvier.record._export_content import Decided

    values = np.array([[0.25, 0.75], [np.nan, 0.5]])
    decided = Decided("p_out", 10.0, ("left", "right"), ("1", "uV"), np.array([0.5, 0.6]), values)
    assert _is_regular(decided)
    assert not _is_regular(decided._replace(times=np.array([0.5, 0.9])))
    place = mne_bids.BIDSPath(subject="1", task="x", datatype="eeg", suffix="eeg", extension=".edf", root=tmp_path)
    place.mkdir()
    _physio(place, decided)
    found = tmp_path / "sub-1" / "eeg" / "sub-1_task-x_recording-pout_physio.tsv.gz"
    assert gzip.decompress(found.read_bytes()).decode() == "0.25\t0.75\nn/a\t0.5\n"
    said = json.loads(found.with_name("sub-1_task-x_recording-pout_physio.json").read_text())
    assert (said["SamplingFrequency"], said["StartTime"], said["Columns"]) == (10.0, 0.5, ["left", "right"])
