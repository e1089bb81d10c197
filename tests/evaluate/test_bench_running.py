"""Bench running: what runs live is what runs offline, losses are counted, figures add up. No time is asserted."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

from ranvier.errors import ConfigError, RanvierError
from ranvier.evaluate.bench import Options, markdown, running
from ranvier.evaluate.bench import _running as running_bench
from ranvier.evaluate.bench import _running_load as load_bench
from ranvier.stage import Run
from ranvier.stream import Block

SEED = 5


@pytest.fixture(scope="module")
def load():
    return load_bench.Load.of(64, 30, SEED)


def test_running_from_end_to_end():
    found = json.loads(json.dumps(running(Options(channels=64, seconds=0.5, peers=(), seed=SEED))))
    for row in found["rows"]:
        assert row["blocks"] + row["lost"] == 1000
        assert row["lost_samples"] == 30 * row["lost"]
        assert 0 < row["p50_us"] <= row["p99_us"] <= row["p999_us"]
        assert row["decided_p50_us"] > 0
        assert row["due_p50_us"] > row["p50_us"]
    assert [row["who"] for row in found["rows"]] == ["ranvier", "ranvier, awake 100 us before"]
    assert found["rows"][0]["times_ours_p99"] == 1
    text = markdown(found)
    assert "| 64 | 1 | ranvier |" in text
    assert f"Seed {SEED}." in text


def test_ezmsg_s_graph_from_end_to_end():
    if find_spec("ezmsg") is None or find_spec("ezmsg.event") is None:
        pytest.skip("ezmsg is not installed (benchmarks/peers.txt)")
    found = running(Options(channels=64, seconds=0.5, peers=("ezmsg",), seed=SEED))
    ours, _, theirs = found["rows"]
    assert theirs["who"] == "ezmsg graph"
    assert theirs["blocks"] == 500
    assert theirs["lost"] == 0
    assert theirs["times_ours_p99"] == pytest.approx(theirs["due_p99_us"] / ours["due_p99_us"])
    assert theirs["due_p50_us"] > theirs["p50_us"]


def offline(load, blocks=50, n=600):
    run = Run(load.stage, load.info)
    return [run.push(Block(load.samples(k * n, n), k * n)) for k in range(blocks)]


def test_decisions_that_differ_by_one_bit_are_refused(load):
    live = offline(load)
    assert live[40].valid.all()
    running_bench._check(load, live)
    wrong = live[40].data.copy()
    wrong[0, 0] = np.nextafter(wrong[0, 0], np.inf)
    with pytest.raises(RanvierError, match="other data"):
        running_bench._check(load, [*live[:40], Block(wrong, live[40].start, live[40].valid), *live[41:]])


def test_more_channels_are_the_same_again_and_decode_the_same(monkeypatch):
    monkeypatch.setattr(load_bench, "MADE", 64)
    load = load_bench.Load.of(192, 30, SEED)
    few = load_bench.Load.of(64, 30, SEED)
    x = load.samples(59_990, 20)  # over the end of what is repeated
    assert x.shape == (20, 192)
    assert np.array_equal(x[:, :64], x[:, 128:])
    assert np.array_equal(x[10:], load.samples(0, 10))
    features = np.random.default_rng(SEED).random((30, 128))
    thrice = np.hstack([np.tile(half, 3) for half in (features[:, :64], features[:, 64:])])
    one, other = (
        Run(load_bench._wide(load.job, x.info), load_bench.front().describe(x.info)).push(Block(f, 0)).data
        for x, f in ((load, thrice.astype(np.float32)), (few, features.astype(np.float32)))
    )
    assert np.allclose(one, other, rtol=1e-4)
    out = np.concatenate([b.data for b in offline(load, 100)])[
        30:
    ]  # channels take turns to hear noise: not the same bits
    truth = load.job.velocity[600 * np.arange(31, 101) - 1]
    assert min(np.corrcoef(out[:, i], truth[:, i])[0, 1] for i in range(2)) > 0.7


@pytest.mark.parametrize(("channels", "block"), [(1031, 30), (64, 70_000)])
def test_what_cannot_run_is_refused(channels, block):
    with pytest.raises(ConfigError, match="bench running"):
        load_bench.Load.of(channels, block, SEED)
