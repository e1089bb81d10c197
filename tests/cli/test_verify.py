"""ranvier verify: exit codes, words and JSON."""

import numpy as np
import pytest

from ranvier.record import Stored, Writer
from ranvier.stream import Channels, StreamInfo

pytest.importorskip("numcodecs", reason="the extra 'record' is not installed")
pytest.importorskip("google_crc32c", reason="the extra 'record' is not installed")


@pytest.fixture
def recording(tmp_path):
    info = StreamInfo.signal(500, Channels.of(4, "eeg", "count"), name="raw", dtype="int16")
    with Writer(tmp_path / "a.rvr", {}, {"raw": Stored(info, 0.5, "uV")}, sync_seconds=0) as w:
        w.append("raw", np.arange(2000, dtype="int16").reshape(500, 4), 0, 1)
        w.append("raw", np.arange(400, dtype="int16").reshape(100, 4), 700, 2)
    return tmp_path / "a.rvr"


def test_a_sound_recording(cli, recording):
    said = cli("verify", recording, "--json")
    assert said.code == 0
    found = said.json
    assert found["clean"]
    assert found["closed"]
    assert found["streams"] == [{"name": "raw", "samples": 600, "first": 0, "stop": 800, "gaps": [[500, 200]]}]
    assert sum(found["bytes"].values()) == sum(p.stat().st_size for p in recording.rglob("*") if p.is_file())
    plain = cli("verify", recording)
    assert plain.code == 0
    assert "every byte is sound" in plain.out


def test_a_damaged_one(cli, recording):
    shard = recording / "part-000" / "00-raw" / "000000" / "c.0.0"
    raw = bytearray(shard.read_bytes())
    raw[40] ^= 4
    shard.write_bytes(raw)
    said = cli("verify", recording, "--json")
    assert said.code == 1
    (place,) = said.json["damage"]
    assert (place["file"], place["at"]) == ("part-000/00-raw/000000/c.0.0", 0)
    assert "places are damaged" in cli("verify", recording).out


def test_what_an_interrupted_writer_left_is_no_damage(cli, recording):
    part = recording / "part-000"
    for name in ("end.json", "00-raw/000000/zarr.json"):
        (part / name).unlink()
    with (part / "00-raw" / "000000" / "journal").open("ab") as file:
        file.write(b"half a record")
    said = cli("verify", recording)
    assert said.code == 0
    assert "was interrupted" in said.out
    assert "behind the last record" in said.out


def test_what_is_no_recording(cli, tmp_path):
    assert "needs a recording" in cli("verify", tmp_path / "none.rvr").message
    assert "needs a recording" in cli("verify", tmp_path).message
