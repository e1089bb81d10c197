"""Exports to EDF+ and BDF+, read back by edfio, MNE and ourselves."""

import io
from fractions import Fraction

import numpy as np
import pytest
from exported import example, gappy
from hypothesis import given
from hypothesis import strategies as st

from ranvier import record
from ranvier.record import export, from_array
from ranvier.record._export_scaling import _scaling, _step, _text

edfio = pytest.importorskip("edfio", reason="edfio is not installed (extra record)")
READ = {"edf": lambda p: edfio.read_edf(p), "bdf": lambda p: edfio.read_bdf(io.BytesIO(p.read_bytes()))}


@pytest.mark.parametrize("to", ["edf", "bdf"])
def test_counts_come_back_exactly(tmp_path, to):
    rec, path = example(), tmp_path / f"a.{to}"
    done = export(rec, path)
    back = READ[to](path)
    assert [s.label for s in back.signals] == list(rec.info.channels.names)
    assert [s.physical_dimension for s in back.signals] == ["uV", "uV", "uV", "N"]
    for signal, raw in zip(back.signals, rec._data.T, strict=True):
        np.testing.assert_array_equal(signal.digital, raw)
        np.testing.assert_allclose(signal.data, raw * 0.195, rtol=1e-9, atol=1e-9)
    found = [(float(a.onset), a.duration or 0.0, a.text) for a in back.annotations]
    assert found == [
        (0.0, 0, "begin"),
        (0.5, 0.2, "left"),
        (1.6, 0, "Größe/β"),
        (1.604, 0, "right"),
        (7.996, 0, "left"),
    ]
    assert any("exact" in n for n in done.notes)
    assert back.patient.code == "S01"
    assert str(back.startdatetime) == "2026-03-01 12:30:15"


@pytest.mark.parametrize("to", ["edf", "bdf"])
def test_mne_reads_the_same(tmp_path, to):
    mne = pytest.importorskip("mne", reason="mne is not installed (extra record)")
    rec, path = example(), tmp_path / f"a.{to}"
    export(rec, path)
    read = mne.io.read_raw_edf if to == "edf" else mne.io.read_raw_bdf
    raw = read(path, verbose="error")
    np.testing.assert_allclose(raw.get_data()[:3].T * 1e6, rec.read().data[:, :3], rtol=1e-6, atol=1e-6)
    assert raw.info["sfreq"] == 250
    assert [str(d) for d in raw.annotations.description] == ["begin", "left", "Größe/β", "right", "left"]
    np.testing.assert_allclose(raw.annotations.onset, [0, 0.5, 1.6, 1.604, 7.996])


@pytest.mark.parametrize("to", ["edf", "bdf"])
def test_our_own_reader_gives_the_same_recording(tmp_path, to):
    rec, path = example(), tmp_path / f"a.{to}"
    export(rec, path)
    back = record.open(path)
    np.testing.assert_array_equal(back.read().data[:, :3], rec.read().data[:, :3])
    assert back.events.table["sample"].tolist() == rec.events.table["sample"].tolist()
    assert list(back.event_info.labels.values()) == list(rec.event_info.labels.values())


def test_gaps_and_invalid_samples_are_marked(tmp_path):
    rec, path = gappy(unit="uV", scale=0.195), tmp_path / "a.edf"
    rec._said.scale[2] = np.nan  # EOG is no number at all
    done = export(rec, path)
    back = edfio.read_edf(path)
    marks = [(a.onset, a.duration, a.text) for a in back.annotations if a.text.startswith("BAD")]
    assert [m for m in marks if m[2] == "BAD_gap"] == [
        (2.0, 3.0, "BAD_gap"),
        (7.8, 0.16, "BAD_gap"),
        (9.56, 2.0, "BAD_gap"),
    ]
    assert [m[2] for m in marks if "EOG" in m[2]] == ["BAD_invalid EOG"] * 4
    digital = back.signals[0].digital
    held = np.concatenate([digital[s.start : s.stop] for s in rec.segments])
    np.testing.assert_array_equal(held, rec._data[:, 0])
    assert (digital[500:1250] == digital[499]).all()
    assert any("gap" in n for n in done.notes)


