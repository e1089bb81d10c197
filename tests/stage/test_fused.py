"""One loop for a whole chain gives the bits of one stage after the other, one lane at a time."""

import numpy as np
import pytest

from ranvier.channels import CommonReference, Scale
from ranvier.denoise import Bandpass, Integrity
from ranvier.features import BinnedCounts, SpikeBandPower, Spikes
from ranvier.stage import Chain, Run
from ranvier.stream import Block

from .chains import FEW, MANY, blocks, draw, refilled
from .fused import WAYS, both, equal, equal_states, in_way, pieces, push, stream, told


@pytest.mark.parametrize(("n", "part"), [(24, 0.1), (72, 0.0), (72, 0.1)])
def test_a_mean_over_channels_that_do_not_fill_sixteen_lanes(monkeypatch, n, part):
    rng = np.random.default_rng(n)
    x = rng.standard_normal((150, n))
    valid = rng.random(x.shape) >= part if part else None
    both(monkeypatch, CommonReference() | Scale(2.0), stream(n, dtype="f8"), [Block(x, 3, valid)])


@pytest.mark.parametrize("swapped", [False, True])
def test_means_over_groups_of_different_size_follow_each_other(monkeypatch, swapped):
    x = np.random.default_rng(1).standard_normal((100, 64)).astype("f4")
    stages = [CommonReference(by="group"), Scale(2.0), CommonReference()]
    a, b, c = stages[::-1] if swapped else stages
    both(monkeypatch, a | b | c, stream(64, group=16), [Block(x)])


def test_a_bin_that_was_begun_before_the_stream_is_remembered_alike(monkeypatch):
    x = (20 * np.random.default_rng(2).standard_normal((400, 3))).astype("f4")
    stage = Spikes(2.0, noise_window=0.02) | BinnedCounts(0.1)
    valid = np.ones(x.shape, bool)
    valid[85:88, 1] = False
    given = [Block(x[a:b], a + 3, valid[a:b]) for a, b in ((0, 50), (50, 90), (90, 250), (250, 400))]
    runs = []
    for way in WAYS:
        in_way(monkeypatch, way)
        runs.append(Run(stage, stream(3)))
        push(runs[-1], given[:2])
    equal_states(*runs)
    for run, theirs in zip(runs, [r.save() for r in runs][::-1], strict=True):
        run.restore(theirs)
    equal(*[push(run, given[2:]) for run in runs])


@pytest.mark.parametrize("cuts", [[], [1, 30, 64, 65, 7] * 12])
def test_stretches_at_the_rail_begin_and_end_anywhere(monkeypatch, cuts):
    rng = np.random.default_rng(3)
    x = (20 * rng.standard_normal((2000, 96))).astype("i2")
    for channel in rng.integers(0, 64, 60):  # the last group has none
        begin = int(rng.integers(300, 2000))
        x[begin : begin + int(rng.choice([1, 2, 20, 150])), channel] = 100
    x[900:1100, 32:64] = 100  # a whole group
    x[1400:1450, 33:64] = 100  # too few for a mean
    counts = Spikes(3.0, noise_window=0.05) | BinnedCounts(0.02)
    stage = Integrity(rail=100) | CommonReference(by="group") | Bandpass(50, 300, 2) | (counts & SpikeBandPower(0.02))
    got = both(monkeypatch, stage, stream(96, dtype="i2", group=32), pieces(Block(x), cuts))
    valid = np.concatenate([b.valid for (b,) in got])
    assert 0.5 < valid[10:].mean() < 0.95
    assert valid[10:, 64:96].all()


def _same_everywhere(monkeypatch, seed, counts):
    """Draw a chain and compare both ways: outputs and states, saved in one and gone on with in the other."""
    rng = np.random.default_rng(seed)
    stage, info = draw(rng, counts)
    raw = isinstance(stage, Chain) and isinstance(stage.stages[0], Integrity)
    info = info.but(name="raw" if raw else info.name)
    what = f"seed {seed}: {stage}, {info.n_channels} {info.dtype}"
    given = blocks(rng, info, 3000)
    half = len(given) // 2
    runs, outs = [], []
    for way in WAYS:
        in_way(monkeypatch, way)
        run = Run(stage, info)
        outs.append(push(run, given[:half]))
        runs.append(run)
    equal(*outs, what)
    equal_states(*runs, what)
    saved = [r.save() for r in runs]
    ends = []
    for way, theirs in zip(WAYS, saved[::-1], strict=True):
        in_way(monkeypatch, way)
        run = Run(stage, info)
        run.restore(theirs)
        ends.append((push(run, given[half:]), run))
    in_way(monkeypatch, {})
    for run in runs:
        ends.append((push(run, given[half:]), run))
    for out, run in ends[1:]:
        equal(ends[0][0], out, what)
        equal_states(ends[0][1], run, what)
    return stage, info, given, outs[1] + ends[0][0], what


def _never_read(stage, info, given, wanted, what, values):
    for value in values:
        got = push(Run(stage, info), refilled(given, value))
        for i, (a, b) in enumerate(zip(wanted, got, strict=True)):
            for x, y in zip(a, b, strict=True):
                where = f"{what}, {value} in invalid cells, push {i}"
                if isinstance(x, Block):
                    assert np.array_equal(x.valid, y.valid), where
                    assert x.data[x.valid].tobytes() == y.data[y.valid].tobytes(), where
                    assert np.isfinite(y.data).all(), where
                else:
                    assert told(x) == told(y), where


def _check(monkeypatch, seed, counts):
    stage, info, given, wanted, what = _same_everywhere(monkeypatch, seed, counts)
    values = (1e30, -1e30) + ((np.nan,) if info.name == "raw" and info.dtype.kind == "f" else ())
    with np.errstate(all="ignore"):
        _never_read(stage, info, given, wanted, what, values)


@pytest.mark.parametrize("seed", [0, 8, 12, 18, 22])  # a gate, tails, float64, joined rows, forks with and without them
def test_a_random_chain_is_the_same_fused_and_plain(monkeypatch, seed):
    _check(monkeypatch, seed, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1060))
def test_many_random_chains_are_the_same_fused_and_plain(monkeypatch, seed):
    _check(monkeypatch, seed, MANY)
