"""ranvier export: what it writes, what it says, what it refuses."""

import json

import numpy as np
import pytest

from ranvier import record
from ranvier.cli._main import run


@pytest.fixture
def recording(tmp_path):
    """Return a small raw recording with a description beside it."""
    counts = np.random.default_rng(1).integers(-900, 900, (1000, 2)).astype("<i2")
    (tmp_path / "a.bin").write_bytes(counts.tobytes())
    said = {"schema": 1, "rate": 250, "names": ["C3", "C4"], "dtype": "int16", "scale": 0.5, "events": [[100, "cue"]]}
    (tmp_path / "a.json").write_text(json.dumps(said))
    return tmp_path / "a.bin"


@pytest.mark.parametrize("to", ["xdf", "edf", "bdf"])
def test_export_beside_the_recording(recording, capsys, to):
    pytest.importorskip("pyxdf", reason="pyxdf is not installed (extra record)")
    assert run(["export", str(recording), "--to", to, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["verb"], said["to"], said["n_samples"], said["n_events"]) == ("export", to, 1000, 1)
    back = record.open(said["out"])
    np.testing.assert_array_equal(back.read().data, record.open(recording).read().data)
    assert back.events.table["sample"].tolist() == [100]
    assert [p.name for p in recording.parent.iterdir() if p.name.startswith(".")] == []


def test_export_to_nwb_and_bids(recording, capsys):
    pytest.importorskip("pynwb", reason="pynwb is not installed (extra export)")
    pytest.importorskip("mne_bids", reason="mne-bids is not installed (extra export)")
    assert run(["export", str(recording), "--to", "nwb"]) == 0
    assert "a.nwb" in capsys.readouterr().out
    assert run(["export", str(recording), "--to", "bids"]) == 2
    assert "--subject NAME" in capsys.readouterr().err
    args = ["--subject", "01", "--task", "rest", "--line-frequency", "50"]
    assert run(["export", str(recording), "--to", "bids", *args, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert any(f.endswith("sub-01_task-rest_events.tsv") for f in said["files"])


def test_nothing_is_overwritten_unasked(recording, capsys):
    (recording.parent / "b.edf").write_text("mine")
    args = ["export", str(recording), "--out", str(recording.parent / "b.edf")]
    assert run(args) == 2
    assert "is there already" in capsys.readouterr().err
    assert (recording.parent / "b.edf").read_text() == "mine"
    assert run([*args, "--force"]) == 0
    assert record.open(recording.parent / "b.edf").n_samples == 1000


@pytest.mark.parametrize(("args", "says"), [
    ([], "needs a format"), (["--to", "wav"], "needs one of xdf"), (["--to", "edf", "--out", "x.xdf"], "ends in .edf"),
    (["--to", "edf", "--task", "rest"], "has no option 'task'"), (["--to", "edf", "--out", "none/a.edf"], "Make it"),
])  # fmt: skip
def test_wrong_input(recording, capsys, args, says):
    assert run(["export", str(recording), *args]) == 2
    assert says in capsys.readouterr().err


def test_a_failure_leaves_nothing(recording, monkeypatch):
    """Half-way through, the disk is full."""
    from ranvier.record import _export_edf

    def full(record, bits):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_export_edf, "_bytes", full)
    before = sorted(p.name for p in recording.parent.iterdir())
    assert run(["export", str(recording), "--to", "edf"]) == 2
    assert sorted(p.name for p in recording.parent.iterdir()) == before
