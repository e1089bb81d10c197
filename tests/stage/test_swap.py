"""Swaps and other Controls: nothing else is touched, and what is recorded is what happened."""

import numpy as np
import pytest

from ranvier.channels import Scale
from ranvier.denoise import Bandpass, Lowpass
from ranvier.errors import StateError
from ranvier.stage import Align, Run
from ranvier.stream import Block, Channels, Control, StreamInfo

INFO = StreamInfo.signal(250, Channels.of(64))
X = np.random.default_rng(5).standard_normal((1000, 64)).astype(np.float32)


def test_a_swap_leaves_the_state_of_its_neighbours_alone(monkeypatch):
    stage = Scale(1.0) | Bandpass(8, 30) | Lowpass(40)
    wanted = Run(stage, INFO).push(Block(X))
    for fuse in ("0", "1"):
        monkeypatch.setenv("RANVIER_FUSE", fuse)
        run = Run(stage, INFO)
        first = run.push(Block(X[:500]))
        run.swap("0", Scale(1.0), at=500)
        second = run.push(Block(X[500:], 500))
        assert np.array_equal(np.concatenate([first.data, second.data]), wanted.data)
        assert np.array_equal(np.concatenate([first.valid, second.valid]), wanted.valid)


def test_a_stage_of_another_class_takes_over_deep_inside_a_chain():
    run = Run(Scale(1.0) | (Scale(2.0) & Scale(3.0)) | Scale(1.0), INFO)
    run.swap("1/0", Scale(2.0) | Scale(2.0), at=400)
    out = run.push(Block(X))
    assert np.array_equal(out.data[:400, :64], 2 * X[:400])
    assert np.array_equal(out.data[400:, :64], 4 * X[400:])
    assert np.array_equal(out.data[:, 64:], 3 * X)


def test_a_control_that_comes_too_late_is_recorded_where_it_took_effect():
    run = Run(Scale(1.0) | Scale(1.0), INFO)
    run.push(Block(X[:100]))
    run.swap("1", Scale(5.0), at=10)
    out = run.push(Block(X[100:], 100))
    assert np.array_equal(out.data, 5 * X[100:])
    assert [c.at_sample for c in run.controls] == [100]


def test_a_swap_needs_the_stage_itself():
    run = Run(Scale(1.0), INFO)
    run.control(Control(at_sample=0, kind="swap"))
    with pytest.raises(StateError, match="swap"):
        run.push(Block(X))


def test_a_control_cuts_streams_of_other_rates_at_the_same_time():
    slow, fast = StreamInfo.signal(100, 1, name="a"), StreamInfo.signal(1000, 1, name="b")
    a, b = np.arange(100, dtype=np.float32)[:, None], np.arange(1000, dtype=np.float32)[:, None]

    def through(controls):
        run = Run(Align(("a", "b"), patience=5.0), slow, fast)
        for c in controls:
            run.control(c)
        parts = [run.push(Block(a[:40]), Block(b[:400])), run.push(Block(a[40:], 40), Block(b[400:], 400))]
        return np.concatenate([p.data for p in parts if p.n])

    resumed = Control(at_sample=70, kind="resume", payload={"port": "b"})  # nothing was silent: changes nothing
    assert np.array_equal(through([resumed]), through([]))
