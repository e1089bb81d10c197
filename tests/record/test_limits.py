"""Files that claim more than they hold, or than anybody has, are refused before memory is asked for."""

import json
import struct
import warnings
import zipfile
import zlib
from importlib import metadata

import numpy as np
import pytest

from ranvier import record
from ranvier.errors import ConfigError, FormatError
from ranvier.record import _mat_file, _openbci, _reading
from ranvier.stage import resolve


def test_a_json_file_beyond_the_cap_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": 1}))
    assert _reading.read_json(path) == {"a": 1}
    monkeypatch.setattr(_reading, "LARGEST_JSON", 4)
    with pytest.raises(FormatError, match="at most"):
        _reading.read_json(path)


def test_json_nested_without_end_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[" * 200_000)
    with pytest.raises(FormatError, match="not readable as JSON"):
        _reading.read_json(path)


def test_memory_that_is_not_there_is_a_fault_of_the_file(tmp_path):
    with pytest.raises(FormatError, match="more memory"), _reading.guarded(tmp_path / "a.x", [], "reading it"):
        raise MemoryError


def _packed(size):
    inner = zlib.compress(bytes(size))
    return b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(inner)) + inner


def test_a_packed_element_that_unpacks_beyond_the_cap_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.mat"
    path.write_bytes(_packed(1 << 20))
    monkeypatch.setattr(_mat_file, "LARGEST_PACKED", 1 << 16)
    with pytest.raises(FormatError, match="unpacks to over"):
        _mat_file.check_mat(path)


def test_a_packed_element_within_another_is_refused(tmp_path):
    deep = struct.pack("<II", 15, 8) + bytes(8)
    inner = zlib.compress(deep)
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(inner)) + inner)
    with pytest.raises(FormatError, match="in another one"):
        _mat_file.check_mat(path)


def test_a_member_of_an_npz_file_that_claims_too_much_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    path.with_suffix(".json").write_text(json.dumps({"schema": 1, "rate": 100, "n_channels": 2}))
    np.savez_compressed(path, data=np.zeros((100_000, 2)))
    assert record.open(path).n_samples == 100_000  # zeros pack as well as anything can
    with zipfile.ZipFile(path) as held:
        (member,) = held.infolist()
    raw = path.read_bytes()
    mine = struct.pack("<I", member.file_size)
    at = raw.rindex(mine)  # in the directory at the end
    path.write_bytes(raw[:at] + struct.pack("<I", 0xF0000000) + raw[at + 4 :])
    with pytest.raises(FormatError, match="unpacked"):
        record.open(path)


@pytest.mark.parametrize("count", ["99999999999", "1" * 30, "65537", "0"])
def test_an_absurd_number_of_channels_is_refused(tmp_path, count):
    path = tmp_path / "a.dat"
    path.write_bytes(f"HeaderLen= 60 SourceCh= {count} StatevectorLen= 1\r\n".encode().ljust(100))
    with pytest.raises(FormatError, match="SourceCh"):
        record.open(path)
    path = tmp_path / "a.txt"
    count = count.replace("65537", "9999999999999")
    path.write_text(f"%OpenBCI Raw EXG Data\n%Number of channels = {count}\n%Sample Rate = 250 Hz\n1, 2\n")
    with pytest.raises(FormatError, match="Number of channels"):
        record.open(path)


def test_a_text_file_beyond_the_cap_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("%OpenBCI Raw EXG Data\n")
    monkeypatch.setattr(_openbci, "LARGEST", 4)
    with pytest.raises(FormatError, match="loaded whole"):
        record.open(path)


class _Broken:
    name, value = "toy.Broken", "toy:Broken"

    @staticmethod
    def load():
        raise ImportError("libtoy is missing")


def test_a_broken_plug_in_stops_no_other_file(tmp_path, monkeypatch):
    monkeypatch.setattr(metadata, "entry_points", lambda **_: [_Broken])
    np.save(tmp_path / "a.npy", np.ones((5, 2)))
    (tmp_path / "a.json").write_text(json.dumps({"schema": 1, "rate": 100, "n_channels": 2}))
    with pytest.warns(UserWarning, match="libtoy is missing"):
        rec = record.open(tmp_path / "a.npy")
    assert rec.n_samples == 5
    with pytest.raises(ConfigError, match="libtoy is missing"):
        resolve("toy.Broken")


def test_no_plug_in_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(record.formats()) >= 11
