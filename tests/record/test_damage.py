"""Files cut short or with wrong bytes: a FormatError or a correct prefix, never another error, never a crash."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest

from ranvier import record
from ranvier.errors import ConfigError, FormatError

CASES = 100


def _bci2000(path, n=300):
    rng = np.random.default_rng(8)
    head = (
        "BCI2000V= 1.1 HeaderLen= 00000 SourceCh= 3 StatevectorLen= 3 DataFormat= int32\r\n"
        "[ State Vector Definition ]\r\nStimulusCode 8 0 0 4\r\nSourceTime 12 0 1 4\r\n[ Parameter Definition ]\r\n"
        "Source:Signal int SamplingRate= 250Hz 256 1 % // rate\r\n"
        "Source:Signal list ChannelNames= 3 C3 C4 Left%20hand // names\r\n"
        "Source:Signal floatlist SourceChGain= 3 0.5muV 0.001mV 2 // gain\r\n"
        "Source:Signal floatlist SourceChOffset= 3 0 10 -5 // offset\r\n\r\n"
    )
    frames = np.zeros(n, [("x", "<i4", (3,)), ("s", "u1", (3,))])
    frames["x"] = rng.integers(-(2**20), 2**20, (n, 3))
    frames["s"][50:80, 0] = 0x70  # StimulusCode 7, from bit 4 on
    path.write_bytes(head.replace("00000", f"{len(head):05d}").encode() + frames.tobytes())
    return (frames["x"] - [0, 10, -5]) * [0.5, 1.0, 2.0]


def _make(kind, folder, writers):
    """Write a small file of a kind; return it and the file that holds the numbers."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=(300, 3)) * 20
    whole = np.round(x * 10).astype(int)
    path = folder / f"f.{kind.split('-')[0]}"
    if kind in ("edf", "bdf"):
        writers["edf"](path, whole.T, [30] * 3, kind=kind.upper())
    elif kind == "edf-d":
        onsets = [0, 1, 2, 5, 6, 7, 9, 10, 11, 30]
        writers["edf"](path, whole.T, [30] * 3, onsets=onsets, texts=[(1, "+1.5\x14a\x14\0")])
    elif kind == "xdf":
        t = 10 + np.arange(300) / 100
        writers["xdf"](
            path, [(1, "A", "EEG", "float32", 100, t, x, []), (2, "M", "Markers", "string", 0, [11.0], [["a"]], [])]
        )
    elif kind == "dat":
        _bci2000(path)
    elif kind == "txt":
        head = "%OpenBCI Raw EXG Data\n%Number of channels = 3\n%Sample Rate = 250 Hz\n"
        head += "Sample Index, EXG Channel 0, EXG Channel 1, EXG Channel 2, Timestamp\n"
        path.write_text(head + "".join(f"{k % 256}, {a:.3f}, {b:.3f}, {c:.3f}, 1\n" for k, (a, b, c) in enumerate(x)))
    elif kind == "fif":
        mne = pytest.importorskip("mne")
        path = folder / "f_raw.fif"
        raw = mne.io.RawArray(x.T * 1e-6, mne.create_info(3, 100.0, "eeg"), verbose="ERROR")
        raw.save(path, verbose="ERROR")
    elif kind.startswith("set"):
        io = pytest.importorskip("scipy.io")
        pytest.importorskip("pymatreader")
        chan = np.array([(n,) for n in ("C3", "Cz", "C4")], dtype=[("labels", "O")])
        event = np.array([(5.0, "go", 0.0)], dtype=[("latency", "O"), ("type", "O"), ("duration", "O")])
        eeg = {
            "data": x.T.astype(np.float32),
            "srate": 100.0,
            "nbchan": 3,
            "pnts": 300,
            "trials": 1,
            "xmin": 0.0,
            "xmax": 2.99,
            "chanlocs": chan,
            "event": event,
            "setname": "t",
            "icawinv": [],
            "icaweights": [],
            "icasphere": [],
            "epoch": [],
        }
        io.savemat(path, {"EEG": eeg}, appendmat=False, do_compression=kind == "set-packed")
    elif kind.startswith("vhdr"):
        (folder / "f.eeg").write_bytes(whole.astype("<i2").tobytes())
        path.write_text(
            "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=f.eeg\n"
            "DataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=3\nSamplingInterval=4000\n"
            "[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\nCh1=C3,,0.5,µV\nCh2=Cz,,0.5,µV\nCh3=C4,,0.5,µV\n",
            encoding="utf-8",
        )
        return path, folder / "f.eeg" if kind == "vhdr-eeg" else path
    elif kind == "json":
        entry = {
            "GlobalPacketSizes": "150,150,",
            "TicksInMses": "600,1200,",
            "Channel": "ZERO_TWO_LEFT",
            "FirstPacketDateTime": "",
            "SampleRateInHz": 250,
            "TimeDomainData": x[:, 0].tolist(),
        }
        path.write_text(json.dumps({"SessionDate": "2024", "BrainSenseTimeDomain": [entry]}))
    elif kind in ("npy", "npz"):
        np.save(path, x) if kind == "npy" else np.savez(path, data=x)
        path.with_suffix(".json").write_text('{"schema": 1, "rate": 100, "n_channels": 3}')
    elif kind.startswith("bin"):
        path.write_bytes(x.astype("<f4").tobytes())
        path.with_suffix(".json").write_text(
            '{"schema": 1, "rate": 100, "n_channels": 3, "dtype": "<f4", "unit": "mV"}'
        )
        return path, path.with_suffix(".json") if kind == "bin-json" else path
    return path, path


