"""bench clean: every stage that it times does what it says, and broken signal is broken."""

import json

import numpy as np
import pytest

from ranvier.evaluate.bench import Options, clean
from ranvier.evaluate.bench import _clean as bench
from ranvier.evaluate.bench._data import EEG_RATE, make_eeg
from ranvier.stage import Run
from ranvier.stream import Block

FEW, CHANNELS, SEED = 8, 64, 5


@pytest.fixture(scope="module")
def made():
    info = bench.describe(CHANNELS)
    x = make_eeg(CHANNELS, 80.0, SEED).potentials
    return info, bench.fitted(x[: 60 * EEG_RATE], info), x[60 * EEG_RATE :]


def test_it_lists_every_stage_and_what_it_promises():
    options = Options(channels=FEW, seconds=0.5, turns=1, block_ms=(100.0,), seed=SEED)
    found = json.loads(json.dumps(clean(options)))
    who = [r["who"] for r in found["rows"]]
    assert who[:5] == ["Integrity", "BadChannels", "RobustReference", "LineNoise", "SubspaceReconstruction"]
    assert who[5:] == ["all of them", "SubspaceReconstruction, broken", "all of them, broken"]
    assert all(r["core_percent"] > 0 for r in found["rows"])
    assert [r["delay_s"] for r in found["rows"]] == [0, 0, 0, 0, 0.25, 0.25, 0.25, 0.25]


def test_the_chain_does_on_broken_signal_what_is_timed(made):
    info, asr, x = made
    broken = bench.broken(x, info)
    assert not np.array_equal(broken[:, bench.DEAD], x[:, bench.DEAD])
    out = Run(bench.front() | asr, info).push(Block(broken, 0))
    late = out.data[-5 * EEG_RATE :], out.valid[-5 * EEG_RATE :]
    assert not late[1][:, bench.DEAD].any()  # the electrode that has come off is left out
    others = np.arange(CHANNELS) != bench.DEAD
    assert late[1][:, others].all()
    front = np.argmax(np.array(info.channels.positions, float)[:, 1] * others)
    assert np.ptp(late[0][:, front]) < 0.8 * np.ptp(broken[-5 * EEG_RATE :, front])  # uV, peak to peak
