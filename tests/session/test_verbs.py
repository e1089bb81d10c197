"""ranvier live, record, replay and doctor; and what the doctor finds."""

import json

import numpy as np
import pytest

from ranvier import denoise, record
from ranvier.cli import _live_session, main
from ranvier.session import Session, _doctor, doctor
from tests.session.scripted import Script, noise, packets

RATE = 250
SESSION = """
schema = 1
pipeline = "band.toml"
source = "replay:s.npy?speed=4"
record = "live.rvr"
subject = "P1"
[map]
targets = ["a", "b"]
names = ["x", "y"]
units = ["1", "1"]
[budget]
age = 1.0
miss = "warn"
[guard]
max_age = 5.0
[[guard.limits]]
name = "x"
unit = "1"
low = -2.0
high = 2.0
beyond = "clamp"
[actuator]
use = "act.Log"
path = "{folder}/acts.jsonl"
"""
BAND = """
schema = 1
[[stage]]
use = "denoise.Bandpass"
low = {low}
high = 30.0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recording, two pipelines, a session that names them; run once."""
    folder = tmp_path_factory.mktemp("verbs")
    np.save(folder / "s.npy", noise(1500, 3, seed=4))
    said = {"schema": 1, "rate": RATE, "names": ["a", "b", "c"], "events": [[500, "go"]], "entities": {}}
    (folder / "s.json").write_text(json.dumps(said))
    (folder / "band.toml").write_text(BAND.format(low=8.0))
    (folder / "other.toml").write_text(BAND.format(low=9.0))
    (folder / "session.toml").write_text(SESSION.format(folder=folder))
    return folder


@pytest.fixture
def ran(capfd):
    """Call the program; return its code, its one document, and what it said aside."""

    def call(*arguments):
        capfd.readouterr()
        code = main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, json.loads(out) if out.startswith("{") else out, err

    return call


@pytest.fixture(scope="module")
def lived(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir("/")  # files lie beside the session's, wherever it is called
        assert main(["live", str(folder / "session.toml")]) == 0
    return folder / "live.rvr"


def test_a_session_from_a_file(folder, lived):
    found = record.open(lived)
    assert found.closed
    assert found.entities.subject == "P1"
    assert found.raw("signal").stretches == [(0, 1500)]
    assert [e for e in found.log("event") if e.payload["label"] == "go"]
    lines = [json.loads(line) for line in (folder / "acts.jsonl").read_text().splitlines()]
    assert lines[-1]["safe"]
    assert max(abs(v["given"][0]) for v in lines[:-1]) <= 2.0
    assert len(lines) > 500


def test_replay_check_and_another_graph(folder, lived, ran):
    code, said, _ = ran("replay", lived, "--check", "--json")
    assert code == 0
    assert said["identical"]
    assert said["decisions"] == 1500
    code, said, _ = ran("replay", lived, "--with", folder / "other.toml", "--json")
    assert code == 0
    assert 0.5 < said["agree"] < 1
    code, text, _ = ran("replay", lived)
    assert code == 0
    assert "identical to the bit" in text


def test_recording_from_a_source_and_going_on_with_it(folder, ran, tmp_path):
    source, out = f"replay:{folder / 's.npy'}?speed=8", tmp_path / "r.rvr"
    code, said, _ = ran("record", source, out, "--subject", "P2", "--json")
    assert code == 0
    assert said["recording"]["state"] == "closed"
    assert said["counts"]["samples"] == 1500
    code, _, err = ran("record", source, out, "--json")
    assert code == 2
    assert "is there already" in err
    code, _, _ = ran("record", source, out, "--resume", "--for", "0.1s", "--subject", "P2", "--json")
    assert code == 0
    (a, b), (c, _) = record.open(out).raw("signal").stretches
    assert (a, b) == (0, 1500)
    assert c > b


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["live", "{f}/nothing.toml"], "nothing.toml"),
        (["live", "{f}/band.toml"], "known are"),
        (["live", "{f}/session.toml", "--set", "budget.age=-1"], "budget.age"),
        (["live", "{f}/session.toml", "--set", "budget"], "--set"),
        (["live", "{f}/session.toml", "--set", "pipeline=none.toml"], "none.toml"),
        (["live", "{f}/session.toml", "--set", "source=replay:none.npy", "--record", "{t}/x.rvr"], "none.npy"),
        (
            [
                "live",
                "{f}/session.toml",
                "--set",
                "guard.limits=[]",
                "--set",
                "map.targets=['z','b']",
                "--record",
                "{t}/x.rvr",
            ],
            "target 'z'",
        ),
        (["live", "{f}/session.toml", "--for", "soon"], "soon"),
        (["record", "nosuch:thing", "{t}/x.rvr"], "nosuch"),
        (["record", "replay:{f}/s.npy?speed=0", "{t}/x.rvr"], "pace"),
        (["record", "replay:{f}/s.npy?speed=fast", "{t}/x.rvr"], "speed"),
        (["record", "replay:{f}/s.npy", "{t}/x.edf"], ".rvr"),
        (["replay", "{f}/nothing.rvr"], "does not exist"),
        (["replay", "{f}/s.npy"], "session with a graph"),
        (["doctor", "{f}/nothing.toml"], "nothing.toml"),
        (["doctor", "--minutes", "0"], "minutes"),
    ],
)
def test_bad_input_is_one_sentence(folder, ran, tmp_path, arguments, said):
    code, out, err = ran(*[a.format(f=folder, t=tmp_path) for a in arguments])
    assert code == 2
    assert out == ""
    assert said in err
    assert err.strip().splitlines()[-1].startswith("error: ")
    assert not list(tmp_path.glob("*.rvr"))


