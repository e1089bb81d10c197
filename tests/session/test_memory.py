"""A session that runs for long needs no more memory than at its beginning."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is looked at in /proc")


def grown(folder, seconds, channels, rate, speed):
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-m", "tests.session.grown", *map(str, (seconds, channels, rate, speed, folder))]
    done = subprocess.run(
        command, env=env, cwd=Path(__file__).parents[2], capture_output=True, check=True, timeout=3 * seconds + 60
    )
    return json.loads(done.stdout)


def check(found):
    assert found["state"] == "closed"
    assert set(found["lost"].values()) == {0}
    assert found["sources"]["signal"]["overrun_samples"] == 0
    assert found["counts"]["restarts"] == 0
    for process in ("loop", "recorder"):
        first, *_, last = found[process]
        assert last < 1.02 * first, f"{process}: from {first / 2**20:.1f} to {last / 2**20:.1f} MiB"


def test_a_minute_at_eight_times_its_pace(tmp_path):
    check(grown(tmp_path, 8, 32, 500, 8))


@pytest.mark.slow
def test_ten_minutes_of_256_channels(tmp_path):
    check(grown(tmp_path, 600, 256, 2000, 1))
