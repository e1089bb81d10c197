"""ranvier serve and ranvier sources: what they serve and find, and what they refuse."""

import json

import numpy as np
import pytest

from ranvier import acquire
from ranvier.cli import main
from ranvier.cli._serve import make_server, parse_time
from ranvier.errors import ConfigError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "talk.txt"
    rows = "\n".join(", ".join([str(i % 256), *["1.5"] * 8, "0, 0, 0, 12:00:00.000, 0"]) for i in range(100))
    path.write_text(
        "%OpenBCI Raw EEG Data\n%Number of channels = 8\n%Sample Rate = 250 Hz\n%Board = OpenBCI_GUI$BoardCytonSerial\n"
        + rows
        + "\n"
    )
    return path


def test_serve_for_a_while_as_json(file, capsys):
    pytest.importorskip("termios", reason="needs pseudo terminals")
    assert main(["serve", "cyton?daisy=false", str(file), "--for", "200ms", "--loop", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["verb"] == "serve"
    assert said["protocol"] == "cyton"
    assert said["source"] == f"cyton:{said['where']}"
    assert said["samples"] == 0  # nobody asked for any
    assert 0.2 <= said["seconds"] < 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing", "FILE"], "PROTOCOL needs one of cyton"),
        (["cyton?daysi=true", "FILE"], "got 'daysi=true'"),
        (["cyton?drop=2", "FILE"], "0 <= drop < 1; got 2"),
        (["cyton", "missing.edf"], "missing.edf does not exist"),
        (["cyton", "FILE", "--for", "soon"], "--for needs a length of time"),
        (["rhx?port=70000", "FILE"], "port from 0 to 65535; got 70000"),
        (["rhx?port=x", "FILE"], "port from 0 to 65535; got 'x'"),
        (["openephys?broadcast=-1", "FILE"], "broadcast from 0 to 65535; got -1"),
        (["lsl?dtype=int8", "FILE"], "dtype float32 or float64"),
        (["cyton", "cyton:x?nothing=1"], "got 'nothing=1'"),
    ],
)
def test_serve_refuses(arguments, message, file, capsys):
    assert main(["serve", *[str(file) if a == "FILE" else a for a in arguments]]) == 2
    assert message in capsys.readouterr().err


def test_times():
    assert [parse_time(t) for t in ("60s", "5min", "250ms", "1h", "90", "2m")] == [60, 300, 0.25, 3600, 90, 120]
    for wrong in ("", "s", "-1s", "nan", "1d"):
        with pytest.raises(ConfigError):
            parse_time(wrong)


def test_a_server_by_text(file):
    from ranvier import record

    server = make_server("cyton?drop=0.1&seed=3&seconds=0.2", record.open(file), 2.0, False)
    assert (server.drop, server.seed, server.seconds, server.speed) == (0.1, 3, 0.2, 2.0)
    assert np.isclose(server.feed_info.rate, 250)


def test_sources_as_json(capsys, monkeypatch):
    found = [acquire.Found("cyton:/dev/a", "Dongle\x1b[31m", "a serial port")]
    monkeypatch.setattr(acquire, "sources", lambda timeout: (found, {"lsl": "no library"}))
    assert main(["sources", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["sources"] == [{"source": "cyton:/dev/a", "name": "Dongle\x1b[31m", "detail": "a serial port"}]
    assert said["not_looked"] == {"lsl": "no library"}
    assert {"cyton", "lsl", "brainflow"} <= set(said["schemes"])
    assert main(["sources"]) == 0
    out = capsys.readouterr().out
    assert "\x1b[31m" not in out
    assert "cyton:/dev/a" in out
