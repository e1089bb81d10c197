"""Stimulation artefacts against closed forms, the definition over explicit lags, and PyPARRM's ground-truth set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.denoise import PARRM, Blank, Template, find_period
from ranvier.errors import ContractError, StateError
from ranvier.stage import Run
from ranvier.stream import Block, EventInfo, Events, StreamInfo, concatenate

SEED = 1507
TRUTH, TRUE_PERIOD = ("dbs_artifact/example_data.npy", "dbs_artifact/example_data_artefact_free.npy"), 800 / 601
SMALL = PARRM(period=7.3, window=1.0, half_width=0.05, skip=0.02)


def info(n=1, rate=1000, dtype="f8"):
    return StreamInfo.signal(rate, n, dtype=dtype)


def pulses(signal):
    return EventInfo.of(signal, {0: "pulse", 1: "cue"})


def rmse(a, b):
    return float(np.sqrt(np.mean((a - b) ** 2)))


# --- PARRM -----------------------------------------------------------------------------------------------------------


def test_what_has_exactly_the_period_is_gone_to_rounding():
    """A period of 100/13 samples repeats after 100 samples, so every sample has its like in the past."""
    wave = np.random.default_rng(SEED).standard_normal(100) * 50
    x = np.tile(wave, 60)[:, None]
    run = Run(PARRM(100 / 13, window=2.0, half_width=0.001, skip=0.0), info())
    out = run.push(Block(x))
    assert out.valid[2000:].all()
    assert np.abs(out.data[2000:]).max() < 1e-12
    assert np.abs(x).max() > 100


def test_of_another_period_it_leaves_all():
    """Negative control: the same wave, and a period that is 1 % off."""
    x = np.tile(np.random.default_rng(SEED).standard_normal(100), 60)[:, None]
    out = Run(PARRM(100 / 13 * 1.01, window=2.0, half_width=0.001, skip=0.0), info()).push(Block(x))
    assert out.data[2000:].std() > 0.9 * x.std()


def test_it_is_the_sample_less_the_mean_at_its_lags():
    x = np.random.default_rng(SEED).standard_normal((1500, 2))
    out = Run(SMALL, info(2)).push(Block(x))
    back = np.arange(21, 1001)
    phase = np.mod(back, 7.3) / 7.3
    lags = back[np.minimum(phase, 1 - phase) <= 0.05]
    assert lags.tolist() == SMALL.lags(1000).tolist()
    wanted = x[1200] - x[1200 - lags].mean(axis=0)
    np.testing.assert_allclose(out.data[1200], wanted, rtol=1e-12)


def test_invalid_samples_are_left_out_of_the_mean():
    rng = np.random.default_rng(SEED)
    x, ok = rng.standard_normal((1500, 1)), rng.random((1500, 1)) > 0.2
    ok[1200] = True
    out = Run(SMALL, info()).push(Block(np.where(ok, x, 1e30), 0, ok))
    past = 1200 - SMALL.lags(1000)
    used = past[ok[past, 0]]
    assert out.data[1200, 0] == pytest.approx(x[1200, 0] - x[used, 0].mean(), rel=1e-9)
    assert not out.valid[~ok].any()


@given(st.lists(st.integers(0, 400), max_size=6), st.integers(0, 2**32 - 1))
@pytest.mark.parametrize(
    "stage",
    [SMALL, Blank(period=7.3, length=0.003, fill="line"), Template(period=7.3, length=0.005, least=2, memory=9)],
    ids=lambda s: type(s).__name__,
)
def test_no_cut_changes_a_bit(stage, cuts, seed):
    rng = np.random.default_rng(seed)
    x, ok = rng.standard_normal((1300, 2)), rng.random((1300, 2)) > 0.05
    whole = Run(stage, info(2)).push(Block(x, 11, ok))
    run, at, parts = Run(stage, info(2)), 0, []
    for n in [*cuts, 1300]:
        parts.append(run.push(Block(x, 11, ok).cut(min(at, 1300), min(at + n, 1300))))
        at += n
    out = concatenate(parts)
    np.testing.assert_array_equal(out.data, whole.data)
    np.testing.assert_array_equal(out.valid, whole.valid)


def test_on_the_set_with_a_truth_it_is_within_twice_the_two_sided_error_and_keeps_beta(shared):
    """PyPARRM 1.1.1 with its example's settings, which look ahead: 0.0149."""
    from scipy.signal import welch

    x, truth = (np.load(shared / name).T.astype(float) for name in TRUTH)
    out = Run(PARRM(find_period(x, 200, 150)), info(rate=200)).push(Block(x))
    assert out.valid[2000:].all()
    y, g = out.data[2000:, 0], truth[2000:, 0]
    assert rmse(x[2000:, 0], g) > 1.9
    assert rmse(y, g) < 2 * 0.0149
    f, density = welch(np.stack([y, g]), 200, nperseg=400)
    ours, theirs = density[:, (f >= 13) & (f <= 30)].mean(axis=1)
    assert abs(ours / theirs - 1) < 0.05


