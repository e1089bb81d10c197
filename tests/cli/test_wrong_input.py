"""Wrong input: one message that names what is wrong, exit code 2, never a traceback."""

import os

import numpy as np
import pytest

HOSTILE = [
    "os.system", "../x", "ranvier.denoise:Bandpass", "__import__", "denoise.__import__", "denoise._iir.Bandpass",
    "denoise.os", "builtins.eval", "/etc/passwd", "denoise.", ".Bandpass", "", "channels.Pick\n", "decode.filter_bank",
]  # fmt: skip


def test_missing_files(cli, files, tmp_path):
    gone = tmp_path / "gone.edf"
    front, rec = files / "front.toml", files / "s01.npy"
    for arguments in (
        ["inspect", gone],
        ["run", front, gone],
        ["run", tmp_path / "gone.toml", rec],
        ["run", tmp_path / "gone.rvm", rec],
        ["fit", files / "recipe.toml", gone, "--trials", "a", "--out", tmp_path / "m.rvm"],
        ["evaluate", tmp_path / "gone.toml", rec],
        ["evaluate", files / "protocol.toml", gone],
        ["check", tmp_path / "gone.toml"],
    ):
        assert "gone" in cli(*arguments).message


def test_folders_where_files_belong(cli, files, tmp_path):
    folder = tmp_path / "data.edf"
    folder.mkdir()
    (tmp_path / "p.toml").mkdir()
    for arguments in (
        ["inspect", folder],
        ["run", files / "front.toml", folder],
        ["run", tmp_path / "p.toml", files / "s01.npy"],
        ["evaluate", tmp_path / "p.toml", files / "s01.npy"],
    ):
        assert "folder" in cli(*arguments).message
    assert "no file of a known kind" in cli("evaluate", files / "protocol.toml", folder).message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX")
def test_what_is_there_but_no_recording_is_called_what_it_is(cli, tmp_path):
    pipe, hollow = tmp_path / "a.edf", tmp_path / "a.rvr"
    os.mkfifo(pipe)
    hollow.mkdir()
    for verb in (["inspect"], ["export", "--to", "xdf"], ["replay"]):
        assert "is a pipe" in cli(*verb, pipe).message
        assert "without a recording's parts" in cli(*verb, hollow).message


def test_demo_of_what_is_not_there(cli, files, tmp_path):
    for arguments, words in (
        (["--recording", tmp_path / "gone.edf"], "gone.edf"),
        (["--recording", tmp_path], "folder"),
        (["--recording", files / "s01.npy", "--trials", "cue/left"], "two classes"),
        (["--recording", files / "s01.npy", "--trials", "up"], "up"),
        (["--recording", files / "s01.npy", "--tmin", 3, "--tmax", 2], "--tmin"),
        (["--trials", "cue/left"], "--recording"),
    ):
        said = cli("demo", "--fast", *arguments)
        assert said.code == 2
        assert words in said.err
        assert "Traceback" not in said.err


def test_wrong_suffixes(cli, files, tmp_path):
    assert ".toml" in cli("run", files / "s01.json", files / "s01.npy").message
    assert ".npz" in cli("run", files / "front.toml", files / "s01.npy", "--out", tmp_path / "o.csv").message
    assert "nowhere" in cli("run", files / "front.toml", files / "s01.npy", "--out", tmp_path / "nowhere/o.npz").message
    assert ".rvm" in cli("fit", "mi", files / "s01.npy", "--trials", "a", "--out", tmp_path / "m.pkl").message


def test_damaged_recordings(cli, files, tmp_path):
    for name, content in (("a.edf", b"\0" * 300), ("b.fif", b"nothing"), ("c.npy", b"\x93NUMPY"), ("d.xyz", b"?")):
        (tmp_path / name).write_bytes(content)
        assert name in cli("inspect", tmp_path / name).message
    np.save(tmp_path / "alone.npy", np.zeros((10, 2)))
    assert "alone" in cli("inspect", tmp_path / "alone.npy").message


def test_toml_that_is_none(cli, files, tmp_path):
    bad = tmp_path / "bad.toml"
    for content, words in (
        (b"schema = ", "TOML"),
        (b"schema = 1\nstage = [", "TOML"),
        (b"\xff\xfe", "bad.toml"),
        (b"", "schema"),
        (b"schema = 1\n", "stage"),
        (b"a = " + b"[" * 5000, "bad.toml"),
    ):
        bad.write_bytes(content)
        assert words in cli("run", bad, files / "s01.npy").message
        assert words in cli("inspect", bad).message


