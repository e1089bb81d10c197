"""The session files in examples/: each is read, and runs through `ranvier live` against a served recording."""

import json
import uuid
from pathlib import Path

import numpy as np
import pytest

from ranvier import channels, decode, denoise, features, record
from ranvier.cli import main
from ranvier.cli._files import open_pipeline, shipped
from ranvier.session import replay
from ranvier.session._file import read_session
from ranvier.stage import save_model
from ranvier.stream import Targets
from ranvier.twin import CytonServer, LSLServer, RhxServer, SimulatedSubject, cued

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "sessions"
OCCIPUT = ("Oz", "O1", "O2", "PO3", "POz", "PO4", "PO7", "PO8")


def person(intents, n_each, seed, **more):
    return SimulatedSubject(cues=cued(intents, n_each, pause=1.0, seed=seed), seed=seed, **more)


def fitted(name, someone, labels, path):
    pipeline = open_pipeline(shipped()[name])
    save_model(pipeline.fit(someone, someone.trials(labels, tmin=1.0, tmax=4.0)), path)
    return path


def live(name, tmp_path, capsys, *changes, seconds=2):
    """Run a session file for a while; return what it says of itself, and where it recorded."""
    path = tmp_path / "out.rvr"
    given = [word for change in changes for word in ("--set", change)]
    code = main(["live", str(FOLDER / name), "--for", f"{seconds}s", "--record", str(path), "--json", *given])
    said = capsys.readouterr()
    assert code == 0, said.err
    return json.loads(said.out), path


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda p: p.stem)
def test_session_files_can_be_read(path):
    said = read_session(path)
    assert said.budget.age <= said.guard.max_age
    assert said.guard.limits


def test_motor_imagery_over_lsl(tmp_path, capsys):
    pytest.importorskip("pylsl", reason="needs the extra acquire (pylsl)")
    someone = person(("left", "right"), 4, seed=3)
    model = fitted("mi", someone, {"cue/left": "left", "cue/right": "right"}, tmp_path / "mi.rvm")
    name = f"rv-{uuid.uuid4().hex[:8]}"
    with LSLServer(someone, name=name):
        found, path = live(
            "mi.toml", tmp_path, capsys, f"pipeline={model}", f"source=lsl:name={name}&address=127.0.0.1",
            "markers=['udp:127.0.0.1:0']", "guard.min_confidence=0.0",
        )  # fmt: skip
    assert found["counts"]["approved"] > 4
    assert found["recording"]["state"] == "closed"
    assert replay(path).check([None, 7]).identical


def test_flicker_on_a_cyton(tmp_path, capsys):
    pytest.importorskip("termios", reason="needs pseudo terminals")
    pytest.importorskip("serial", reason="needs the extra acquire (pyserial)")
    someone = person("ssvep", 2, seed=5, channels=OCCIPUT)
    labels = {f"cue/{c}": c for c in ("rest", "13Hz", "17Hz", "21Hz")}
    model = fitted("ssvep", someone, labels, tmp_path / "ssvep.rvm")
    log = tmp_path / "choices.jsonl"
    with CytonServer(someone) as server:
        found, path = live(
            "cyton.toml", tmp_path, capsys, f"pipeline={model}", f"source.port={server.where}", f"actuator.path={log}",
            "markers=['udp:127.0.0.1:0']", "guard.min_confidence=0.0", "doctor.demand=false",
            seconds=6,  # the narrow filters need 3.5 s to settle
        )  # fmt: skip
    assert found["counts"]["approved"] > 4
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1]["safe"]
    assert {line["given"][0] for line in lines if "given" in line} <= {0.0, 1.0, 2.0, 3.0}
    assert record.open(path).info.channels.names == OCCIPUT
    assert replay(path).check([None]).identical


def test_an_implant_behind_rhx(tmp_path, capsys):
    rng = np.random.default_rng(7)
    raw = rng.normal(0, 30, (90_000, 4)).astype(np.int16)
    raw[rng.integers(100, 89_000, 800), rng.integers(0, 4, 800)] = -500
    rec = record.from_array(raw, 30_000, [f"A-{k:03d}" for k in range(4)], kind="spikes", scale=0.195)
    recipe = (
        channels.CommonReference()
        | denoise.Bandpass(low=300, high=6000)
        | features.Spikes()
        | features.BinnedCounts(0.02)
        | decode.Kalman()
    )
    hand = np.repeat(rng.standard_normal((150, 2)), 600, axis=0)
    save_model(recipe.fit(rec, [Targets(names=("vx", "vy"), units=("1/s", "1/s"), values=hand)]), tmp_path / "v.rvm")
    with RhxServer(rec, port=0) as server:
        found, path = live(
            "implant.toml", tmp_path, capsys, f"pipeline={tmp_path / 'v.rvm'}",
            f"source=rhx:127.0.0.1?port={server.port}&channels=A-000..A-003", "budget.age=1.0", "guard.max_age=1.0",
        )  # fmt: skip
    assert found["counts"]["approved"] > 20
    assert found["sources"]["signal"]["lost"] == 0
    assert replay(path).check([None]).identical
