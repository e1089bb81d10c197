"""Real recordings: sample for sample what the reference reader gives, events and entities as the README says."""

from __future__ import annotations

import re
import struct
import warnings
from fractions import Fraction

import numpy as np
import pytest

from ranvier import record
from ranvier.errors import FormatError

EDF = ["short_psg", "mne_test", "pyedflib_test_utf8", "test_subsecond"]
BDF = [
    "short_psg",
    "mne_test",
    "pyedflib_test_generator",
    "pyedflib_test_generator_datarec_generator_2",
    "test_subsecond",
]
FILES = [*(f"formats/edf/{n}.edf" for n in EDF), *(f"formats/edf/{n}.bdf" for n in BDF), "eegmmidb_s001/S001R04.edf"]


def _edfio(path):
    edfio = pytest.importorskip("edfio")
    return edfio.read_bdf(path) if path.suffix == ".bdf" else edfio.read_edf(path, lazy_load_data=False)


@pytest.mark.parametrize("name", FILES)
def test_edf_equals_edfio_in_every_stream(shared, name):
    path = shared(name)
    reference = _edfio(path)
    listed = record.streams(path)
    assert sum(e.n_channels for e in listed) == reference.num_signals
    for place, entry in enumerate(listed):
        rec = record.open(path, stream=place)
        signals = [s for s in reference.signals if s.sampling_frequency == entry.rate]
        assert rec.info.rate == Fraction(signals[0].samples_per_data_record) / Fraction(
            str(reference.data_record_duration)
        )
        data = rec.read().data
        assert data.shape == (len(signals[0].data), len(signals))
        assert data.dtype == np.float32
        assert data.flags.c_contiguous
        for i, signal in enumerate(signals):
            scale = {"uV": 1.0, "mV": 1e3, "V": 1e6}.get(signal.physical_dimension, 1.0)
            np.testing.assert_array_equal(data[:, i], (signal.data * scale).astype(np.float32))


@pytest.mark.parametrize("name", FILES)
def test_edf_annotations_equal_edfio(shared, name):
    path = shared(name)
    rec = record.open(path)
    wanted = sorted((round(a.onset * float(rec.info.rate), 2), a.text) for a in _edfio(path).annotations)
    notes = [e for e in rec.events.table if e["source"] == 0]
    got = sorted(
        (round(float(e["sample"]) + float(e["fraction"]), 2), rec.event_info.labels[int(e["code"])]) for e in notes
    )
    assert got == [w for w in wanted if 0 <= w[0] < rec.n_samples]


def test_eegmmidb_run_as_its_readme_says(shared):
    mne = pytest.importorskip("mne")
    path = shared("eegmmidb_s001/S001R04.edf")
    rec = record.open(path)
    assert (rec.info.n_channels, rec.info.rate, rec.entities.subject, rec.entities.run) == (64, 160, "S001", "R04")
    raw = mne.io.read_raw_edf(path, verbose="ERROR")
    np.testing.assert_allclose(rec.read().data, raw.get_data().T * 1e6, rtol=1e-6, atol=1e-3)
    events, names = mne.events_from_annotations(raw, verbose="ERROR")
    code = {v: k for k, v in names.items()}
    assert [(int(e["sample"]), rec.event_info.labels[int(e["code"])]) for e in rec.events.table] == [
        (int(s), str(code[c])) for s, _, c in events
    ]
    assert rec.events.table["duration"][0] == np.float32(4.2 * 160)
    assert len(rec.trials(["T1", "T2"], 0.5, 3.5)) == 15
    assert set(rec.trials({"T1": "left", "T2": "right"}, 0, 1).group) == {"R04"}
    assert "C3" in rec.info.channels.names


@pytest.mark.parametrize("name", ["S001R01", "S001R02"])
def test_the_two_short_eegmmidb_files_are_refused_and_read_in_part_on_request(shared, name):
    path = shared(f"eegmmidb_s001/{name}.edf")
    with pytest.raises(FormatError, match=r"record 60 of 61.*partial=True"):
        record.open(path)
    rec = record.open(path, partial=True)
    assert rec.n_samples == 60 * 160
    assert any("cut short" in n for n in rec.notes)