@pytest.mark.parametrize("use", HOSTILE)
def test_hostile_names_load_nothing(cli, files, tmp_path, use, monkeypatch):
    import json
    import os

    monkeypatch.setattr(os, "system", lambda *_: pytest.fail("was called"))
    bad = tmp_path / "bad.toml"
    bad.write_text(f"schema = 1\n[[stage]]\nuse = {json.dumps(use)}\n")
    assert "stage[0].use" in cli("run", bad, files / "s01.npy").message
    bad.write_text(
        f"schema = 1\n[[stage]]\nuse = 'Parallel'\n[[stage.branch]]\n[[stage.branch.stage]]\nuse = {json.dumps(use)}\n"
    )
    assert "stage[0].branch[0].stage[0].use" in cli("inspect", bad).message


@pytest.fixture(scope="module")
def model(files):
    from ranvier.cli import main

    out = files / "whole.rvm"
    trials = ["--trials", "cue/left", "--trials", "cue/right", "--tmax", "2"]
    assert main(["fit", str(files / "recipe.toml"), str(files / "s01.npy"), *trials, "--out", str(out)]) == 0
    return out


def test_damaged_models(cli, files, model, tmp_path):
    whole, bad = model.read_bytes(), tmp_path / "bad.rvm"
    changed = bytearray(whole)
    changed[-3] ^= 0x40  # one bit of a learned number: the id no longer fits
    for content in (b"", whole[:40], whole[: len(whole) // 2], whole[:-1], bytes(changed), b"\x80\x04K\x01."):
        bad.write_bytes(content)
        assert "bad.rvm" in cli("run", bad, files / "s01.npy").message
        assert "bad.rvm" in cli("inspect", bad).message
    import pickle

    bad.write_bytes(pickle.dumps({"a": 1}))
    assert "bad.rvm" in cli("run", bad, files / "s01.npy").message


def test_a_model_refuses_other_channels_and_rates(cli, model, tmp_path):
    from tests.cli.conftest import write_recording

    path = write_recording(tmp_path / "other.npy")
    said = path.with_suffix(".json")
    said.write_text(said.read_text().replace('"Cz"', '"C9"'))
    assert "C9" in cli("run", model, path).message


def test_a_pipeline_that_does_not_fit_the_recording(cli, files, tmp_path):
    pipe = tmp_path / "p.toml"
    for stage, words in (
        ('use = "denoise.Bandpass"\nlow = 8.0\nhigh = 300.0', "high=300 Hz"),
        ('use = "channels.Pick"\nwhat = "T9"', "T9"),
        ('use = "decode.LDA"', "LDA"),
        ('use = "features.Covariance"\nlength = 1.0\nhop = 0.3', "hop"),
        ('use = "features.LogVariance"', "LogVariance"),
    ):
        pipe.write_text(f"schema = 1\n[[stage]]\n{stage}\n")
        assert words in cli("run", pipe, files / "s01.npy").message


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        ([], "--trials"),
        (["--trials", "cue/up"], "cue/up"),
        (["--trials", "cue/left"], "two classes"),
        (["--trials", "cue/left=a", "--trials", "cue/right"], "cue/right"),
        (["--trials", "cue/*", "--tmin", "3", "--tmax", "2"], "--tmin"),
        (["--trials", "cue/*", "--tmax", "0.1"], "window"),
        (["--trials", "cue/*", "--protocol", "p.toml"], "--protocol"),
    ],
)
def test_trials_that_teach_nothing(cli, files, tmp_path, trials, words):
    out = tmp_path / "m.rvm"
    assert words in cli("fit", files / "recipe.toml", files / "s01.npy", *trials, "--out", out).message
    assert not out.exists()


def test_nothing_to_fit(cli, files, tmp_path):
    said = cli("fit", files / "front.toml", files / "s01.npy", "--trials", "cue/*", "--out", tmp_path / "m.rvm")
    assert "nothing to be fitted" in said.message


def test_a_protocol_with_a_wrong_key_and_one_that_leaks(cli, files, tmp_path):
    text, bad = (files / "protocol.toml").read_text(), tmp_path / "bad.toml"
    for old, new, words in (
        ("k = 3", "k = 'three'", "split.k"),
        ("tmax = 2.0", "tmux = 2.0", "trials.tm"),
        ('kind = "kfold"', 'kind = "magic"', "split.kind"),
        ("[[pipeline]]", "[[pipelime]]", "pipelime"),
        ('use = "decode.LDA"', 'use = "os.system"', "use"),
        ('memory = "settle"\npurge = true', 'memory = "support"', "purge"),
    ):
        assert old in text
        bad.write_text(text.replace(old, new))
        assert words in cli("evaluate", bad, files / "s01.npy").message


