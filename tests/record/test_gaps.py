"""Where a format says that samples are missing, the index jumps by as many; nothing is invented."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from ranvier import record
from ranvier.errors import ContractError, FormatError


def _starts(rec, size=10**9):
    return [(b.start, b.n) for b in rec.blocks(size)]


@pytest.mark.parametrize("kind", ["EDF", "BDF"])
def test_a_discontinuous_edf_jumps_and_keeps_its_events_in_place(tmp_path, writers, kind):
    x = np.arange(60) * 7 - 200
    path = tmp_path / f"d.{kind.lower()}"
    truth = writers["edf"](
        path, [x, -x], [10, 10], onsets=[0, 1, 4.5, 5.5, 6.5, 100], texts=[(0, "+4.7\x14late\x14\0")], kind=kind
    )
    rec = record.open(path)
    assert _starts(rec) == [(0, 20), (45, 30), (1000, 10)]
    assert rec.n_samples == 1010
    assert rec.duration == 101.0
    data = np.concatenate([b.data for b in rec.blocks(7)])
    np.testing.assert_array_equal(data, np.stack(truth, 1).astype(np.float32))
    assert list(rec.events.table["sample"]) == [47]
    assert any("2 gaps, 95 s in all" in n for n in rec.notes)
    np.testing.assert_array_equal(rec.read(46, 50).data[:, 0], truth[0][21:25].astype(np.float32))
    with pytest.raises(ContractError, match="without a gap"):
        rec.read(10, 60)
    assert [b.start for b in rec.blocks(10, 15, 1005)] == [15, 45, 55, 65, 1000]


def test_records_that_run_backwards_are_refused(tmp_path, writers):
    path = tmp_path / "d.edf"
    writers["edf"](path, [np.arange(30)], [10], onsets=[0, 5, 3])
    with pytest.raises(FormatError, match=r"record 2 \(byte \d+\) begins before record 1"):
        record.open(path)


def test_records_without_a_time_are_taken_in_turn_unless_only_some_lack_it(tmp_path, writers):
    path = tmp_path / "c.edf"
    writers["edf"](path, [np.arange(30)], [10], onsets=[0, 1, 2])
    raw = path.read_bytes()
    for times, message in (("+1", r"record 1 \(byte \d+\) does not say when it begins"), ("+0 +1 +2", None)):
        bad = raw.replace(b"EDF+D", b"EDF+C")
        for t in times.split():
            bad = bad.replace(t.encode() + b"\x14\x14\0", bytes(5))
        path.write_bytes(bad)
        if message:
            with pytest.raises(FormatError, match=message):
                record.open(path)
        else:
            rec = record.open(path)
            assert _starts(rec) == [(0, 30)]
            assert any("No record says" in n for n in rec.notes)
    path.write_bytes(bad.replace(b"EDF+C", b"EDF+D"))
    with pytest.raises(FormatError, match="record 0"):
        record.open(path)


def test_a_skip_in_fif_is_a_gap(tmp_path):
    mne = pytest.importorskip("mne")
    rng = np.random.default_rng(1)
    data = rng.normal(size=(2, 5000)) * 1e-5
    raw = mne.io.RawArray(data, mne.create_info(["Cz", "Pz"], 100.0, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations([20.0], [10.0], ["BAD_ACQ_SKIP"]))
    path = tmp_path / "skip_raw.fif"
    raw.save(path, verbose="ERROR")
    rec = record.open(path)
    starts = _starts(rec)
    assert len(starts) == 2
    assert starts[0][0] == 0
    assert abs(starts[0][1] - 2000) <= 1
    assert abs(starts[1][0] - 3000) <= 1
    assert rec.n_samples == 5000
    for b in rec.blocks(10**6):
        np.testing.assert_allclose(b.data, data[:, b.start : b.stop].T * 1e6, rtol=1e-6)


def _eeglab(path, data, rate, events):
    io = pytest.importorskip("scipy.io")
    kinds = np.array(
        [(lat, kind, dur) for lat, kind, dur in events], dtype=[("latency", "O"), ("type", "O"), ("duration", "O")]
    )
    chan = np.array([(n,) for n in ("Cz", "Pz")], dtype=[("labels", "O")])
    io.savemat(
        path,
        {
            "EEG": {
                "data": data.astype(np.float32),
                "srate": float(rate),
                "nbchan": len(data),
                "pnts": data.shape[1],
                "trials": 1,
                "xmin": 0.0,
                "xmax": (data.shape[1] - 1) / rate,
                "chanlocs": chan,
                "event": kinds,
                "setname": "t",
                "icawinv": [],
                "icaweights": [],
                "icasphere": [],
                "epoch": [],
            }
        },
        appendmat=False,
    )


def test_a_boundary_in_eeglab_is_a_gap(tmp_path):
    pytest.importorskip("pymatreader")
    data = np.random.default_rng(2).normal(size=(2, 400)) * 10
    path = tmp_path / "b.set"
    _eeglab(path, data, 100, [(51.0, "go", 0.0), (101.5 - 1, "boundary", 250.0), (121.0, "go", 0.0)])
    rec = record.open(path)
    assert _starts(rec) == [(0, 100), (350, 300)]
    go = [int(e["sample"]) for e in rec.events.table if rec.event_info.labels[int(e["code"])] == "go"]
    assert go == [50, 120 + 250]  # latencies count from 1
    np.testing.assert_array_equal(np.concatenate([b.data for b in rec.blocks(33)]), data.T.astype(np.float32))


def test_a_new_segment_in_brainvision_is_a_gap_of_unknown_length(tmp_path):
    pytest.importorskip("mne")
    x = (np.arange(300 * 2).reshape(300, 2) - 200).astype("<i2")
    (tmp_path / "p.eeg").write_bytes(x.tobytes())
    (tmp_path / "p.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=p.eeg\n"
        "MarkerFile=p.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=2\n"
        "SamplingInterval=4000\n[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n"
        "Ch1=C3,,0.5,µV\nCh2=C4,,0.002,mV\n",
        encoding="utf-8",
    )
    (tmp_path / "p.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=p.eeg\n"
        "[Marker Infos]\nMk1=New Segment,,1,1,0,20200101120000000000\nMk2=Stimulus,S  1,51,1,0\n"
        "Mk3=New Segment,,101,1,0,20200101120500000000\nMk4=Stimulus,S  2,151,1,0\n",
        encoding="utf-8",
    )
    rec = record.open(tmp_path / "p.vhdr")
    assert rec.info.rate == 250
    assert _starts(rec) == [(0, 100), (350, 200)]
    assert any("unknown length" in n for n in rec.notes)
    assert len(rec.files) == 3
    labels = [(rec.event_info.labels[int(e["code"])], int(e["sample"])) for e in rec.events.table]
    assert labels == [("Stimulus/S  1", 50), ("New Segment/", 350), ("Stimulus/S  2", 400)]
    np.testing.assert_allclose(np.concatenate([b.data for b in rec.blocks(64)]), x * np.array([0.5, 2.0]), rtol=1e-6)


def test_lost_openbci_packets_are_a_gap(tmp_path):
    head = "%OpenBCI Raw EXG Data\n%Number of channels = 2\n%Sample Rate = 250 Hz\n%Board = X\n"
    columns = "Sample Index, EXG Channel 0, EXG Channel 1, Marker Channel, Timestamp, Timestamp (Formatted)\n"
    index = [*range(200, 256), *range(3, 50)]  # 0, 1 and 2 are lost
    rows = [f"{k}, {n}.5, -{n}, {7.0 if n == 60 else 0.0}, 1557936053.25, 12:00\n" for n, k in enumerate(index)]
    path = tmp_path / "o.txt"
    path.write_text(head + columns + "".join(rows))
    rec = record.open(path)
    assert _starts(rec) == [(0, 56), (59, 47)]
    assert [(int(e["sample"]), rec.event_info.labels[int(e["code"])]) for e in rec.events.table] == [(63, "7")]
    np.testing.assert_array_equal(np.concatenate([b.data for b in rec.blocks(9)])[:, 1], -np.arange(len(index)))


def test_old_openbci_text_without_column_names(tmp_path):
    head = "%OpenBCI Raw EEG Data\n%Number of channels = 2\n%Sample Rate = 250.0 Hz\n%First Column = SampleIndex\n"
    path = tmp_path / "o.txt"
    path.write_text(head + "".join(f"{k}, {k}.5, {-k}, 0.1, 0.2, 0.3, 14:00:00.{k}, 1500000000\n" for k in range(20)))
    rec = record.open(path)
    assert rec.info.channels.kinds == ("eeg", "eeg", "motion", "motion", "motion")
    np.testing.assert_array_equal(rec.read().data[:, 0], np.arange(20) + 0.5)


def _percept(path, sizes, ticks, hemispheres=("ZERO_TWO_LEFT", "ZERO_TWO_RIGHT")):
    n = sum(sizes)
    entry = [
        {
            "Pass": "",
            "GlobalPacketSizes": ",".join(map(str, sizes)) + ",",
            "TicksInMses": ",".join(map(str, ticks)) + ",",
            "Channel": h,
            "FirstPacketDateTime": "2024-01-01T10:00:00.000Z",
            "SampleRateInHz": 250,
            "Gain": 1,
            "TimeDomainData": [float(k + i) for k in range(n)],
        }
        for i, h in enumerate(hemispheres)
    ]
    path.write_text(json.dumps({"SessionDate": "2024-01-01T10:00:00Z", "BrainSenseTimeDomain": entry}))


def test_lost_percept_packets_are_a_gap(tmp_path):
    path = tmp_path / "r.json"
    _percept(path, [63, 62, 63, 62], [3_276_500, 3_276_750, 200 + 1000, 450 + 1000])  # 1 s lost where the ticks wrap
    rec = record.open(path)
    (a, na), (b, nb) = _starts(rec)
    assert (a, na, nb) == (0, 125, 125)
    assert abs(b - 375) <= 1  # a tick of 50 ms is 12.5 samples
    assert (rec.info.rate, rec.info.channels.kinds, rec.info.channels.units) == (250, ("lfp", "lfp"), ("uV", "uV"))
    assert record.streams(path)[0].type == "BrainSenseTimeDomain"
    _percept(path, [63, 62, 63, 62], [250, 500, 750, 1000])
    assert _starts(record.open(path)) == [(0, 250)]
    _percept(path, [63, 62, 63, 99], [250, 500, 750, 1000])
    data = json.loads(path.read_text())
    data["BrainSenseTimeDomain"][0]["TimeDomainData"].pop()
    data["BrainSenseTimeDomain"][1]["TimeDomainData"].pop()
    path.write_text(json.dumps(data))
    with pytest.raises(FormatError, match="add up to 287"):
        record.open(path)


def _stamped(n, rate, rng, jitter=0.0, burst=0.0):
    t = 100 + np.arange(n) / rate
    if burst:  # as over Bluetooth: what gathered in `burst` seconds comes at its end
        t = np.ceil((t - 100) / burst) * burst + 100 + np.arange(n) * 1e-9
    return t + rng.normal(size=n) * jitter


@pytest.mark.parametrize(("jitter", "burst"), [(0.0, 0.0), (0.002, 0.0), (0.0, 0.1)])
def test_xdf_gaps_are_told_from_jitter(tmp_path, writers, jitter, burst):
    pytest.importorskip("pyxdf")
    rng = np.random.default_rng(3)
    n, rate = 3000, 250
    stamps = _stamped(n, rate, rng, jitter, burst)
    stamps[1000:] += 2.0  # 500 samples are lost
    values = rng.normal(size=(n, 2))
    marks = [(stamps[500], "a"), (stamps[2000] + 0.001, "b")]
    path = tmp_path / "g.xdf"
    writers["xdf"](
        path,
        [
            (1, "Amp", "EEG", "float32", rate, stamps, values, [("C3", "mV"), ("C4", "microvolts")]),
            (2, "M", "Markers", "string", 0, [m[0] for m in marks], [[m[1]] for m in marks], []),
        ],
    )
    rec = record.open(path)
    (a, na), (b, nb) = _starts(rec)
    assert (a, na, nb) == (0, 1000, 2000)
    assert abs(b - 1500) <= (burst or 0.012) * rate / 2 + 1
    data = np.concatenate([x.data for x in rec.blocks(100)])
    np.testing.assert_allclose(data, values * np.array([1000, 1]), rtol=1e-5)
    assert any("mV were converted" in note for note in rec.notes)
    samples = rec.events.table["sample"]
    slack = max(2, burst * rate)
    assert abs(samples[0] - 500) <= slack
    assert abs(samples[1] - (2000 + b - 1000)) <= slack


def test_a_stall_of_the_network_is_no_gap(tmp_path, writers):
    pytest.importorskip("pyxdf")
    stamps = 100 + np.arange(2000) / 250
    stamps[1000:1100] = stamps[1100] + np.arange(100) * 1e-6  # 0.4 s late, nothing lost
    path = tmp_path / "s.xdf"
    writers["xdf"](path, [(1, "A", "EEG", "float32", 250, stamps, np.zeros((2000, 1)), [("Cz", "uV")])])
    assert _starts(record.open(path)) == [(0, 2000)]


def test_xdf_streams_are_listed_and_chosen(tmp_path, writers):
    pytest.importorskip("pyxdf")
    t = 10 + np.arange(500) / 100
    path = tmp_path / "sub-P1_ses-2_task-mi_run-03.xdf"
    writers["xdf"](
        path,
        [
            (7, "Amp", "EEG", "float32", 100, t, np.ones((500, 3)), [("C3", ""), ("Cz", ""), ("C4", "")]),
            (3, "Glove", "Motion", "double64", 50, t[::2], np.zeros((250, 5)), []),
            (9, "Odd", "Gaze", "float32", 0, t[::7], np.zeros((len(t[::7]), 2)), []),
            (4, "Keys", "Markers", "int32", 0, [11.0, 12.0], [[5], [6]], []),
        ],
    )
    listed = record.streams(path)
    assert [(e.name, e.type, e.rate, e.n_channels, e.n_samples) for e in listed][:2] == [
        ("Amp", "EEG", 100.0, 3, 500),
        ("Glove", "Motion", 50.0, 5, 250),
    ]
    rec = record.open(path)
    assert rec.info.name == "Amp"
    assert any("'Amp' was taken" in n for n in rec.notes)
    assert any("uV is assumed" in n for n in rec.notes)
    assert [(int(e["sample"]), rec.event_info.labels[int(e["code"])]) for e in rec.events.table] == [
        (100, "5"),
        (200, "6"),
    ]
    assert (rec.entities.subject, rec.entities.session, rec.entities.task, rec.entities.run) == ("P1", "2", "mi", "03")
    for which in ("Glove", "Motion", 1):
        assert record.open(path, stream=which).info.name == "Glove"
    with pytest.raises(FormatError, match="no regular rate"):
        record.open(path, stream="Odd")
    with pytest.raises(FormatError, match="Choose one of them"):
        record.open(path, stream="Nothing")


def test_nothing_of_a_library_leaks_as_a_warning(tmp_path, writers):
    path = tmp_path / "w.edf"
    writers["edf"](path, [np.arange(100)], [10])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record.open(path).read()
