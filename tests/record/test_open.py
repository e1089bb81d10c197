"""What kind of file it is, by content and name; options; plug-ins; libraries that are absent; laziness."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tracemalloc
from importlib import metadata

import numpy as np
import pytest

from ranvier import record
from ranvier.errors import ConfigError, FormatError, MissingExtraError, RanvierError
from ranvier.record import _names
from ranvier.stream import Recording


@pytest.fixture
def edf(tmp_path, writers):
    path = tmp_path / "a.edf"
    writers["edf"](path, [np.arange(100), -np.arange(100)], [10, 10])
    return path


def test_a_file_of_another_kind_is_told_by_its_content(tmp_path, edf, writers):
    writers["xdf"](tmp_path / "b.xdf", [(1, "A", "EEG", "float32", 10, [1.0, 1.1], [[1.0], [2.0]], [])])
    for source, wrong, said in (
        (edf, "x.xdf", "named like XDF but its first bytes are those of EDF"),
        (edf, "x.bdf", "named like BDF but its first bytes are those of EDF"),
        (tmp_path / "b.xdf", "x.edf", "named like EDF but its first bytes are those of XDF"),
        (tmp_path / "b.xdf", "x.txt", "Rename it to end in .xdf"),
    ):
        shutil.copy(source, tmp_path / wrong)
        with pytest.raises(FormatError, match=said):
            record.open(tmp_path / wrong)


@pytest.mark.parametrize(
    "suffix", [".edf", ".bdf", ".fif", ".vhdr", ".set", ".xdf", ".dat", ".txt", ".json", ".npy", ".npz", ".xdfz"]
)
@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256)) * 20, b"\r\n" * 900])
def test_nonsense_of_every_name_is_refused_by_name(tmp_path, suffix, content):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"x.*not what its name says") as caught:
        record.open(path)
    assert "byte 0" in str(caught.value)


def test_content_is_enough_where_the_name_says_nothing(tmp_path, edf):
    shutil.copy(edf, tmp_path / "unnamed")
    assert record.open(tmp_path / "unnamed").info.n_channels == 2


def test_what_is_no_recording_is_refused(tmp_path):
    for name, content, said in (
        ("x.eeg", b"\1\2\3", r"Open the \.vhdr file"),
        ("x.fdt", b"\1\2\3", r"Open the \.set file"),
        ("x.odd", b"\1\2\3", "of no known kind"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError, match=said):
            record.open(tmp_path / name)
    with pytest.raises(FormatError, match="is a folder"):
        record.open(tmp_path)
    with pytest.raises(FormatError, match="does not exist"):
        record.open(tmp_path / "absent.edf")


def test_an_unknown_option_is_refused(edf):
    with pytest.raises(ConfigError, match=r"EDF has no option 'colour'; it takes stream, labels, partial"):
        record.open(edf, colour="red")


def test_every_recording_fits_the_protocol(edf):
    rec = record.open(edf)
    assert isinstance(rec, Recording)
    assert record.streams(edf) == [record.StreamEntry("10 Hz", "signal", 10.0, 2, 100)]
    assert "2 channels, 10 Hz, 10 s" in repr(rec)
    assert len(rec.digest()) == 64


@pytest.mark.parametrize(
    ("library", "name"),
    [
        ("edfio", "formats/edf/short_psg.edf"),
        ("mne", "kalunga2016_ssvep/sub-01_run-1_raw.fif"),
        ("mne", "eeg_asr/eeglab_data.set"),
        ("pymatreader", "eeg_asr/eeglab_data.set"),
        ("pyxdf", "formats/xdf/minimal.xdf"),
    ],
)
def test_an_absent_library_is_named_with_the_line_that_installs_it(shared, monkeypatch, library, name):
    path = shared(name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"needs {library}.*pip install 'ranvier\[record\]'"):
        record.open(path)


def test_importing_the_room_brings_no_heavy_library():
    code = (
        "import sys, numpy; before = set(sys.modules); import ranvier.record as r; r.formats(); "
        "new = {m.split('.')[0] for m in set(sys.modules) - before}; "
        "heavy = {'mne', 'scipy', 'edfio', 'pyxdf', 'pymatreader', 'pandas', 'matplotlib', 'sklearn', 'numba'}; "
        "print(sorted(new & heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class _Plugin:
    """A format of someone else's: the suffix .toy, two bytes that say so, then int8 numbers."""

    name = "Toy"
    suffixes = (".toy",)

    def sniff(self, path, head):
        return head.startswith(b"TY")

    def open(self, path, *, twice=False):
        raw = np.frombuffer(path.read_bytes()[2:], np.int8)[:, None]
        if len(raw) == 13:
            raise KeyError("unlucky")
        return record.from_array(raw * (2 if twice else 1), 100, ["x"])