def test_nan_within_a_channel(tmp_path):
    data = np.random.default_rng(3).integers(-99, 99, (1000, 2)).astype(np.float64)
    data[100:110, 1] = np.nan
    data[:5, 0] = np.inf
    export(from_array(data, 250, ["a", "b"]), tmp_path / "a.bdf")
    back = READ["bdf"](tmp_path / "a.bdf")
    assert [(a.onset, a.duration, a.text) for a in back.annotations] == [
        (0.0, 0.02, "BAD_invalid a"), (0.4, 0.04, "BAD_invalid b")]  # fmt: skip
    for c in (0, 1):
        kept = np.isfinite(data[:, c])
        np.testing.assert_allclose(back.signals[c].data[kept], data[kept, c], atol=1e-9)
    assert (back.signals[1].data[100:110] == back.signals[1].data[99]).all()


def test_what_does_not_fit_is_rounded_and_said(tmp_path):
    """Noise of float32: 65536 steps over its range, the largest error half a step and as stated."""
    data = np.random.default_rng(4).normal(0, 30, (2500, 2)).astype(np.float32)
    for to, bits in (("edf", 16), ("bdf", 24)):
        path = tmp_path / f"a.{to}"
        done = export(from_array(data, 250), path)
        back = READ[to](path)
        for c, signal in enumerate(back.signals):
            step = (data[:, c].max() - data[:, c].min()) / (2**bits - 1)
            assert np.abs(signal.data - data[:, c]).max() < 0.51 * step + 1e-5
        assert sum("rounded to steps" in n for n in done.notes) == 2


@pytest.mark.parametrize(("rate", "n"), [(250, 2000), (256, 1999), (Fraction(30000, 7), 5000), (128.5, 771), (0.5, 30)])
def test_rates(tmp_path, rate, n):
    data = np.random.default_rng(5).integers(-9, 9, (n, 1))
    rec = from_array(data, rate)
    export(rec, tmp_path / "a.edf")
    back = edfio.read_edf(tmp_path / "a.edf")
    assert back.signals[0].sampling_frequency == pytest.approx(float(rec.info.rate), rel=2e-6)
    np.testing.assert_allclose(back.signals[0].data[:n], data[:, 0], atol=1e-9)
    ends = [a for a in back.annotations if a.text == "BAD_end"]
    assert len(back.signals[0].data) - n == (round(ends[0].duration * float(rate)) if ends else 0)


@given(st.floats(1e-6, 1e4), st.integers(0, 2**32 - 1), st.integers(2, 32767))
def test_steps_are_found(step, seed, reach):
    rng = np.random.default_rng(seed)
    counts = rng.integers(-reach, reach + 1, 4000)
    x = (counts * np.float32(step)).astype(np.float32)
    found = _step(x)
    if np.diff(np.unique(counts)).min() == 1:
        assert found == pytest.approx(step, rel=1e-5)
        scaling = _scaling(float(x.min()), float(x.max()), found, 24)
        k = np.round((x - scaling.offset) / scaling.step)
        assert scaling.exact or np.abs(x).max() > 9e6 or np.abs(x).max() < 1e-3 * reach
        if scaling.exact:
            np.testing.assert_array_equal(k, counts)


@given(st.floats(-9e6, 9e7))
def test_a_number_in_eight_characters(value):
    text = _text(value)
    assert len(text) <= 8
    assert float(text) == pytest.approx(value, rel=1e-5, abs=1e-5)
    assert float(_text(value, 1)) >= value or abs(value) > 9e6
    assert float(_text(value, -1)) <= value


def test_many_annotations_and_long_names(tmp_path):
    names = [f"a very long name of channel {k}" for k in range(3)]
    events = [(int(k), f"event {k} " + "x" * int(k % 50)) for k in range(900)]
    rec = from_array(np.zeros((1000, 3)), 250, names, events=events)
    done = export(rec, tmp_path / "a.edf")
    back = edfio.read_edf(tmp_path / "a.edf")
    assert [a.text for a in back.annotations] == [e[1] for e in events]
    assert len({s.label for s in back.signals}) == 3
    assert any("cut to 16" in n for n in done.notes)
