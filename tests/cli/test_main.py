"""The program as a whole: help, errors, exit codes, what it imports, how it is stopped."""

import os
import signal
import subprocess
import sys

import pytest

VERBS = ("demo", "inspect", "run", "fit", "evaluate", "stages", "check", "warm", "bench")


def program(*arguments, **kw):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120, **kw)


def test_help_lists_every_verb_in_order(cli):
    said = cli("--help")
    assert said.code == 0
    places = [said.out.index(f" {v} ") for v in VERBS]
    assert places == sorted(places)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_json(cli, verb):
    said = cli(verb, "--help")
    assert said.code == 0
    assert "--json" in said.out


def test_version(cli):
    from ranvier import __version__

    assert cli("--version").out.strip() == f"ranvier {__version__}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sing"], "sing"),
        (["run", "--loud"], "--loud"),
        (["run"], "PIPELINE"),
        (["fit", "mi", "x.edf"], "--out"),
        (["run", "a.toml", "b.edf", "--block", "0"], "--block"),
        (["run", "a.toml", "b.edf", "--block", "many"], "--block"),
        (["demo", "--paradigm", "p300"], "paradigm"),
        (["check"], "--all"),
        (["stages", "denoise.Loud"], "denoise.Loud"),
        (["bench", "loud"], "loud"),
    ],
)
def test_wrong_words_are_one_message_and_exit_2(cli, arguments, words):
    assert words.lower() in cli(*arguments).message.lower()


def test_help_and_the_room_import_nothing_heavy():
    code = (
        "import sys; from ranvier.cli import main; main(['--help']);"
        "print([m for m in ('numpy', 'numba', 'sklearn', 'mne', 'scipy', 'pyarrow') if m in sys.modules])"
    )
    assert program("-c", code).stdout.strip().endswith("[]")


def test_a_fault_of_ours_is_said_to_be_one(cli, monkeypatch):
    from ranvier.cli import _inspect

    monkeypatch.setattr(_inspect, "need_file", lambda *_: 1 / 0)
    said = cli("inspect", "x.edf")
    assert said.code == 70
    assert "ZeroDivisionError" in said.err
    assert "Traceback" not in said.err
    monkeypatch.setenv("RANVIER_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        cli("inspect", "x.edf")


def test_stopping_is_quiet_and_exits_130():
    command = [sys.executable, "-u", "-m", "ranvier", "demo", "--seconds", "600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline().startswith("Ranvier")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    # CPython ends itself by the signal where it came while a text was executed (a dataclass being made); shells say 130
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in out + err


def test_a_reader_that_leaves_is_no_error():
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen(
        [sys.executable, "-m", "ranvier", "stages", "--json"], stdout=write, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(write)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 141
    assert err == ""
