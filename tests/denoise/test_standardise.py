"""Standardise against the definition with growing, then exponential weights, and NumPy's mean and deviation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.denoise import Standardise
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, StreamInfo, concatenate

SEED = 8901


def info(n=1, dtype="f8", rate=100):
    return StreamInfo.signal(rate, n, dtype=dtype)


def test_until_tau_it_is_the_plain_mean_and_deviation_of_all_so_far():
    x = np.random.default_rng(SEED).standard_normal((100, 1)) * 7 + 20_000
    out = Run(Standardise(1.0, settle=0.02), info()).push(Block(x))
    assert not out.valid[0].any()
    for t in range(1, 100):
        so_far = x[: t + 1, 0]
        assert out.data[t, 0] == pytest.approx((x[t, 0] - so_far.mean()) / so_far.std(), abs=1e-7)


def test_then_weights_fall_exponentially():
    """Mean and variance with explicit weights (1 - 1/N)^age, from a start that is forgotten by then."""
    x = np.random.default_rng(SEED).standard_normal((4000, 1)) * np.linspace(1, 9, 4000)[:, None]
    out = Run(Standardise(1.0), info()).push(Block(x))
    w = (1 - 1 / 100) ** np.arange(4000)[::-1]
    mean = np.average(x[:, 0], weights=w)
    sd = np.sqrt(np.average((x[:, 0] - mean) ** 2, weights=w))
    assert out.data[-1, 0] == pytest.approx((x[-1, 0] - mean) / sd, rel=1e-9)


def test_of_steady_noise_it_has_mean_0_and_deviation_1_whatever_the_offset():
    x = np.random.default_rng(SEED).standard_normal((60_000, 2)) * [3, 0.1] + [20_000, -5]
    out = Run(Standardise(10.0), info(2, "f4")).push(Block(x.astype("f4")))
    tail = out.data[5000:]
    np.testing.assert_allclose(tail.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(tail.std(axis=0), 1, atol=0.02)
    assert out.data.dtype == np.float32


@given(st.lists(st.integers(0, 30), max_size=8), st.floats(0, 0.5), st.integers(0, 2**32 - 1))
def test_a_lost_sample_costs_itself_only(cuts, lost, seed):
    """What is valid equals, to the bit, what comes of the valid samples alone."""
    rng = np.random.default_rng(seed)
    x, ok = rng.standard_normal((80, 1)), rng.random((80, 1)) >= lost
    x[~ok] = 1e30
    stage = Standardise(0.3, settle=0.05)
    run, at, parts = Run(stage, info()), 0, []
    for n in [*cuts, 80]:
        parts.append(run.push(Block(x, 0, ok).cut(min(at, 80), min(at + n, 80))))
        at += n
    out = concatenate(parts)
    kept = ok[:, 0]
    alone = Run(stage, info()).push(Block(x[kept]))
    np.testing.assert_array_equal(out.data[kept], alone.data)
    np.testing.assert_array_equal(out.valid[kept], alone.valid)
    assert not out.valid[~kept].any()


def test_a_channel_that_never_varied_gives_0():
    out = Run(Standardise(0.1, settle=0.0), info()).push(Block(np.full((50, 1), 123.0)))
    assert not out.data.any()


def test_given_mean_and_deviation():
    x = np.random.default_rng(SEED).standard_normal((20, 2))
    run = Run(Standardise(mean=(1.0, -2.0), sd=4.0), info(2))
    out = run.push(Block(x))
    np.testing.assert_allclose(out.data, (x - [1, -2]) / 4, rtol=1e-15)
    assert out.valid.all()
    assert run.info.channels.units == ("1", "1")
    assert run.info.settle == 0


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Standardise(), "needs tau, or both mean and sd"),
        (Standardise(1.0, mean=0.0, sd=1.0), "needs tau, or both"),
        (Standardise(mean=0.0), "needs tau, or both"),
        (Standardise(0.01), "tau"),
        (Standardise(1.0, settle=-1.0), "settle >= 0 s"),
        (Standardise(mean=0.0, sd=0.0), "sd > 0"),
        (Standardise(mean=(0.0, 1.0), sd=1.0), "one for each of 3 channels; got 2"),
        (Standardise(mean=float("nan"), sd=1.0), "finite mean"),
    ],
)
def test_what_cannot_be_is_refused(stage, words):
    with pytest.raises(ContractError) as e:
        stage.describe(info(3))
    assert words in str(e.value)