def test_a_plug_in_opens_its_own_kind(tmp_path, monkeypatch):
    class Point:
        @staticmethod
        def load():
            return _Plugin()

    real = metadata.entry_points
    monkeypatch.setattr(
        metadata, "entry_points", lambda **k: [Point] if k.get("group") == "ranvier.formats" else real(**k)
    )
    path = tmp_path / "a.toy"
    path.write_bytes(b"TY\1\2\3")
    np.testing.assert_array_equal(record.open(path, twice=True).read().data[:, 0], [2, 4, 6])
    assert record.streams(path)[0].n_samples == 3
    with pytest.raises(ConfigError, match="Toy has no option"):
        record.open(path, thrice=True)
    path.write_bytes(b"TY" + bytes(13))
    with pytest.raises(FormatError, match="KeyError"):
        record.open(path)
    path.write_bytes(b"ZZ")
    with pytest.raises(FormatError, match="not what its name says"):
        record.open(path)


def _big_edf(path, kind, width):
    """Write a header of 64 channels and 4000 records of 250 samples: a hole in the file system, 128 MB or more."""
    count, n = 64, 4000
    low, high = (-32768, 32767) if width == 2 else (-8388608, 8388607)

    def text(v, size):
        return str(v).encode().ljust(size)

    head = (b"0       " if width == 2 else b"\xffBIOSEMI") + text("X", 80) + text("X", 80) + b"01.01.0112.00.00"
    head += text(256 * (count + 1), 8) + text("", 44) + text(n, 8) + text(1, 8) + text(count, 4)
    for values, size in (
        ([f"C{i}" for i in range(count)], 16),
        ([""] * count, 80),
        (["uV"] * count, 8),
        ([-500] * count, 8),
        ([500] * count, 8),
        ([low] * count, 8),
        ([high] * count, 8),
        ([""] * count, 80),
        ([250] * count, 8),
        ([""] * count, 32),
    ):
        head += b"".join(text(v, size) for v in values)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + n * count * 250 * width)


def _big_bci2000(path):
    head = (
        "HeaderLen= 00000 SourceCh= 64 StatevectorLen= 2\r\n[ State Vector Definition ] \r\nStimulusCode 8 0 0 0\r\n"
        "[ Parameter Definition ] \r\nSource int SamplingRate= 250 128 1 4000 // rate\r\n"
        f"A floatlist SourceChGain= 64 {'0.1 ' * 64}// gain\r\nA floatlist SourceChOffset= 64 {'0 ' * 64}// off\r\n\r\n"
    )
    head = head.replace("00000", f"{len(head):05d}")
    with path.open("wb") as file:
        file.write(head.encode())
        file.truncate(len(head) + 10**6 * 130)


def _big_raw(path):
    path.with_suffix(".json").write_text('{"schema": 1, "rate": 1000, "n_channels": 64, "dtype": "int16"}')
    with path.open("wb") as file:
        file.truncate(10**6 * 128)


