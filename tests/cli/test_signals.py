"""Ctrl-C and SIGTERM at any time: an exit code, no traceback, nothing left behind."""

import os
import signal
import subprocess
import sys

import pytest

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


def test_sigterm_ends_a_verb_in_order():
    done = ended("ranvier.acquire", signal.SIGTERM, "sources")
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "\nstopped\n")


def test_sigterm_is_given_back(cli):
    before = signal.getsignal(signal.SIGTERM)
    cli("--version")
    assert signal.getsignal(signal.SIGTERM) is before
