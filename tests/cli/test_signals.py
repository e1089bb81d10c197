"""Ctrl-C, SIGTERM and SIGHUP at any time: an exit code, no traceback, nothing left behind."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from ranvier import record

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")

# the program sends itself a signal at a place, as if somebody did at that time
AT = """
import os, signal, sys
from importlib.abc import MetaPathFinder
class Here(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), int(sys.argv[2]))
sys.meta_path.insert(0, Here())
from ranvier.cli import main
sys.exit(main(sys.argv[3:]))
"""


def ended(module, number, *arguments):
    given = [sys.executable, "-c", AT, module, str(int(number)), *arguments]
    return subprocess.run(given, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("module", ["ranvier.cli._main", "typer", "ranvier.cli._warm", "ranvier.acquire"])
def test_ctrl_c_while_the_program_is_still_being_read(module):
    done = ended(module, signal.SIGINT, "sources")
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_termination_ends_a_verb_in_order(number, code):
    done = ended("ranvier.acquire", number, "sources")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "\nstopped\n")


def test_a_verb_under_nohup_outlives_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does; a child inherits it
    try:
        done = ended("ranvier.cli._warm", signal.SIGHUP, "--version")
        later = ended("ranvier.acquire", signal.SIGHUP, "sources", "--timeout", "0.1")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (done.returncode, later.returncode) == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_session_is_ended_in_order(tmp_path, number):
    np.save(tmp_path / "s.npy", np.zeros((250, 2), np.float32))
    (tmp_path / "s.json").write_text('{"schema": 1, "rate": 1, "names": ["a", "b"], "entities": {}}')
    out = tmp_path / "a.rvr"
    verb = ["record", f"replay:{tmp_path / 's.npy'}", str(out), "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "ranvier", *verb], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        try:
            assert "recording to" in process.stderr.readline()
            process.send_signal(number)
            said, _ = process.communicate(timeout=60)
        finally:
            process.kill()  # which one that has ended does not feel
    assert process.returncode == 0
    assert json.loads(said)["ended"] == ("Ctrl-C" if number == signal.SIGINT else number.name)
    assert record.verify(out).closed


def test_sigterm_is_given_back(cli):
    before = signal.getsignal(signal.SIGTERM)
    cli("--version")
    assert signal.getsignal(signal.SIGTERM) is before
