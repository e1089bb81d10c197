"""ZapLine against closed forms, the paper's method by meegkit where it is installed, masks and cuts."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ranvier.denoise import LineNoise, ZapLine
from ranvier.denoise._line_space import Combinations
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, StreamInfo, concatenate
from ranvier.testing import check_stage

SEED = 4400
RATE = 250
PLACE = np.array([1.0, -0.5, 2.0, 0.3, -1.0, 0.7])


def info(n=6, dtype="f8"):
    return StreamInfo.signal(RATE, n, dtype=dtype)


def clean(stage, x, valid=None, block=125, start=0):
    run = Run(stage, info(x.shape[1], x.dtype))
    valid = np.ones(x.shape, bool) if valid is None else valid
    out = [run.push(Block(x[a : a + block], start + a, valid[a : a + block])) for a in range(0, len(x), block)]
    return concatenate(out), run


def learned(run, name):
    return next(v for k, v in run.save().items() if k.split("/")[-1] == name)


def mains(n, place=PLACE, size=10.0, frequency=50.0, phase=0.3):
    return size * np.cos(2 * np.pi * frequency * np.arange(n) / RATE + phase)[:, None] * place


def noise(n, channels=6, seed=SEED):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, channels)) @ (np.eye(channels) + 0.3 * rng.standard_normal((channels, channels)))


@pytest.mark.parametrize(
    ("stage", "dtype"),
    [(ZapLine(), "f4"), (ZapLine(50, components=1, memory=5.0), "i2"), (ZapLine(50, components=1, memory=5.0), "f8")],
)
def test_conforms(stage, dtype):
    check_stage(stage, info(4, dtype))


def test_the_pattern_is_that_of_the_mains_and_the_filter_the_best_linear_one():
    """Closed form: pattern ~ place, filter ~ C^-1 place (C of the noise), filter . pattern = 1."""
    n = 120 * RATE
    own = noise(n)
    _, run = clean(ZapLine(50, harmonics=1), own + mains(n))
    filters, patterns = learned(run, "filters"), learned(run, "patterns")
    assert (np.abs(filters).sum(axis=1) > 0).sum() == 1
    best = np.linalg.solve(np.cov(own.T), PLACE)
    assert filters[0] @ patterns[0] == pytest.approx(1)
    assert abs(np.corrcoef(patterns[0], PLACE)[0, 1]) > 0.999
    assert patterns[0] / np.linalg.norm(patterns[0]) == pytest.approx(
        np.sign(patterns[0] @ PLACE) * PLACE / np.linalg.norm(PLACE), abs=0.02
    )
    reached = (filters[0] @ PLACE) ** 2 / (filters[0] @ np.cov(own.T) @ filters[0])
    assert reached > 0.9 * (best @ PLACE) ** 2 / (best @ np.cov(own.T) @ best)


def test_mains_goes_and_little_else():
    """What is lost besides is noise of the width of the line, in one of six combinations."""
    n = 60 * RATE
    rng = np.random.default_rng(SEED)
    own = rng.standard_normal((n, 6))
    y, _ = clean(ZapLine(50, harmonics=1), own + mains(n))
    late = slice(30 * RATE, n)
    wave = np.exp(-2j * np.pi * 50 * np.arange(n) / RATE)[late, None]
    left = np.abs(2 * ((y.data - own)[late] * wave).mean(axis=0))
    assert (left < 0.01 * 10 * np.abs(PLACE)).all()
    assert ((y.data - own)[late] ** 2).mean() < 0.01


def test_two_generators_with_two_places_are_two_combinations():
    n = 60 * RATE
    other = np.array([0.2, 1.0, 0.0, -1.0, 0.5, 1.0])
    x = noise(n) + mains(n) + mains(n, other, phase=1.8)
    _, run = clean(ZapLine(50, harmonics=1), x)
    assert (np.abs(learned(run, "filters")).sum(axis=1) > 0).sum() == 2


def test_without_mains_nothing_is_changed():
    """Negative control: no combination stands out, and what comes out is the input to the bit."""
    x = noise(60 * RATE)
    y, run = clean(ZapLine(50), x)
    assert not learned(run, "filters").any()
    np.testing.assert_array_equal(y.data[y.valid], x[y.valid])


def test_a_sine_three_hertz_beside_in_another_place_survives():
    n = 60 * RATE
    other = np.array([0.2, 1.0, 0.0, -1.0, 0.5, 1.0])
    sine = mains(n, other, 3.0, 53.0)
    y, _ = clean(ZapLine(50, harmonics=1), noise(n) * 0.3 + mains(n) + sine)
    late = slice(30 * RATE, n)
    wave = np.exp(-2j * np.pi * 53 * np.arange(n) / RATE)[late, None]
    kept = np.abs(2 * (y.data[late] * wave).mean(axis=0))
    assert kept == pytest.approx(3 * np.abs(other), abs=0.1)


def test_a_jump_is_caught_up_with_at_once():
    """0.1 s after its amplitude has tripled a tenth is left, where phasors of 2.5 Hz have 46 % (exp(-pi 2.5 0.1))."""
    n, at = 30 * RATE, 25 * RATE + 40
    own, more = noise(n), 2 * mains(n) * (np.arange(n) >= at)[:, None]
    stage = ZapLine(50, harmonics=1)
    y, plain = (clean(stage, own + mains(n) + extra)[0].data for extra in (more, 0))
    np.testing.assert_array_equal(y[:at], plain[:at])
    part = slice(at + RATE // 10, at + RATE // 5)
    assert np.sqrt(((y - plain)[part] ** 2).mean() / (more[part] ** 2).mean()) < 0.10


def test_what_quick_phasors_know_is_kept_when_combinations_change():
    """The sign of an eigenvector is chance: turned round, what was found of the old one is turned round too."""
    rng = np.random.default_rng(SEED)
    beside = rng.standard_normal((4, 200))
    place = np.array([1.0, -2.0, 0.5, 1.0])
    space = np.stack([np.outer(place, place) * 1e6, beside @ beside.T, np.full((4, 4), 200.0)])
    state = {
        "space": space, "filters": np.zeros((4, 4)), "patterns": np.zeros((4, 4)), "used": np.zeros(4, bool),
        "quick_wave": np.zeros((4, 1, 4)), "quick_usual": np.ones((1, 4)),
    }  # fmt: skip
    combinations = Combinations(None, 2.5, 4, 8, 1 / 32, 30.0)
    combinations.update(state)
    assert (np.abs(state["filters"]).sum(axis=1) > 0).tolist() == [True, False, False, False]
    state["patterns"] *= -1
    state["quick_wave"][..., 0], state["quick_usual"][0, 0] = 3.0, 500.0
    combinations.update(state)
    np.testing.assert_allclose(state["quick_wave"][..., 0], -3.0, rtol=1e-9)
    assert state["quick_usual"][0, 0] == pytest.approx(500.0, rel=1e-6)
    np.testing.assert_array_equal(state["quick_wave"][..., 1:], 0.0)


def test_one_channel_dying_leaves_the_others_clean():
    n = 60 * RATE
    own = noise(n)
    x, valid = own + mains(n), np.ones((n, 6), bool)
    valid[30 * RATE :, 2] = False  # the one with most mains
    stage = ZapLine(50, harmonics=1)
    out, run = clean(stage, np.where(valid, x, 1e30), valid)
    again, _ = clean(stage, np.where(valid, x, 0.0), valid, block=777)
    np.testing.assert_array_equal(out.data, again.data)
    settle = stage.describe(info()).settle
    others = [0, 1, 3, 4, 5]
    assert out.valid[settle:, others].all()
    assert not out.valid[30 * RATE :, 2].any()
    assert not learned(run, "used")[2]
    assert learned(run, "used")[others].all()
    whole, _ = clean(stage, x)
    difference = np.abs(out.data - whole.data)[settle:, others].max(axis=0)
    assert (difference < own.std(axis=0)[others]).all()  # at most one sigma


def test_a_lost_sample_costs_itself_only():
    n = 30 * RATE
    x = noise(n) + mains(n)
    valid = np.random.default_rng(SEED).random((n, 6)) >= 0.01
    stage = ZapLine(50)
    out, _ = clean(stage, np.where(valid, x, 1e30), valid)
    settle = stage.describe(info()).settle + RATE
    np.testing.assert_array_equal(out.valid[settle:], valid[settle:])


@settings(max_examples=8)
@given(st.lists(st.integers(0, 700), max_size=12), st.integers(-5000, 5000), st.integers(0, 2**32 - 1))
def test_cuts_change_nothing(cuts, start, seed):
    n = 3000
    rng = np.random.default_rng(seed)
    x = (noise(n, seed=seed) + mains(n)).astype("f4")
    valid = rng.random(x.shape) >= 0.002
    valid[1000:1400, 1] = False
    run, at, parts = Run(ZapLine(), info(6, "f4")), 0, []
    for k in [*cuts, n]:
        parts.append(run.push(Block(x, start, valid).cut(min(at, n), min(at + k, n))))
        at += k
    one, _ = clean(ZapLine(), x, valid, n, start)
    out = concatenate(parts)
    np.testing.assert_array_equal(out.data, one.data)
    np.testing.assert_array_equal(out.valid, one.valid)


def test_beside_meegkit_no_more_mains_and_no_more_distortion():
    """Scene of this file, a combination for each harmonic; the peer sees the whole, we the past only."""
    dss = pytest.importorskip("meegkit.dss")
    n = 80 * RATE
    own = noise(n)
    x = own + mains(n) + mains(n, PLACE[::-1], 3.0, 100.0)
    with contextlib.redirect_stdout(io.StringIO()):
        peer = dss.dss_line(x[:, :, None].copy(), 50.0, RATE, nremove=2)[0][:, :, 0]
    y, _ = clean(ZapLine(50, harmonics=2), x)
    late = slice(30 * RATE, 70 * RATE)
    f = np.fft.rfftfreq(40 * RATE, 1 / RATE)
    away = np.minimum(abs(f - 50), abs(f - 100))
    power = {
        k: (np.abs(np.fft.rfft((v - own)[late], axis=0)) ** 2).sum(axis=1) for k, v in (("y", y.data), ("p", peer))
    }
    for near in (away <= 0.5, (away >= 1.5) & (away <= 2.5)):
        assert power["y"][near].sum() <= power["p"][near].sum()


def test_beside_line_noise_less_is_lost_near_the_line():
    n = 60 * RATE
    own = noise(n)
    lost = {}
    for stage in (ZapLine(50, harmonics=1), LineNoise(50, 1, bandwidth=2.5)):
        y, _ = clean(stage, own + mains(n))
        error = np.fft.rfft((y.data - own)[30 * RATE :], axis=0)
        f = np.fft.rfftfreq(30 * RATE, 1 / RATE)
        lost[type(stage)] = (np.abs(error[(abs(f - 50) > 1.5) & (abs(f - 50) < 2.5)]) ** 2).sum()
    assert lost[ZapLine] < 0.5 * lost[LineNoise]


@pytest.mark.parametrize(
    ("stage", "n", "words"),
    [
        (ZapLine(50, components=9), 6, "components <= 6 of 6 channels; got 9"),
        (ZapLine(50), 1, "at least 2 channels"),
        (ZapLine(50, memory=1.0), 6, "memory"),
        (ZapLine(50, bandwidth=20.0), 6, "bandwidth"),
        (ZapLine(50, harmonics=0), 6, "harmonics >= 1"),
    ],
)
def test_what_cannot_be_is_refused(stage, n, words):
    with pytest.raises(ContractError) as e:
        stage.describe(info(n))
    assert words in str(e.value)
