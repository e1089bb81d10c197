"""Arrays, raw binary with JSON, .npy and .npz."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest

from ranvier import record
from ranvier.errors import ConfigError, ContractError, FormatError
from ranvier.stream import Recording


def test_an_array_is_a_recording():
    x = np.random.default_rng(0).normal(size=(1000, 3))
    rec = record.from_array(
        x,
        "30000/1001",
        ["C3", "Cz", "hand_x"],
        kind=["eeg", "eeg", "motion"],
        unit=["uV", "mV", "cm"],
        events=[(900, "b"), (100.25, "a", 50)],
        entities={"subject": "7", "run": "2"},
    )
    assert isinstance(rec, Recording)
    assert rec.info.rate == Fraction(30000, 1001)
    np.testing.assert_array_equal(rec.read().data, (x * [1, 1000, 1]).astype(np.float32))
    assert rec.info.channels.units == ("uV", "uV", "cm")
    assert any("mV are given in uV" in n for n in rec.notes)
    first = rec.events.table[0]
    assert (first["sample"], first["fraction"], first["duration"]) == (100, 0.25, 50)
    assert rec.event_info.labels[int(first["code"])] == "a"
    trials = rec.trials(["a", "b"], 0, 0.5)
    assert list(trials.group) == ["2", "2"]
    assert rec.targets("hand*").units == ("cm",)


def test_nan_stays_and_is_valid():
    x = np.zeros((10, 2))
    x[3, 1] = np.nan
    block = record.from_array(x, 10).read()
    assert np.isnan(block.data[3, 1])
    assert block.valid.all()


def test_integers_are_scaled_before_they_are_rounded():
    x = np.array([[32767], [-32768]], np.int16)
    rec = record.from_array(x, 10, 1, scale=0.195e-6, offset=1e-6, unit="V")
    np.testing.assert_array_equal(rec.read().data[:, 0], ((x[:, 0] * 0.195) + 1).astype(np.float32))


def test_trials_become_segments_with_their_labels():
    x = np.arange(4 * 50 * 2).reshape(4, 50, 2).astype(float)
    rec = record.from_array(x, 100, ["C3", "C4"], labels=["left", "right", "left", "right"])
    blocks = list(rec.blocks(10**6))
    assert [b.n for b in blocks] == [50] * 4
    assert all(b.start - a.stop > 100 for a, b in itertools.pairwise(blocks))
    np.testing.assert_array_equal(np.stack([b.data for b in blocks]), x)
    trials = rec.trials(["left", "right"], 0, 0.5)
    assert list(trials.label) == ["left", "right", "left", "right"]
    assert [int(v) for v in trials.onset] == [b.start for b in blocks]


def test_digest_tells_data_and_description_apart():
    x = np.zeros((10, 2))
    one = record.from_array(x, 10, ["a", "b"]).digest()
    assert one == record.from_array(x.copy(), 10, ["a", "b"]).digest()
    assert one != record.from_array(x, 10, ["a", "c"]).digest()
    assert one != record.from_array(x + 1, 10, ["a", "b"]).digest()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate": 0}, "'rate'"),
        ({"rate": float("nan")}, "'rate'"),
        ({"unit": ["uV"]}, "'unit'"),
        ({"unit": [1, 2]}, "'unit'"),
        ({"scale": "big"}, "'scale'"),
        ({"positions": [[0, 1]]}, "'positions'"),
        ({"events": [5]}, "'events'"),
        ({"entities": {"name": "x"}}, "'entities'"),
    ],
)
def test_a_wrong_description_names_its_key(change, said):
    arguments = {"rate": 100, "names": ["a", "b"], **change}
    with pytest.raises(ConfigError, match=said):
        record.from_array(np.zeros((10, 2)), **arguments)


def test_a_transposed_array_is_told():
    with pytest.raises(FormatError, match=r"2 channels.*got 10"):
        record.from_array(np.zeros((2, 10)), 100, ["a", "b"])


@pytest.mark.parametrize("bad", [(-1, None), (0, 11), (6, 5)])
def test_samples_that_are_not_there_are_refused(bad):
    rec = record.from_array(np.zeros((10, 1)), 10)
    with pytest.raises(ContractError, match="Ask for samples that it has"):
        rec.read(*bad)
    with pytest.raises(ContractError):
        list(rec.blocks(0))


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "float32", "<f8", "uint16"])
@pytest.mark.parametrize("axes", ["time,channel", "channel,time"])
def test_raw_and_json_round_trip(tmp_path, dtype, axes):
    rng = np.random.default_rng(4)
    x = rng.integers(0, 2000, (700, 3)).astype(dtype)
    path = tmp_path / "sub-01_run-2.dat"
    path.write_bytes((x if axes[0] == "t" else np.ascontiguousarray(x.T)).tobytes())
    path.with_suffix(".json").write_text(
        json.dumps(
            {
                "schema": 1,
                "rate": 250.5,
                "dtype": dtype,
                "names": ["C3", "C4", "EMG"],
                "kind": ["eeg", "eeg", "emg"],
                "unit": "nV",
                "scale": 500,
                "offset": [0, 1000, 0],
                "axes": axes,
                "events": [[5, "go"]],
            }
        )
    )
    rec = record.open(path)
    np.testing.assert_array_equal(rec.read().data, (x * 0.5 + [0.0, 1.0, 0.0]).astype(np.float32))
    assert rec.info.rate == Fraction(501, 2)
    assert rec.lazy
    assert rec.entities.subject == "01"
    assert len(rec.files) == 2
    before = rec.digest()
    path.with_suffix(".json").write_text(path.with_suffix(".json").read_text().replace("250.5", "250"))
    assert record.open(path).digest() != before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not readable as JSON"),
        ("[1]", "JSON object"),
        ('{"rate": 1, "n_channels": 1}', "'schema'"),
        ('{"schema": 1, "rate": 1, "n_channels": 1, "gain": 3}', "unknown key 'gain'"),
        ('{"schema": 1, "rate": 1, "n_channels": 1}', "'dtype'"),
        ('{"schema": 1, "rate": 1, "n_channels": 1, "dtype": "O"}', "'dtype'"),
        ('{"schema": 1, "rate": 1, "n_channels": true, "dtype": "i2"}', "'n_channels'"),
        ('{"schema": 1, "rate": 1, "names": "ab", "dtype": "i2"}', "'names'"),
        ('{"schema": 1, "rate": 1, "n_channels": 1, "dtype": "i2", "axes": "time"}', "'axes'"),
        ('{"schema": 1, "rate": 1, "n_channels": 7, "dtype": "i2"}', "6 bytes into sample 1 of 14"),
    ],
)
def test_a_wrong_sidecar_names_its_key(tmp_path, text, said):
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(20))
    path.with_suffix(".json").write_text(text)
    with pytest.raises((ConfigError, FormatError), match=said):
        record.open(path)


def test_raw_without_description_says_what_it_needs(tmp_path):
    path = tmp_path / "x.raw"
    path.write_bytes(bytes(20))
    with pytest.raises(FormatError, match=r"x\.json beside it"):
        record.open(path)
    assert record.open(path, description={"schema": 1, "rate": 5, "n_channels": 2, "dtype": "int16"}).n_samples == 5


def test_npy_is_read_lazily(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 500))
    np.save(tmp_path / "a.npy", x)
    said = {"schema": 1, "rate": 250, "n_channels": 8, "axes": "channel,time"}
    (tmp_path / "a.json").write_text(json.dumps(said))
    rec = record.open(tmp_path / "a.npy")
    np.testing.assert_array_equal(rec.read().data, x.T.astype(np.float32))
    assert rec.lazy


def test_npz_joins_arrays_and_takes_trials(tmp_path):
    x, z = np.arange(30.0).reshape(10, 3), np.arange(20.0).reshape(10, 2)
    np.savez(tmp_path / "a.npz", x=x, z=z, trials=np.zeros((4, 3, 5)), y=np.array([0, 1, 0, 1]))
    said = {"schema": 1, "rate": 10, "names": ["f0", "f1", "f2", "vx", "vy"], "data": ["x", "z"], "unit": "1"}
    rec = record.open(tmp_path / "a.npz", description=said)
    np.testing.assert_array_equal(rec.read().data, np.hstack([x, z]))
    np.testing.assert_array_equal(rec.targets("v*").values, z)
    said = {"schema": 1, "rate": 10, "n_channels": 3, "data": "trials", "axes": "trial,channel,time", "labels": "y"}
    rec = record.open(tmp_path / "a.npz", description=said)
    assert [s.n for s in rec.segments] == [5] * 4
    assert [rec.event_info.labels[int(c)] for c in rec.events.table["code"]] == ["0", "1", "0", "1"]
    with pytest.raises(ConfigError, match="no array 'w'"):
        record.open(tmp_path / "a.npz", description={**said, "data": "w"})


def test_pickled_arrays_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(FormatError):
        record.open(tmp_path / "a.npy", description={"schema": 1, "rate": 1, "n_channels": 1})


def test_real_array_equals_numpy(shared):
    path = shared("eeg_asr/eeg_raw.npy")
    said = {"schema": 1, "rate": 250, "n_channels": 8, "axes": "channel,time"}
    np.testing.assert_array_equal(record.open(path, description=said).read().data, np.load(path).T.astype(np.float32))


def test_real_trials_equal_numpy(shared):
    path = shared("bci2_selfpaced/sp1s_aa.npz")
    said = {
        "schema": 1,
        "rate": 100,
        "n_channels": 28,
        "data": "X_train",
        "axes": "trial,channel,time",
        "labels": "y_train",
    }
    rec = record.open(path, description=said)
    with np.load(path) as stored:
        wanted = stored["X_train"].transpose(0, 2, 1).astype(np.float32)
    np.testing.assert_array_equal(np.stack([b.data for b in rec.blocks(50)]), wanted)
    assert len(rec.trials("*", 0, 0.5)) == 316