def _read(path, **options):
    rec = record.open(path, **options)
    _ = rec.events, rec.event_info, rec.digest()
    return [(b.start, b.data) for b in rec.blocks(10**6)]


def _is_prefix(part, whole):
    """True where every sample that was read is the one of its index in the whole file."""
    index = {}
    for start, data in whole:
        index.update({start + k: row for k, row in enumerate(data)})
    return all(
        np.array_equal(row, index.get(start + k), equal_nan=True) for start, data in part for k, row in enumerate(data)
    )


KINDS = "edf edf-d bdf xdf dat txt fif set set-packed vhdr vhdr-eeg json npy npz bin bin-json".split()
PARTIAL = {"edf", "edf-d", "bdf", "xdf", "dat", "txt", "vhdr-eeg", "bin"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere_gives_an_error_or_a_correct_prefix(tmp_path, writers, kind):
    path, target = _make(kind, tmp_path, writers)
    whole, raw = _read(path), target.read_bytes()
    rng = random.Random(f"cut {kind}")
    refused = prefixes = 0
    for _ in range(CASES):
        target.write_bytes(raw[: rng.randrange(len(raw))])
        for options in ({}, {"partial": True}) if kind in PARTIAL else ({},):
            try:
                part = _read(path, **options)
            except (FormatError, ConfigError):
                refused += not options
                continue
            if kind != "vhdr":  # a header cut behind its last needed line is a header
                assert _is_prefix(part, whole), (kind, options, target.stat().st_size)
            prefixes += 1
    assert refused > CASES // 4
    if kind in PARTIAL:
        assert prefixes > CASES // 4


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_bytes_give_an_error_or_a_signal_and_nothing_else(tmp_path, writers, kind):
    path, target = _make(kind, tmp_path, writers)
    raw = target.read_bytes()
    rng = random.Random(f"bytes {kind}")
    for case in range(CASES):
        bad = bytearray(raw)
        reach = len(raw) if case % 2 else min(len(raw), 1500)
        for _ in range(rng.choice([1, 1, 2, 10])):
            bad[rng.randrange(reach)] = rng.randrange(256)
        target.write_bytes(bad)
        for options in ({}, {"partial": True}) if kind in PARTIAL else ({},):
            try:
                part = _read(path, **options)
                assert sum(data.nbytes for _, data in part) <= 64 * len(raw)
            except (FormatError, ConfigError):
                continue


@pytest.mark.parametrize("name", ["eeg_asr/eeglab_data.set", "kalunga2016_ssvep/sub-01_run-1_raw.fif"])
def test_wrong_bytes_in_real_files(shared, tmp_path, name):
    source = shared(name)
    pytest.importorskip("mne")
    pytest.importorskip("pymatreader")
    for companion in source.parent.glob(f"{source.stem}.*"):
        shutil.copy(companion, tmp_path)
    path, raw = tmp_path / source.name, source.read_bytes()
    rng = random.Random(7)  # with this seed scipy's reader crashed before its files were walked first
    for case in range(60):
        bad = bytearray(raw)
        for _ in range(rng.choice([1, 20])):
            bad[rng.randrange(len(bad) if case % 2 else 3000)] = rng.randrange(256)
        path.write_bytes(bad)
        try:
            record.open(path).read(0, 100)
        except FormatError:
            continue


def test_bci2000_of_another_number_type_is_decoded(tmp_path):
    truth = _bci2000(tmp_path / "a.dat")
    rec = record.open(tmp_path / "a.dat")
    np.testing.assert_array_equal(rec.read().data, truth.astype(np.float32))
    assert rec.info.channels.names == ("C3", "C4", "Left hand")
    (event,) = rec.events.table
    assert (event["sample"], event["duration"], rec.event_info.labels[0]) == (50, 30, "StimulusCode=7")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b"SourceCh= 3", b"SourceCh= x", "SourceCh"), (b"DataFormat= int32", b"DataFormat= int64", "DataFormat"),
        (b"SamplingRate= 250Hz", b"SamplingRate= -50Hz", "SamplingRate"),
        (b"0 1 4\r\n", b"0 9 4\r\n", "StatevectorLen"),
        (b"SourceChGain= 3 0.5", b"SourceChGain= 3 a.5", "SourceChGain"), (b"[ Parameter", b"[ Xarameter", "section"),
        (b"StatevectorLen= 3", b"StatevectorLen= 4", "bytes into sample"),
    ],
)  # fmt: skip
def test_a_damaged_bci2000_header_is_named_by_its_field(tmp_path, before, after, said):
    path = tmp_path / "a.dat"
    _bci2000(path)
    raw = path.read_bytes()
    assert before in raw
    path.write_bytes(raw.replace(before, after))
    with pytest.raises(FormatError, match=said):
        record.open(path)


def test_a_huge_claim_allocates_nothing(tmp_path, writers):
    path = tmp_path / "a.xdf"
    writers["xdf"](path, [(1, "A", "EEG", "float32", 100, [1.0, 1.01], [[1.0], [2.0]], [])])
    raw = path.read_bytes()
    at = raw.index(b"\x04" + (2).to_bytes(4, "little") + b"\x08")
    path.write_bytes(raw[: at + 1] + (2**31).to_bytes(4, "little") + raw[at + 5 :])
    with pytest.raises(FormatError, match="2147483648 samples of stream 1, which do not fit"):
        record.open(path)