def test_find_period_on_the_set_with_a_truth(shared):
    """The artefact alone repeats every 800 samples, 601 periods: to rounding, which no shorter time does."""
    x, truth = (np.load(shared / name).T.astype(float) for name in TRUTH)
    artefact = x - truth
    assert np.abs(artefact[800:] - artefact[:-800]).max() < 0.01 * artefact.std()
    assert find_period(x, 200, 150) == pytest.approx(TRUE_PERIOD, rel=1e-7)


@pytest.mark.parametrize("period", [7.6912345, 7.70004, 1.3311148])
def test_find_period_finds_what_was_put_in(period):
    rng = np.random.default_rng(SEED)
    phase = np.mod(np.arange(20_000) / period, 1)
    pulse = 20 * (np.exp(-(((phase - 0.3) / 0.1) ** 2)) - np.exp(-(((phase - 0.6) / 0.1) ** 2)))
    x = pulse + np.cumsum(rng.standard_normal(20_000)) * 0.2 + rng.standard_normal(20_000)
    assert find_period(x, 1000, 1000 / period * 1.004) == pytest.approx(period, rel=1e-6)


@pytest.mark.parametrize("x", [np.zeros(2000), np.ones(10), np.full(2000, np.nan), np.zeros(())])
def test_find_period_refuses_what_has_none(x):
    with pytest.raises(ContractError, match="find_period needs"):
        find_period(x, 1000, 130)


# --- Blank -----------------------------------------------------------------------------------------------------------


def test_a_line_joins_what_is_before_and_after_so_that_a_ramp_stays_a_ramp():
    x = np.arange(200.0)[:, None] * 0.5
    dirty = x.copy()
    at = np.arange(20, 200, 23)
    for k in range(4):
        dirty[at[at + k < 200] + k] += 1000.0
    stage = Blank(period=23.0, phase=20.0, length=0.004, fill="line", mark=False)
    run = Run(stage, info())
    out = run.push(Block(dirty))
    assert run.info.delay == pytest.approx(0.004)
    np.testing.assert_allclose(out.data[4:-3], x[:-7], atol=1e-9)
    assert out.valid[4:].all()
    held = Run(Blank(period=23.0, phase=20.0, length=0.004, mark=False), info()).push(Block(dirty))
    assert np.abs(held.data - x).max() == pytest.approx(4 * 0.5)


def test_what_is_blanked_is_marked_and_nothing_else():
    x = np.random.default_rng(SEED).standard_normal((300, 2))
    out = Run(Blank(period=10.5, phase=2.0, length=0.002), info(2)).push(Block(x))
    begins = np.ceil(2.0 + 10.5 * np.arange(29)).astype(int)
    marked = np.zeros(300, bool)
    marked[begins] = marked[begins + 1] = True
    np.testing.assert_array_equal(out.valid, np.broadcast_to(~marked[:, None], (300, 2)))
    np.testing.assert_array_equal(out.data[~marked], x[~marked])


def test_steps_blank_their_own_channel_only():
    x = np.random.default_rng(SEED).standard_normal((100, 2))
    x[40, 0] += 500.0
    out = Run(Blank(jump=100.0, length=0.003), info(2)).push(Block(x))
    assert np.flatnonzero(~out.valid[:, 0]).tolist() == [40, 41, 42, 43]  # up at 40, down at 41
    assert out.valid[:, 1].all()


def test_events_and_a_train_of_the_same_instants_give_the_same_bits():
    x = np.random.default_rng(SEED).standard_normal((400, 2))
    at = np.ceil(3.0 + 12.25 * np.arange(33)).astype(int)
    for make in (
        lambda **when: Blank(length=0.004, fill="line", **when),
        lambda **when: Template(length=0.004, least=2, **when),
    ):
        train = Run(make(period=12.25, phase=3.0), info(2)).push(Block(x))
        run = Run(make(on=("pulse",)), info(2), pulses(info(2)))
        marked = run.push(Block(x), Events.at(at, stop=400))
        np.testing.assert_array_equal(marked.data, train.data)
        np.testing.assert_array_equal(marked.valid, train.valid)