@pytest.mark.parametrize("suffix", ["edf", "bdf"])
def test_a_hypnogram_is_refused_as_a_signal(shared, suffix):
    with pytest.raises(FormatError, match="annotations and no signal"):
        record.open(shared(f"formats/edf/SC4001EC-Hypnogram.{suffix}"))


@pytest.mark.parametrize("suffix", ["edf", "bdf"])
def test_trigger_channel_becomes_events_as_mne_finds_them(shared, suffix):
    mne = pytest.importorskip("mne")
    path = shared(f"formats/edf/mne_test.{suffix}")
    rec = record.open(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = (mne.io.read_raw_bdf if suffix == "bdf" else mne.io.read_raw_edf)(path, verbose="ERROR", preload=True)
        found = mne.find_events(
            raw,
            next(c for c in raw.ch_names if c.lower() == "status"),
            consecutive=True,
            shortest_event=1,
            initial_event=True,
            mask=0xFFFF,
            mask_type="and",
            verbose="ERROR",
        )
    got = [(int(e["sample"]), int(e["value"])) for e in rec.events.table if e["source"] == 1]
    assert got == [(int(s), int(c)) for s, _, c in found]
    assert got


@pytest.mark.parametrize("subject", [1, 4])
def test_kalunga_equals_mne_and_its_table(shared, subject):
    mne = pytest.importorskip("mne")
    path = shared(f"kalunga2016_ssvep/sub-{subject:02d}_run-2_raw.fif")
    rec = record.open(path, labels={"2": "13Hz", "3": "21Hz", "4": "17Hz", "1": "rest"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.read_raw_fif(path, verbose="ERROR")
        found = mne.find_events(raw, "STI", shortest_event=1, verbose="ERROR")
    np.testing.assert_array_equal(rec.read().data[:, :8], (raw.get_data()[:8].T * 1e6).astype(np.float32))
    assert list(rec.events.table["sample"]) == list(found[:, 0] - raw.first_samp)
    rows = [
        line.split("\t")
        for line in path.with_name(path.name.replace("_raw.fif", "_events.tsv")).read_text().splitlines()
    ]
    names = [r[3] for r in rows[1:]]
    assert list(rec.events.table["sample"]) == [int(r[1]) for r in rows[1:]]
    labels = [rec.event_info.labels[int(c)] for c in rec.events.table["code"]]
    assert [re.sub(r"\W", "", v).lower() for v in labels] == [re.sub(r"\W", "", v).lower() for v in names]
    assert (rec.info.rate, rec.info.channels.units[0], rec.info.channels.kinds[8]) == (256, "uV", "trigger")
    assert (rec.entities.subject, rec.entities.run) == (f"{subject:02d}", "2")
    assert len(rec.trials("*Hz", 2, 4)) == 24
    assert rec.lazy


def _decode_bci2000(path):
    """Decode a file with struct and integer arithmetic alone, from the header's text."""
    raw = path.read_bytes()
    first = raw[: raw.index(b"\n")].decode()
    size, channels, states = (
        int(re.search(rf"{k}=\s*(\d+)", first)[1]) for k in ("HeaderLen", "SourceCh", "StatevectorLen")
    )
    text = raw[:size].decode("latin-1")

    def listed(name):
        words = re.search(rf" {name}= (.*?)(?://|\r?\n)", text)[1].split()
        return [float(re.match(r"[-\d.]+", w)[0]) for w in words[1 : 1 + int(words[0])]]

    gain, offset = listed("SourceChGain"), listed("SourceChOffset")
    where = {
        m[0]: (int(m[1]), int(m[2]), int(m[3])) for m in re.findall(r"^(\w+) (\d+) \d+ (\d+) (\d+)", text, re.MULTILINE)
    }
    samples, vectors = [], []
    for frame in struct.Struct(f"<{channels}h{states}s").iter_unpack(raw[size:]):
        samples.append(frame[:-1])
        vectors.append(int.from_bytes(frame[-1], "little"))
    data = (np.array(samples, np.float64) - offset) * gain
    decoded = {
        name: [v >> (8 * byte + bit) & ((1 << bits) - 1) for v in vectors]
        for name, (bits, byte, bit) in where.items()
        if name in ("StimulusCode", "StimulusType", "Running", "PhaseInSequence")
    }
    return data, decoded


@pytest.mark.parametrize(
    ("name", "channels", "rate", "seconds", "codes"),
    [
        ("eeg1_1", 64, 160, 123, {1, 2}),
        ("eeg1_2", 64, 160, 123, {1, 2}),
        ("eeg2_1", 64, 160, 158, None),
        ("eeg3_1", 8, 256, 222, set(range(1, 13))),
    ],
)
def test_bci2000_equals_an_independent_decoding(shared, name, channels, rate, seconds, codes):
    path = shared(f"bci2000_samples/{name}.dat")
    data, states = _decode_bci2000(path)
    rec = record.open(path)
    assert (rec.info.n_channels, rec.info.rate, round(rec.duration)) == (channels, rate, seconds)
    np.testing.assert_array_equal(rec.read().data, data.astype(np.float32))
    assert np.ptp(rec.read().data) > 10
    table = rec.events.table
    labels = np.array([rec.event_info.labels[int(c)] for c in table["code"]])
    for state, values in states.items():
        wanted, held, begin = [], 0, 0
        for k, v in enumerate([*values, 0]):
            if v != held:
                if held:
                    wanted.append((begin, f"{state}={held}", k - begin))
                held, begin = v, k
        mine = [i for i, v in enumerate(labels) if v.startswith(f"{state}=")]
        assert [(int(table["sample"][i]), str(labels[i]), int(table["duration"][i])) for i in mine] == wanted
    if codes:
        assert {int(v.split("=")[1]) for v in labels if v.startswith("StimulusCode=")} == codes
    if name == "eeg1_1":
        on = table["duration"][[v.startswith("StimulusCode=") for v in labels]]
        assert set(on) == {656.0}  # 4.1 s at 160 Hz
    if name == "eeg3_1":
        assert rec.info.channels.names == ("Fz", "Cz", "P3", "Pz", "P4", "PO7", "Oz", "PO8")


def test_bci2000_states_and_names_can_be_chosen(shared):
    path = shared("bci2000_samples/eeg1_1.dat")
    names = [f"E{i}" for i in range(64)]
    rec = record.open(path, states="StimulusCode", names=names)
    assert set(rec.event_info.labels.values()) == {"StimulusCode=1", "StimulusCode=2"}
    assert rec.info.channels.names == tuple(names)
    assert rec.entities.start == "2008-09-04T12:59:22"


def test_eeglab_equals_its_floats(shared):
    mne = pytest.importorskip("mne")
    path = shared("eeg_asr/eeglab_data.set")
    rec = record.open(path)
    stored = np.fromfile(path.with_suffix(".fdt"), "<f4").reshape(-1, 32)
    np.testing.assert_array_equal(rec.read().data, stored)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.read_raw_eeglab(path, verbose="ERROR")
        events, names = mne.events_from_annotations(raw, verbose="ERROR")
    code = {v: k for k, v in names.items()}
    got = [round(float(e["sample"]) + float(e["fraction"])) for e in rec.events.table]
    assert got == [int(s) for s in events[:, 0]]
    assert [rec.event_info.labels[int(e["code"])] for e in rec.events.table] == [str(code[c]) for c in events[:, 2]]
    assert rec.events.n == 154
    assert rec.info.channels.kinds[rec.info.channels.names.index("EOG1")] == "eog"
    assert all(p is not None for p in rec.info.channels.positions)
    assert rec.lazy


def test_brainvision_equals_its_floats(shared):
    folder = shared("ieeg_gripforce/sub-testsub/ses-EphysMedOff/ieeg")
    path = folder / "sub-testsub_ses-EphysMedOff_task-gripforce_run-0_ieeg.vhdr"
    rec = record.open(path)
    stored = np.fromfile(path.with_suffix(".eeg"), "<f4").reshape(-1, 10).astype(np.float64) * 0.1
    np.testing.assert_array_max_ulp(rec.read().data, stored.astype(np.float32), 1)
    assert rec.info.rate == 1000
    assert rec.info.channels.kinds == ("lfp",) * 3 + ("ecog",) * 6 + ("motion",)
    e = rec.entities
    assert (e.subject, e.session, e.task, e.run) == ("testsub", "EphysMedOff", "gripforce", "0")
    targets = rec.targets("motion")
    assert targets.names == ("MOV_RIGHT",)
    assert targets.values.dtype == np.float64
    np.testing.assert_array_equal(targets.values[:, 0], rec.read().data[:, 9])


def test_openbci_equals_loadtxt(shared):
    path = shared("eeg_asr/OpenBCI_GUI-v6-blinks-jawClench-alpha.txt")
    rec = record.open(path)
    stored = np.loadtxt(path, delimiter=",", skiprows=5, usecols=range(1, 12))
    eeg = rec.info.channels.find("eeg")
    assert len(eeg) == 8
    np.testing.assert_array_equal(rec.read().data[:, eeg], stored[:, :8].astype(np.float32))
    np.testing.assert_array_equal(
        rec.read().data[:, rec.info.channels.find("motion")], stored[:, 8:].astype(np.float32)
    )
    assert (rec.info.rate, round(rec.duration), rec.lazy) == (250, 90, False)
    assert rec.entities.start.startswith("2019-05-15T16:00:53")


@pytest.mark.parametrize("name", ["minimal", "empty_streams", "clock_resets"])
def test_xdf_equals_pyxdf(shared, name):
    pyxdf = pytest.importorskip("pyxdf")
    path = shared(f"formats/xdf/{name}.xdf")
    loaded, _ = pyxdf.load_xdf(path, verbose=False)
    rec = record.open(path)
    reference = next(s for s in loaded if s["info"]["name"][0] == rec.info.name)
    data = np.concatenate([b.data for b in rec.blocks(1000)])
    np.testing.assert_array_equal(data, np.asarray(reference["time_series"], np.float32))
    listed = {e.name: e.n_samples for e in record.streams(path)}
    assert listed == {s["info"]["name"][0]: len(s["time_stamps"]) for s in loaded}
    if name == "clock_resets":
        assert [(s.at, s.at + s.n - 1) for s in rec.segments] == reference["info"]["segments"]
        assert rec.events.n == 175
        markers = next(s for s in loaded if s["info"]["name"][0] == "MyMarkerStream")
        for stamp, event in zip(markers["time_stamps"], rec.events.table, strict=True):
            k = int(np.argmin(np.abs(reference["time_stamps"] - stamp)))
            if abs(reference["time_stamps"][k] - stamp) < 0.01:  # inside a segment: within a sample of its neighbour
                index = rec.index_of(k)
                assert abs(event["sample"] + event["fraction"] - index) < 1


def test_the_percept_demo_has_no_time_domain_and_says_so(shared):
    with pytest.raises(FormatError, match="without a time-domain stream"):
        record.open(shared("formats/percept/Session_Report_DEMO.json"))


@pytest.mark.parametrize(
    "name",
    [
        "formats/edf/short_psg.edf",
        "formats/edf/test_subsecond.bdf",
        "bci2000_samples/eeg3_1.dat",
        "kalunga2016_ssvep/sub-01_run-1_raw.fif",
        "eeg_asr/eeglab_data.set",
        "eeg_asr/OpenBCI_GUI-v6-blinks-jawClench-alpha.txt",
        "formats/xdf/clock_resets.xdf",
    ],
)
def test_blocks_of_any_size_make_up_the_whole(shared, name):
    rec = record.open(shared(name))
    rng = np.random.default_rng(5)
    for s in rec.segments:
        whole = rec.read(s.start, s.stop)
        for size in (1, 7, int(rng.integers(2, 5000)), s.n, s.n + 9):
            a, b = sorted(int(v) for v in rng.integers(s.start, min(s.stop, s.start + 20 * size) + 1, 2))
            parts = list(rec.blocks(size, a, b))
            assert [p.start for p in parts] == list(range(a, b, size))
            joined = np.concatenate([p.data for p in parts]) if parts else whole.data[:0]
            np.testing.assert_array_equal(joined, whole.data[a - s.start : b - s.start])
