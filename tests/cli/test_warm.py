"""The warm verb: what it has compiled is not compiled again, by nobody; wrong words are one message."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PIPELINE = """
schema = 1
[[stage]]
use = "channels.Scale"
gain = 0.195
[[stage]]
use = "denoise.Highpass"
low = 1.0
[[stage]]
use = "denoise.Resample"
rate = 200.0
"""
START = """
import sys
import numpy as np
from ranvier.kernels._watch import compiling
from ranvier.stage import Run, load_pipeline
from ranvier.stream import Block, StreamInfo
with compiling() as compiled:
    run = Run(load_pipeline(sys.argv[1]), StreamInfo.signal(500, 8, dtype=np.int16))
    assert run.push(Block(np.ones((1000, 8), np.int16))).n
print(*compiled)
"""


def program(*arguments, folder):
    """A fresh process whose caches of kernels are in `folder`."""
    env = {**os.environ, "RANVIER_CACHE": str(folder / "ours"), "NUMBA_CACHE_DIR": str(folder / "numba")}
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def kept(folder):
    """What lies in the caches."""
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.suffix in (".py", ".nbi", ".nbc")}


def test_after_warm_a_run_compiles_nothing(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text(PIPELINE)
    numbers = ("--rate", 500, "--channels", 8, "--dtype", "int16")
    said = program("-m", "ranvier", "warm", path, *numbers, "--json", folder=tmp_path)
    (row,) = json.loads(said.stdout)["pipelines"]
    assert row["input"] == "8 int16 at 500 Hz"
    assert any(name.startswith("k_") for name in row["compiled"])
    assert "p.toml: compiling _polyphase." in said.stderr
    files = kept(tmp_path)
    assert any(Path(name).parent.name == "kernels" for name in files)
    assert program("-c", START, path, folder=tmp_path).stdout.split() == []
    assert kept(tmp_path) == files
    again = program("-m", "ranvier", "warm", path, *numbers, "--json", folder=tmp_path)
    assert json.loads(again.stdout)["pipelines"][0]["compiled"] == []
    # the proof can fail: from an empty cache the same start compiles what warm said, and writes the same files
    cold = tmp_path / "cold"
    assert sorted(program("-c", START, path, folder=cold).stdout.split()) == sorted(row["compiled"])
    assert {Path(f).name for f in kept(cold)} == {Path(f).name for f in files}


DEMO = """
import sys
from ranvier.cli import main
from ranvier.kernels._watch import compiling
with compiling() as compiled:
    assert main(["demo", "--fast", "--seconds", "20", "--paradigm", sys.argv[1], "--json"]) == 0
print("compiled:", *compiled, file=sys.stderr)
"""


def test_without_arguments_it_warms_what_the_demo_needs(cli):
    rows = cli("warm", "--json").json["pipelines"]
    assert [r["pipeline"] for r in rows] == ["mi", "ssvep"]
    for row in rows:
        done = subprocess.run(
            [sys.executable, "-c", DEMO, row["pipeline"]], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.splitlines()[-1].split() == ["compiled:"]


def test_recordings_and_models(cli, files, tmp_path):
    said = cli("warm", files / "front.toml", "--data", files / "s01.npy", "--json").json
    assert said["pipelines"][0]["input"] == "6 float32 at 200 Hz"
    said = cli("warm", files / "recipe.toml", "--data", files / "s01.npy")
    assert "TangentSpace, LDA not yet: fit it, then warm the model" in said.out
    model = tmp_path / "m.rvm"
    trials = ("--trials", "cue/left=left", "--trials", "cue/right=right", "--tmax", 2)
    assert cli("fit", files / "recipe.toml", files / "s01.npy", *trials, "--out", model).code == 0
    said = cli("warm", model, files / "front.toml", "--data", files / "s01.npy", "--json").json
    assert [r["unfitted"] for r in said["pipelines"]] == [[], []]
    assert "Pick needs channels that the stream has" in cli("warm", model, "--rate", 100, "--channels", 6).message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["front.toml"], "--rate and --channels"),
        (["front.toml", "--rate", "250"], "--channels together; got --rate"),
        (["front.toml", "--rate", "0", "--channels", "8"], "above 0"),
        (["front.toml", "--rate", "nan", "--channels", "8"], "above 0"),
        (["front.toml", "--rate", "250", "--channels", "8", "--dtype", "int8"], "int16, int32"),
        (["front.toml", "--rate", "250", "--channels", "8", "--group", "3"], "--group needs to divide"),
        (["front.toml", "--data", "s01.npy", "--rate", "250"], "got both"),
        (["front.toml", "--stream", "EEG"], "Name the recording"),
        (["nowhere.toml", "--rate", "250", "--channels", "8"], "nowhere.toml does not exist"),
        (["p300"], "mi, ssvep"),
        (["front.toml", "--rate", "50", "--channels", "8"], "Pick needs"),
        (["ridge.toml", "--rate", "250", "--channels", "8"], "never fitted"),
    ],
)
def test_wrong_words_are_one_message_and_exit_2(cli, files, monkeypatch, arguments, words):
    monkeypatch.chdir(files)
    (files / "ridge.toml").write_text('schema = 1\n[[stage]]\nuse = "decode.Ridge"\n')
    assert words in cli("warm", *arguments).message


def test_the_start_is_measured_from_a_model_that_starts(tmp_path):
    from ranvier.cli._bench_start import IMPLANT, _until_output, write_implant
    from ranvier.errors import RanvierError

    model = write_implant(tmp_path / "m.rvm", 64)
    taken, used = _until_output(["-c", IMPLANT, str(model), "64"], "decided")
    assert 0 < taken < 100
    assert used > 0
    with pytest.raises(RanvierError, match="got its end"):
        _until_output(["-c", IMPLANT, str(tmp_path / "nothing.rvm"), "64"], "decided")
