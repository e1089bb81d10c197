"""Codecs of network devices under mutated and under guided input: no crash, no hang, bounded memory."""

import importlib.util
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fuzz.devices import TARGETS, seeds

SECONDS = float(os.environ.get("RANVIER_FUZZ_SECONDS", "60"))


def mutated(data, chance):
    """Return bytes with some of what networks and villains do to them."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        a, b = sorted(chance.randrange(len(out) + 1) for _ in range(2))
        match chance.randrange(6):
            case 0 if out:
                out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
            case 1:
                del out[a : min(b, a + 64)]
            case 2:
                out[a:a] = out[a : min(b, a + 600)]
            case 3:
                out[a:a] = chance.randbytes(chance.randrange(32))
            case 4:
                del out[b:]
            case _:
                out[a : a + 8] = chance.choice([bytes(8), b"\xff" * 8, b"99999999", b'"', b"[{", b"-1e9"])
    return bytes(out)


def attack(name, rounds, seconds):
    chance, start = random.Random(51), seeds(name)
    end, done = time.monotonic() + seconds, 0
    while done < rounds and time.monotonic() < end:
        data = mutated(chance.choice(start), chance)
        began = time.thread_time()
        TARGETS[name](data)
        assert time.thread_time() - began < 1.0
        done += 1
    return done


@pytest.mark.parametrize("name", TARGETS)
def test_good_input_passes(name):
    for data in seeds(name):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutations_briefly(name):
    assert attack(name, 300, 10.0) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_mutations(name):
    assert attack(name, 10**9, SECONDS) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_guided(name, tmp_path):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed")
    for i, data in enumerate(seeds(name)):
        (tmp_path / str(i)).write_bytes(data)
    limits = [f"-max_total_time={SECONDS:.0f}", "-timeout=1", "-rss_limit_mb=1024", "-max_len=8192"]
    command = [sys.executable, "-m", "tests.fuzz.devices", name, str(tmp_path), *limits]
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root / "src"), str(root), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 60, cwd=tmp_path,
                          env={**os.environ, "PYTHONPATH": path}, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "DONE" in done.stderr
