"""The command line called in this process, and small files for it."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from ranvier.cli import main

RATE, SEED = 200, 11
NAMES = ("C3", "Cz", "C4", "O1", "Oz", "O2")


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one JSON document on standard output: anything beside it is an error."""
        return json.loads(self.out)

    @property
    def message(self):
        """The one message of wrong input."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert self.out == ""
        assert "Traceback" not in self.err
        last = self.err.strip().splitlines()[-1]
        assert last.startswith("error: ")
        assert len(last) > 20
        return last


@pytest.fixture
def cli(capfd):
    def call(*arguments):
        capfd.readouterr()
        code = main([str(a) for a in arguments])
        return Said(code, *capfd.readouterr())

    return call


def write_recording(path, seed=SEED, seconds=60):
    """A recording as a NumPy array with its description: left and right raise power at C3 or C4."""
    rng = np.random.default_rng(seed)
    x = 10 * rng.standard_normal((seconds * RATE, len(NAMES)))
    events = []
    for k, at in enumerate(range(2 * RATE, (seconds - 3) * RATE, 3 * RATE)):
        label = ("left", "right")[(k + k // 2) % 2]
        events.append([at, f"cue/{label}"])
        x[at : at + 2 * RATE, 0 if label == "left" else 2] *= 2.5
    np.save(path, x.astype(np.float32))
    said = {"schema": 1, "rate": RATE, "names": NAMES, "events": events, "entities": {"subject": path.stem}}
    path.with_suffix(".json").write_text(json.dumps(said))
    return path


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Two recordings, pipelines and a protocol."""
    folder = tmp_path_factory.mktemp("cli")
    write_recording(folder / "s01.npy", 1)
    write_recording(folder / "s02.npy", 2)
    (folder / "front.toml").write_text(FRONT)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "protocol.toml").write_text(PROTOCOL)
    return folder


FRONT = """
schema = 1
[[stage]]
use = "channels.Pick"
what = ["C*"]
[[stage]]
use = "denoise.Bandpass"
low = 8.0
high = 30.0
"""
LEARNED = """
[[{0}]]
use = "features.Covariance"
length = 1.0
hop = 0.2
[[{0}]]
use = "decode.TangentSpace"
[[{0}]]
use = "decode.LDA"
"""
RECIPE = FRONT + LEARNED.format("stage")
PROTOCOL = (
    """
schema = 1
name = "left or right"
cuts = [37]
[trials]
tmin = 0.0
tmax = 2.0
[trials.labels]
"cue/left" = "left"
"cue/right" = "right"
[split]
kind = "kfold"
k = 3
[leak]
memory = "settle"
purge = true
[[pipeline]]
name = "TS+LDA"
"""
    + FRONT.replace("schema = 1", "").replace("[[stage]]", "[[pipeline.stage]]")
    + LEARNED.format("pipeline.stage")
)
