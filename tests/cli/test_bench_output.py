"""Standard output of ranvier bench --json is one document, whatever peers and their processes print."""

import json
import subprocess
import sys

LOUD = """
import os, subprocess, sys
from ranvier.cli import _bench, main
from ranvier.evaluate import bench

def loud(options, tell):
    print("a peer's greeting")
    subprocess.run([sys.executable, "-c", "print('a child of a peer')"], check=True)
    return {"rows": [{"who": "a peer"}], "notes": []}

bench.BENCHES = {"loud": ("nothing", loud)}
sys.argv = ["ranvier", "bench", "loud", "--json"]
main()
"""


def test_what_peers_print_goes_to_standard_error():
    done = subprocess.run([sys.executable, "-c", LOUD], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == [{"who": "a peer"}]
    assert "a peer's greeting" in done.stderr
    assert "a child of a peer" in done.stderr