def test_what_a_file_says_cannot_steer_the_terminal(cli, tmp_path):
    from tests.cli.conftest import write_recording

    path = write_recording(tmp_path / "odd.npy", seconds=20)
    said = path.with_suffix(".json")
    said.write_text(said.read_text().replace("cue/left", "\\u001b[31m[bold]red[/]\\u0007"))
    out = cli("inspect", path).out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[31m[bold]red[/]" in out


def test_out_never_harms_what_is_read(cli, files, tmp_path, monkeypatch):
    import shutil

    from ranvier.cli import _results

    front, rec = files / "front.toml", tmp_path / "rec.npz"
    np.savez(rec, data=np.load(files / "s01.npy"))
    shutil.copy(files / "s01.json", tmp_path / "rec.json")
    (tmp_path / "link.npz").symlink_to(rec)
    (tmp_path / "folder.npz").mkdir()
    before = rec.read_bytes()
    for name, words in (("rec.npz", "is an input"), ("link.npz", "is an input"), ("folder.npz", "is a folder")):
        assert words in cli("run", front, rec, "--out", tmp_path / name).message
    assert rec.read_bytes() == before

    old = tmp_path / "old.npz"
    old.write_bytes(b"what stood there")

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_results.np, "savez_compressed", full)
    assert "old.npz cannot be" in cli("run", front, rec, "--out", old).message
    assert old.read_bytes() == b"what stood there"
    assert not [p for p in tmp_path.iterdir() if p.name.endswith(".part")]


def test_numbers_beyond_all_recordings(cli, files, tmp_path):
    front, rec, pipe = files / "front.toml", files / "s01.npy", tmp_path / "p.toml"
    for start in ("inf", "1e308"):
        assert "--start" in cli("run", front, rec, "--start", start).message
    assert cli("run", front, rec, "--stop", "inf", "--json").json["stop"] == 60 * 200
    assert "stream" in cli("run", front, rec, "--stream", "²").message
    for end in ("inf", "1e308"):
        fit = ["fit", files / "recipe.toml", rec, "--trials", "cue/*", "--out", tmp_path / "m.rvm"]
        assert "tmax" in cli(*fit, "--tmax", end).message
    for use in ("Covariance", "Window"):
        for key in ("length", "hop"):
            said = {"length": "1.0", "hop": "0.1"} | {key: "1e308"}
            lines = "\n".join(f"{k} = {v}" for k, v in said.items())
            pipe.write_text(f'schema = 1\n[[stage]]\nuse = "features.{use}"\n{lines}\n')
            assert key in cli("run", pipe, rec).message
    pipe.write_text("schema = " + "9" * 5000)
    assert "TOML" in cli("run", pipe, rec).message


def test_models_with_no_place_or_no_sense(cli, files, model, tmp_path):
    import json
    import struct

    (tmp_path / "d.rvm").mkdir()
    trials = ["--trials", "cue/*", "--tmax", "2"]
    said = cli("fit", files / "recipe.toml", files / "s01.npy", *trials, "--out", tmp_path / "d.rvm")
    assert "d.rvm" in said.message
    whole = model.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    for text in ("a = " + "[" * 5000, "a = " + "9" * 5000):
        head = json.loads(whole[8 : 8 + length])
        head["__metadata__"]["ranvier"] = text
        raw = json.dumps(head).encode()
        bad = tmp_path / "odd.rvm"
        bad.write_bytes(struct.pack("<Q", len(raw)) + raw + whole[8 + length :])
        assert "odd.rvm" in cli("run", bad, files / "s01.npy").message


@pytest.mark.parametrize("text", ["raise RuntimeError('boom')", "import sys\nsys.exit(3)", "def f(:"])
def test_check_of_a_module_that_breaks(cli, tmp_path, monkeypatch, text):
    import sys

    monkeypatch.chdir(tmp_path)
    name = f"breaks_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    assert "cannot import" in cli("check", f"{name}:X").message
    sys.modules.pop(name, None)


def test_check_of_examples_that_break(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd_examples.py").write_text(
        "class A:\n    @classmethod\n    def example(cls):\n        raise RuntimeError('no')\n"
        "class B:\n    @classmethod\n    def example(cls):\n        return 5\n"
    )
    for name in ("A", "B"):
        assert f"{name}.example()" in cli("check", f"odd_examples:{name}").message


def test_closed_outputs_and_odd_settings(files):
    import os
    import subprocess
    import sys

    begin = f"{sys.executable} -m ranvier run {files / 'front.toml'} "
    for text, code in ((f"{files / 's01.npy'} >&-", 0), (f"{files / 'gone.npy'} 2>&-", 2)):
        assert subprocess.run(["sh", "-c", begin + text], stdout=subprocess.DEVNULL).returncode == code
    for width in ("abc", "0", "-4", "100000"):
        env = os.environ | {"RANVIER_WIDTH": width}
        done = subprocess.run(["sh", "-c", begin + str(files / "s01.npy")], env=env, capture_output=True, text=True)
        assert done.returncode == 2
        assert "RANVIER_WIDTH" in done.stderr