@given(st.lists(st.integers(0, 90), max_size=8), st.lists(st.integers(0, 90), max_size=8))
def test_samples_wait_for_their_events_whichever_comes_first(samples, events):
    """However signal and events are cut, each by itself, the same comes out in the end."""
    x, at = np.random.default_rng(SEED).standard_normal((300, 1)), [20, 21, 100, 180, 299]
    stage = Blank(on=("pulse",), length=0.003, fill="line")
    marks = Events.at(at, [0, 0, 0, 1, 0], stop=300)
    whole = Run(stage, info(), pulses(info())).push(Block(x), marks)
    run, a, b, parts = Run(stage, info(), pulses(info())), 0, 0, []
    for i in range(max(len(samples), len(events)) + 1):
        n = min(a + (samples[i] if i < len(samples) else 300), 300)
        m = min(b + (events[i] if i < len(events) else 300), 300)
        parts.append(run.push(Block(x).cut(a, n), marks.cut(b, m)))
        a, b = n, m
    parts.append(run.push(Block(x).cut(a, 300), marks.cut(b, 300)))
    out = concatenate(parts)
    np.testing.assert_array_equal(out.data, whole.data)
    np.testing.assert_array_equal(out.valid, whole.valid)


def test_events_that_never_come_are_told():
    run = Run(Blank(on=("pulse",), patience=0.1), info(), pulses(info()))
    with pytest.raises(StateError, match="Blank needs streams that stay within its patience"):
        run.push(Block(np.zeros((200, 1))), Events(0, 0))


# --- Template --------------------------------------------------------------------------------------------------------


def test_a_constant_artefact_is_gone_after_the_pulses_that_it_takes():
    rng = np.random.default_rng(SEED)
    at = np.cumsum(rng.integers(30, 60, 40))
    shape, clean = 200 * rng.standard_normal(20), np.zeros((at[-1] + 30, 1))
    dirty = clean.copy()
    for a in at:
        dirty[a : a + 20, 0] += shape
    stage = Template(on=("pulse",), length=0.02, least=3)
    out = Run(stage, info(), pulses(info())).push(Block(dirty), Events.at(at, stop=len(dirty)))
    first = at[3]
    assert not out.valid[at[2] : at[2] + 20].any()
    assert out.valid[first:].all()
    assert np.abs(out.data[first:]).max() < 1e-10
    late = Events.at(at + 2, stop=len(dirty))  # negative control: templates two samples late
    wrong = Run(stage, info(), pulses(info())).push(Block(dirty), late)
    assert np.abs(wrong.data[first + 2 :]).max() > 100


def test_weights_are_equal_then_exponential():
    """One sample a pulse: the template is the running mean of the pulses before."""
    x = np.random.default_rng(SEED).standard_normal((50, 1))
    out = Run(Template(period=2.0, length=0.001, memory=4, least=1), info()).push(Block(x))
    mean, seen = 0.0, x[::2, 0]
    for i, v in enumerate(seen):
        if i:
            assert out.data[2 * i, 0] == pytest.approx(v - mean, abs=1e-12)
        mean += (v - mean) / min(i + 1, 4)
    np.testing.assert_array_equal(out.data[1::2], x[1::2])


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Blank(), "needs one of period, jump and on"),
        (Blank(period=9.0, jump=3.0), "needs one of period, jump and on"),
        (Blank(period=0.5), "period > 1 sample; got 0.5"),
        (Blank(jump=0.0), "jump > 0"),
        (Blank(period=2.0, length=0.002), "below 0.002 s, the period"),
        (Blank(period=9.0, fill="nothing"), "fill 'hold' or 'line'"),
        (Template(period=9.0, least=0), "1 <= least <= memory"),
        (Template(jump=9.0, length=-1.0), "length of a sample"),
        (PARRM(0.5), "1 < period"),
        (PARRM(7.3, window=0.02), "skip < window"),
        (PARRM(7.3, window=0.2), "at least 8 past samples"),
        (PARRM(7.3, least=2.0), "least"),
    ],
)
def test_what_cannot_be_is_refused(stage, words):
    with pytest.raises(ContractError) as e:
        stage.describe(info())
    assert words in str(e.value)


def test_labels_and_sources_have_to_fit():
    with pytest.raises(ContractError, match="needs events labelled"):
        Blank(on=("stim*",)).describe(info(), pulses(info()))
    with pytest.raises(ContractError, match="samples of the signal's source"):
        Blank(on=("pulse",)).describe(info(), pulses(StreamInfo.signal(500, 1, name="other")))


@pytest.mark.parametrize("least", [0.25, 0.5, 1.0])
def test_nothing_is_trusted_before_enough_of_the_past_is_there(least):
    stage = PARRM(period=10.3, window=1.0, half_width=0.05, skip=0.05, least=least)
    info = StreamInfo.signal(1000, 1)
    lags = np.asarray(stage.lags(1000))
    out = Run(stage, info).push(Block(np.random.default_rng(8).standard_normal((1500, 1)).astype("f4"), 0))
    there = (lags[None] <= np.arange(1500)[:, None]).sum(axis=1)
    assert np.array_equal(out.valid[:, 0], there >= np.ceil(least * len(lags)))