# the doctor -------------------------------------------------------------------------------------------
def found(findings, what):
    return next(f for f in findings if f.what.startswith(what))


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(_doctor, "LOOK", 1.2)
    monkeypatch.setattr(_doctor, "WRITING", 0.3)


def device(x, **more):
    return Script(packets(x, 5), paced=True, real=True, channels=x.shape[1], **more)


def test_the_doctor_finds_nothing_where_nothing_is(quick, folder, tmp_path, ran):
    findings = doctor(Session(device(noise(1000)), denoise.Bandpass(8, 30), record=tmp_path / "a.rvr"), minutes=1)
    names = {f.what for f in findings}
    assert {"source signal", "counter of signal", "flat channels of signal", "railing or missing of signal", "graph",
            "timer", "memory for rings", "free space", "sync to disk", "sustained write"} <= names  # fmt: skip
    for what in ("source", "counter", "flat", "railing", "free", "memory"):
        assert found(findings, what).status == "good", found(findings, what)
    code, said, _ = ran("doctor", folder / "session.toml", "--minutes", "1", "--json")
    assert said["status"] in ("good", "doubtful", "bad")
    assert code == (said["status"] == "bad")
    assert {f["what"] for f in said["findings"]} >= {"source signal", "graph", "timer", "free space"}


def test_flat_railing_and_lost(quick):
    x = noise(1000)
    x[:, 1] = 3.0
    x[:, 2] = 500.0
    source = device(x, front=denoise.Integrity(rail=400))
    source.steps = [p for i, p in enumerate(source.steps) if i % 5]
    source.counters.lost = 7
    findings = doctor(Session(source, denoise.Bandpass(8, 30)))
    assert found(findings, "flat").status == "doubtful"
    assert "ch001" in found(findings, "flat").found
    assert "ch002" in found(findings, "railing").found
    assert found(findings, "counter").status == "bad"
    assert "7 samples lost" in found(findings, "counter").found
    assert all(f.advice for f in findings if f.status != "good")


def test_a_graph_that_does_not_fit_and_a_device_that_is_not_there(quick):
    findings = doctor(Session(device(noise(1000)), denoise.Bandpass(100, 300)))
    assert found(findings, "graph").status == "bad"
    assert "rate/2" in found(findings, "graph").found
    gone = device(noise(10), opens=[OSError("no such port")])
    findings = doctor(Session(gone, denoise.Bandpass(8, 30)))
    assert found(findings, "source").status == "bad"
    assert gone.phase == "closed"


def test_a_bad_disk(quick, monkeypatch, tmp_path):
    import shutil
    import time
    from collections import namedtuple

    monkeypatch.setattr(_doctor.os, "fdatasync", lambda handle: time.sleep(0.06))
    monkeypatch.setattr(_doctor, "SYNC", (0.01, 0.05))
    monkeypatch.setattr(_doctor, "TIMES", 1e6)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    findings = doctor(folder=tmp_path, minutes=10)
    assert found(findings, "sync").status == "bad"
    assert found(findings, "free").status == "bad"
    assert found(findings, "sustained").status == "bad"
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(quick, tmp_path):
    findings = doctor(folder=tmp_path / "none" / "deeper", minutes=0.1)
    assert found(findings, "folder").status == "bad"
    assert "is no folder" in found(findings, "folder").found


def test_what_the_recorder_could_not_do_is_shown(capsys):
    full = {"path": "a.rvr", "state": "closed", "lost": {"signal": 7}, "error": "No space left on device"}
    nothing = {"decisions": 0, "invalid": 0}
    _live_session.show({
        "ended": "source", "seconds": 1.0, "sources": {}, "counts": nothing, "guard": None, "granted": {},
        "latency_us": {}, "recording": full,
    })  # fmt: skip
    said = capsys.readouterr().out
    assert "7 samples lost" in said
    assert "No space left on device" in said


def test_a_session_can_demand_it(folder, ran, monkeypatch, quick):
    import shutil
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    code, _, err = ran(
        "live", folder / "session.toml", "--set", "doctor.demand=true", "--set", "record=demanded.rvr", "--json"
    )
    assert code == 2
    assert "demands" in err
    assert "free space" in err
    assert not (folder / "demanded.rvr").exists()
