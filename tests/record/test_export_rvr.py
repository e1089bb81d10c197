"""Exports of a session's recording: counts, gaps, decisions, commands, the fits of the clock."""

import gzip
import io
import json

import numpy as np
import pytest

from ranvier import record
from ranvier.record import Stored, Writer, export
from ranvier.stream import Block, Channels, Origin, StreamInfo

pytest.importorskip("numcodecs", reason="the extra 'record' is not installed")
pytest.importorskip("google_crc32c", reason="the extra 'record' is not installed")

RATE, WIDTH, FIRST, GAP = 1000, 3, 100, 700
INFO = StreamInfo.signal(RATE, Channels.of(WIDTH, "ecog", "count"), name="raw", dtype="int16")


@pytest.fixture
def session(tmp_path):
    """Return a recording that begins at sample 100, with a gap of 0.7 s, a decision every 100 samples, a command."""
    x = np.random.default_rng(7).integers(-32768, 32767, (3000, WIDTH), np.int16, endpoint=True)
    out = StreamInfo.signal(10, Channels.of(["p_left", "p_right"], "feature", "1"), name="decision").but(
        origin=Origin(source="raw", rate=RATE, step=100, offset=99)
    )
    path = tmp_path / "s.rvr"
    with Writer(
        path, {}, {"signal": Stored(INFO, 0.195, "uV"), "decision": Stored(out, masked=True)}, sync_seconds=0
    ) as w:
        for a in range(0, 3000, 50):
            start = FIRST + a + (GAP if a >= 1000 else 0)
            w.append("signal", x[a : a + 50], start, 10**9 + start * 10**6)
        valid = np.ones((20, 2), bool)
        valid[3, 1] = False
        w.append_block("decision", Block(np.arange(40.0, dtype=np.float32).reshape(20, 2), 5, valid))
        w.note("event", "signal", 500, payload={"label": "cue/left", "fraction": 0.25, "duration": 100.0, "value": 2.0})
        w.note(
            "command",
            "signal",
            999,
            payload={"wanted": [0.5], "given": [0.25], "sequence": 1, "confidence": float("nan")},
        )
        for since, time in ((0, 50.0), (2000, 52.01)):
            payload = {"index": float(since), "time": time, "period": 0.001005, "uncertainty": 1e-4}
            w.note("clock", "signal", since, payload=payload)
    return record.open(path), x


def test_xdf(session, tmp_path):
    pyxdf = pytest.importorskip("pyxdf", reason="pyxdf is not installed (extra record)")
    rec, x = session
    export(rec, tmp_path / "a.xdf")
    found = {s["info"]["name"][0]: s for s in pyxdf.load_xdf(tmp_path / "a.xdf", dejitter_timestamps=False)[0]}
    np.testing.assert_array_equal(found["raw"]["time_series"], x.astype(np.float32) * np.float32(0.195))
    index = np.concatenate([np.arange(FIRST, FIRST + 1000), np.arange(FIRST + 1000 + GAP, FIRST + 3000 + GAP)])
    np.testing.assert_allclose(found["raw"]["time_stamps"], 50 + index * 0.001005, atol=1e-6)  # host time
    decided = found["decision"]["time_series"]
    assert np.isnan(decided[3, 1])
    np.testing.assert_array_equal(np.nan_to_num(decided, nan=7.0), np.arange(40.0).reshape(20, 2))
    at = (np.arange(5, 25) * 100 + 99) * 0.001005 + 50
    np.testing.assert_allclose(found["decision"]["time_stamps"], at, atol=1e-6)
    assert '"given": [0.25]' in found["commands"]["time_series"][0][0]
    assert found["events"]["time_series"] == [["cue/left"]]
    np.testing.assert_allclose(found["event details"]["time_series"], [[0.1, 2.0, 0.0]])


@pytest.mark.parametrize("to", ["edf", "bdf"])
def test_edf(session, tmp_path, to):
    edfio = pytest.importorskip("edfio", reason="edfio is not installed (extra record)")
    rec, x = session
    done = export(rec, tmp_path / f"a.{to}")
    path = tmp_path / f"a.{to}"
    back = edfio.read_edf(path) if to == "edf" else edfio.read_bdf(io.BytesIO(path.read_bytes()))
    digital = np.stack([s.digital for s in back.signals], 1)
    np.testing.assert_array_equal(digital[:1000], x[:1000])
    np.testing.assert_array_equal(digital[1000 + GAP : 3000 + GAP], x[1000:])
    texts = {a.text: (a.onset, a.duration) for a in back.annotations}
    assert texts["BAD_gap"] == (1.0, 0.7)
    assert texts["cue/left"] == (0.40025, 0.1)  # sample 500.25, counted from the first, 100
    assert texts["decision p_left=6 p_right=nan"] == (pytest.approx(0.799), None)
    (command,) = [json.loads(t.removeprefix("command ")) for t in texts if t.startswith("command {")]
    assert (command["given"], command["confidence"]) == ([0.25], None)
    assert any("exact" in n for n in done.notes)


def test_nwb(session, tmp_path):
    pynwb = pytest.importorskip("pynwb", reason="pynwb is not installed (extra export)")
    rec, x = session
    export(rec, tmp_path / "a.nwb")
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as io:
        nwb = io.read()
        series = nwb.acquisition["ElectricalSeries"]
        np.testing.assert_array_equal(series.data[:], x.astype(np.float32) * np.float32(0.195))
        assert series.timestamps[0] == 0.1
        assert series.timestamps[1000] == (FIRST + 1000 + GAP) / RATE
        tables = nwb.processing["decisions"]
        decided = tables["decision"].to_dataframe()
        assert list(decided.columns) == ["time", "p_left", "p_right"]
        np.testing.assert_allclose(decided["time"], (np.arange(5, 25) * 100 + 99) / RATE)
        assert np.isnan(decided["p_right"][3])
        assert decided["p_left"].tolist() == list(range(0, 40, 2))
        assert "given" in tables["commands"]["command"][0]


def test_bids(session, tmp_path):
    """The decisions lie beside the signal; everything is valid (slow lane: see test_export_bids)."""
    pytest.importorskip("mne_bids", reason="mne-bids is not installed (extra export)")
    edfio = pytest.importorskip("edfio", reason="edfio is not installed (extra record)")
    rec, x = session
    done = export(rec, tmp_path / "set", "bids", subject="P1", task="cursor", line_frequency=50.0)
    files = {f.name: f for f in done.files}
    signal = edfio.read_edf(files["sub-P1_task-cursor_ieeg.edf"])
    np.testing.assert_array_equal(signal.signals[2].digital[:1000], x[:1000, 2])
    rows = (
        gzip.decompress(files["sub-P1_task-cursor_recording-decision_physio.tsv.gz"].read_bytes()).decode().split("\n")
    )
    assert rows[:4] == ["0.0\t1.0", "2.0\t3.0", "4.0\t5.0", "6.0\tn/a"]
    said = json.loads(files["sub-P1_task-cursor_recording-decision_physio.json"].read_text())
    assert said["StartTime"] == pytest.approx(0.599 - 0.1)  # sample 599; the file begins with sample 100
    events = files["sub-P1_task-cursor_events.tsv"].read_text(encoding="utf-8-sig")
    assert "cue/left" in events
    assert "BAD_gap" in events
