"""Samples of one stretch follow one another: jumps, losses and ends of trials begin another."""

from fractions import Fraction

import numpy as np
import pytest

from ranvier.stage import Stream
from ranvier.stage._trainable import collect
from ranvier.stream import Block, StreamInfo, Trials

INFO = StreamInfo.signal(100, 2)


def trials(onsets, length):
    n = len(onsets)
    return Trials(
        onset=np.array(onsets), label=np.array(["rest"] * n), group=np.array(["0"] * n),
        recording=np.zeros(n, np.int64), tmin=0.0, tmax=length / 100, rate=Fraction(100),
    )  # fmt: skip


def block(start, stop, lost=()):
    x = np.arange(start, stop, dtype="f4")[:, None] + np.zeros(2, "f4")
    valid = np.ones(x.shape, bool)
    for a, b in lost:
        valid[a - start : b - start] = False
    return Block(x, start, valid)


@pytest.mark.parametrize("whole", [True, False])
def test_a_jump_within_a_trial_begins_another_stretch(whole):
    streams = [Stream(INFO, [block(0, 300), block(300, 500), block(1000, 1500)])]
    found = collect(streams, trials([0, 1100], 1100), whole)
    at = found.x[:, 0].astype(int)
    assert found.stretch[at == 0] != found.stretch[at == 1050]
    for s in np.unique(found.stretch):
        assert (np.diff(at[found.stretch == s]) == 1).all()


def test_a_loss_within_a_trial_begins_another_stretch_where_it_is_left_out():
    streams = [Stream(INFO, [block(0, 400, lost=[(100, 150)])])]
    found = collect(streams, trials([0], 400), whole=True)
    assert found.dropped == 50
    assert [int((found.stretch == s).sum()) for s in np.unique(found.stretch)] == [100, 250]
    kept = collect(streams, trials([0], 400), whole=False)
    assert len(kept.x) == 400
    assert not kept.valid[100:150].any()


def test_neighbouring_trials_are_two_stretches():
    found = collect([Stream(INFO, [block(0, 400)])], trials([0, 200], 200))
    assert np.unique(found.stretch).size == 2
