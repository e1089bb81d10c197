"""Exchanging a stage inside a loop does what it does to stages by themselves."""

import numpy as np
import pytest

from ranvier.channels import Scale
from ranvier.denoise import Bandpass, Integrity
from ranvier.features import BinnedCounts, Envelope, SpikeBandPower, Spikes
from ranvier.kernels._watch import compiling
from ranvier.stage import Run
from ranvier.stream import Block

from .fused import PLAIN, both, equal, equal_states, in_way, pieces, push, stream

INFO = stream(5)
X = (20 * np.random.default_rng(3).standard_normal((1500, 5))).astype("f4")
BAND, SPIKES, BINS, POWER = (
    Bandpass(50, 300, 2),
    Spikes(3.0, noise_window=0.05),
    BinnedCounts(0.02),
    SpikeBandPower(0.02),
)
MASK = np.random.default_rng(4).random(X.shape) > 0.001
GIVEN = pieces(Block(X, 7, MASK), [53] * 28)


def cut_at(place):
    """Return what is given with a cut where a swap falls due, as `Run.push` asks for where rows jump."""
    return [p for b in GIVEN for p in (pieces(b, [place - b.start]) if b.start < place < b.stop else [b])]


@pytest.mark.parametrize(
    ("node", "new"),
    [("0", Integrity()), ("1", Bandpass(50, 300, 2)), ("2", Spikes(4.0, noise_window=0.05)), ("3", BinnedCounts(0.02))],
)
@pytest.mark.parametrize("at", [700, 711])
def test_in_a_row(monkeypatch, node, new, at):
    both(monkeypatch, Integrity() | BAND | SPIKES | BINS, INFO, cut_at(at), (node, new, at))


@pytest.mark.parametrize(
    ("node", "new"),
    [
        ("0", BAND),
        ("1/0/0", Spikes(4.0, noise_window=0.05)),
        ("1/0/1", BINS),
        ("1/0", SPIKES | BINS),
        ("1/1", SpikeBandPower(0.02, "square", 0.9)),
        ("1", (SPIKES | BINS) & POWER),
    ],
)
@pytest.mark.parametrize("at", [700, 711])
def test_in_a_fork_that_the_loop_joins(monkeypatch, node, new, at):
    both(monkeypatch, BAND | ((SPIKES | BINS) & POWER), INFO, cut_at(at), (node, new, at))


@pytest.mark.parametrize(
    ("node", "new"),
    [
        ("1/0", SpikeBandPower(0.001)),
        ("1/1", Envelope(0.01)),
        ("1/2/1", Scale(2.0)),
        ("1/2", Envelope(0.01) | Scale(2.0)),
    ],
)
def test_in_a_fork_with_branches_of_the_same_rate(monkeypatch, node, new):
    stage = BAND | (SpikeBandPower(0.001) & Envelope(0.01) & (Envelope(0.01) | Scale(2.0)))
    both(monkeypatch, stage, INFO, cut_at(711), (node, new, 711))


@pytest.mark.parametrize("cut", [711, 715])
def test_saved_in_the_bin_of_a_swap(monkeypatch, cut):
    stage = BAND | ((SPIKES | BINS) & POWER)
    before, after = Block(X[:704], 7), Block(X[704:cut], 711)
    rest = pieces(Block(X[cut:], cut + 7), [7, 50])
    in_way(monkeypatch, PLAIN)
    plain = Run(stage, INFO)
    plain.push(before)
    plain.swap("1/1", POWER, at=711)
    plain.push(after)
    saved = plain.save()
    in_way(monkeypatch, {})
    fused = Run(stage, INFO)
    fused.restore(saved)
    equal(push(plain, rest), push(fused, rest))
    equal_states(plain, fused)


def test_crossings_of_a_new_stage_are_not_trusted_before_it_listens(monkeypatch):
    for way in (PLAIN, {}):
        in_way(monkeypatch, way)
        run = Run(BAND | SPIKES | BINS, INFO)
        run.push(Block(X[:700]))
        run.swap("1", Spikes(4.0, noise_window=0.05), at=700)
        out = run.push(Block(X[700:], 700))
        heard = np.arange(out.start, out.stop) * 20 >= 700
        assert not out.valid[heard][:1].any()
        assert out.valid[-5:].all()


def test_everything_is_compiled_before_a_swap_falls_due(monkeypatch, tmp_path):
    monkeypatch.setenv("RANVIER_CACHE", str(tmp_path))
    run = Run(BAND | POWER, stream(13))
    x = np.zeros((40, 13), "f4")
    run.push(Block(x))
    with compiling() as before:
        run.swap("0", Bandpass(50, 300, 2), at=60)
    with compiling() as after:
        run.push(Block(x, 40))
    assert before
    assert not after
    assert [c.at_sample for c in run.controls] == [60]