@pytest.mark.parametrize("name", ["a.edf", "a.bdf", "a.dat", "a.bin"])
def test_a_big_file_is_not_read_whole(tmp_path, name):
    path = tmp_path / name
    if name == "a.dat":
        _big_bci2000(path)
    elif name == "a.bin":
        _big_raw(path)
    else:
        _big_edf(path, name, 3 if name == "a.bdf" else 2)
    record.open(path).read(0, 10)
    tracemalloc.start()
    rec = record.open(path)
    first = next(rec.blocks(50))
    last = rec.read(rec.n_samples - 50)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rec.lazy
    assert rec.n_samples == 10**6
    assert first.n == last.n == 50
    assert peak < 16 << 20, f"{peak >> 20} MiB for 100 samples of a file of {path.stat().st_size >> 20} MiB"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("C3", "eeg"),
        ("Fp1", "eeg"),
        ("FC5", "eeg"),
        ("EEG Fpz-Cz", "eeg"),
        ("HEOG", "eog"),
        ("EOG horizontal", "eog"),
        ("EMG submental", "emg"),
        ("EKG1", "ecg"),
        ("LFP_RIGHT_0", "lfp"),
        ("ECOG_L_3", "ecog"),
        ("Status", "trigger"),
        ("STI 014", "trigger"),
        ("MOV_RIGHT", "motion"),
        ("Accel Channel 0", "motion"),
        ("sine 5Hz", "misc"),
        ("Thigh", "misc"),
    ],
)
def test_kinds_from_names(name, kind):
    assert _names.kind_of(name, "misc") == kind


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("V", 1e6), ("mV", 1e3), ("uV", 1), ("µV", 1), ("μV", 1), ("nV", 1e-3), ("g", None), ("", None)],
)
def test_units(unit, factor):
    assert _names.to_microvolts(unit) == factor


def test_entities_from_bids_names(tmp_path):
    folder = tmp_path / "sub-07" / "ses-B" / "eeg"
    found = _names.entities_of(folder / "sub-07_task-mi_run-3_acq-dry_eeg.edf", subject="X9", device="amp")
    assert (found.subject, found.session, found.task, found.run, found.device) == ("07", "B", "mi", "3", "amp")
    assert found.extra == {"acq": "dry"}
    assert _names.entities_of(tmp_path / "a.edf", subject="X9").subject == "X9"


def test_units_and_twins_in_edf(tmp_path, writers):
    path = tmp_path / "a.edf"
    truth = writers["edf"](path, [np.arange(100), -np.arange(100)], [10, 10], labels=["Cz..", "Cz"], unit="mV")
    rec = record.open(path)
    assert rec.info.channels.names == ("Cz", "Cz-1")
    np.testing.assert_array_equal(rec.read().data, (np.stack(truth, 1) * 1000).astype(np.float32))
    assert any("mV were converted to uV" in n for n in rec.notes)
    assert any("more than once" in n for n in rec.notes)


def test_the_rate_is_exact(tmp_path, writers):
    path = tmp_path / "a.edf"
    writers["edf"](path, [np.arange(30)], [3], duration="0.7")
    assert record.open(path).info.rate * 7 == 30


def test_an_edf_that_was_not_closed_is_read_to_its_end(edf):
    raw = bytearray(edf.read_bytes())
    raw[236:244] = b"-1      "
    edf.write_bytes(raw)
    rec = record.open(edf)
    assert rec.n_samples == 100
    assert any("not closed" in n for n in rec.notes)


def test_an_edf_whose_line_ends_were_converted_is_refused(edf):
    raw = edf.read_bytes()
    edf.write_bytes(raw[:768] + raw[768:].replace(b"\n", b"\r\n"))
    with pytest.raises(FormatError, match="line ends were converted"):
        record.open(edf)


def test_errors_are_ours(edf):
    assert issubclass(FormatError, RanvierError)
    raw = bytearray(edf.read_bytes())
    raw[244:252] = b"one     "
    edf.write_bytes(raw)
    with pytest.raises(FormatError, match=r"a\.edf: byte 244 \(duration of a data record\) needs a number.*'one'"):
        record.open(edf)
