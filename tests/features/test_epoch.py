"""Epoch against plain slicing, with events early, late, and around jumps."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.errors import ContractError, StateError
from ranvier.features import Covariance, Epoch, LogVariance
from ranvier.stage import Run
from ranvier.stream import Block, EventInfo, Events, Origin, concatenate

from .helpers import noise, signal

RATE = 100
INFO = signal(RATE, 3)
LABELS = {1: "cue/left", 2: "cue/right", 3: "rest"}
MARKS = EventInfo.of(INFO, LABELS)


def marks(seed, start, stop, n):
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(start, stop, n))
    return Events.at(at, rng.integers(1, 4, n), start=start, stop=stop)


def slices(x, start, onsets, first, length):
    """Return windows that lie wholly in ``x`` and their newest samples."""
    begins = [o + first for o in onsets]
    inside = [b for b in begins if b >= start and b + length <= start + len(x)]
    windows = [x[b - start : b - start + length] for b in inside]
    return np.array(windows).reshape(-1, length, x.shape[1]), [b + length - 1 for b in inside]


@pytest.mark.parametrize(
    ("tmin", "tmax", "first", "length"), [(-0.2, 0.5, -20, 70), (0.1, 0.35, 10, 25), (-0.3, -0.1, -30, 20)]
)
def test_one_push_gives_the_slices_around_the_events(tmin, tmax, first, length):
    x, e = noise(71, 2000, 3), marks(72, 37, 2037, 60)
    out = Run(Epoch(tmin, tmax), INFO, MARKS).push(Block(x, 37), e)
    wanted, at = slices(x, 37, e.table["sample"], first, length)
    assert out.start == 0
    assert out.n > 50
    np.testing.assert_array_equal(out.data, wanted)
    np.testing.assert_array_equal(out.at, at)


def test_only_the_labels_asked_for():
    x, e = noise(73, 900, 3), marks(74, 0, 900, 40)
    out = Run(Epoch(0, 0.2, on=("cue/*",)), INFO, MARKS).push(Block(x), e)
    cues = e.table["sample"][np.isin(e.table["code"], [1, 2])]
    np.testing.assert_array_equal(out.data, slices(x, 0, cues, 0, 20)[0])
    assert out.n < 40


def run_in_cuts(stage, blocks, chunks):
    run = Run(stage, INFO, MARKS)
    out = [run.push(b, e) for b, e in zip(blocks, chunks, strict=True)]
    return concatenate(out), run


@given(
    st.lists(st.integers(0, 140), min_size=1, max_size=12),
    st.lists(st.integers(0, 140), min_size=1, max_size=12),
    st.booleans(),
)
def test_events_and_signal_may_be_cut_anywhere(cuts, other, masked):
    """The two are cut at different places; events run up to 1 s behind or any time ahead."""
    x, e = noise(75, 1000, 3), marks(76, 0, 1000, 40)
    valid = np.random.default_rng(77).random(x.shape) > 0.05 if masked else None
    block, stage = Block(x, 0, valid), Epoch(-0.2, 0.4, patience=1.0)
    wanted = Run(stage, INFO, MARKS).push(block, e)
    run, out, a, b = Run(stage, INFO, MARKS), [], 0, 0
    for n, m in zip([*cuts, *[60] * 30], [*other, *[60] * 40], strict=False):
        c = min(a + n, 1000)
        d = max(min(b + m, 1000), c - 100)  # not more than patience behind the signal
        out.append(run.push(block.cut(a, c), e.cut(b, d)))
        a, b = c, d
    out.append(run.push(block.cut(a, 1000), e.cut(b, 1000)))
    got = concatenate(out)
    assert got.data.tobytes() == wanted.data.tobytes()
    np.testing.assert_array_equal(got.valid, wanted.valid)
    np.testing.assert_array_equal(got.at, wanted.at)
    np.testing.assert_array_equal([o.start for o in out], np.cumsum([0] + [o.n for o in out])[:-1])


def test_late_by_patience_is_in_time_and_more_is_left_out():
    x = noise(78, 4000, 3)
    for late, n in ((150, 1), (2000, 0)):
        run = Run(Epoch(-0.2, 0.3, patience=1.5), INFO, MARKS)
        run.push(Block(x[: 500 + late]), Events(0, 500))
        out = run.push(Block(x[500 + late : 501 + late], 500 + late), Events.at([500], 1, start=500, stop=501))
        assert out.n == n
        assert run.save()["dropped"][0] == 1 - n
        if n:
            np.testing.assert_array_equal(out.data[0], x[480:530])


def test_a_window_that_meets_a_jump_is_left_out():
    x = noise(79, 600, 3)
    e = Events.at([100, 270, 290, 350, 1000, 1020, 1100], 1, start=0, stop=1300)
    blocks = [Block(x[:300], 0), Block(x[300:], 1000)]
    stage = Epoch(-0.2, 0.2, patience=3.0)
    wanted = np.array([x[80:120], x[250:290], x[300:340], x[380:420]])  # that of 1020 begins with the segment
    for chunks in (
        [e, Events(1300, 1300)],
        [e.cut(0, 300), e.cut(300, 1300)],
        [e.cut(0, 90), e.cut(90, 1300)],  # events of the first segment come after the jump
    ):
        got, run = run_in_cuts(stage, blocks, chunks)
        np.testing.assert_array_equal(got.data, wanted)
        np.testing.assert_array_equal(got.at, [119, 289, 1039, 1119])
        assert run.save()["dropped"][0] == 3


def test_validity_stays_with_each_number():
    x, e = noise(80, 500, 3), Events.at([100, 300], 1, start=0, stop=500)
    valid = np.ones(x.shape, bool)
    valid[310:320, 1] = False
    out = Run(Epoch(0, 0.5), INFO, MARKS).push(Block(x, 0, valid), e)
    assert out.valid[0].all()
    np.testing.assert_array_equal(out.valid[1], valid[300:350])
    assert not out.data[1, 10:20, 1].any()


@pytest.mark.parametrize(("step", "offset"), [(4, 3), (Fraction(5, 2), Fraction(9, 2)), (1, 7)])
def test_events_counted_in_source_samples_meet_a_decimated_signal(step, offset):
    """The first sample at or after the event begins the window; `at` is the newest source sample in it."""
    source = signal(1000, 2)
    info = source.but(
        rate=source.rate / Fraction(step),
        origin=Origin(source="signal", rate=source.rate, step=Fraction(step), offset=Fraction(offset)),
    )
    x = noise(81, 1200, 2)
    onsets = [200, 201, 333, 700, 1001]
    stage = Epoch(0.02, 0.1)
    first, length = round(0.02 * info.rate), round(0.1 * info.rate) - round(0.02 * info.rate)
    out = Run(stage, info, EventInfo.of(source, LABELS)).push(Block(x), Events.at(onsets, 1, stop=1500))
    times = np.array([k * Fraction(step) + Fraction(offset) for k in range(1200)])
    for got, at, onset in zip(out.data, out.at, onsets, strict=True):
        k = int(np.flatnonzero(times >= onset)[0]) + first
        np.testing.assert_array_equal(got, x[k : k + length])
        assert at == times[k + length - 1] // 1
    assert stage.describe(info, EventInfo.of(source, LABELS)).origin.span == 1 + -(-(length - 1) * Fraction(step) // 1)


def test_epochs_lie_inside_trials_of_the_same_times():
    from ranvier.stage import Stream, collect
    from ranvier.stream import Trials

    x, e = noise(82, 3000, 3), marks(83, 0, 2800, 20)
    stage = Epoch(-0.13, 0.577)
    out = Run(stage, INFO, MARKS).push(Block(x), e)
    trials = Trials.from_events(e, MARKS, "*", tmin=-0.13, tmax=0.577)
    samples = collect([Stream(stage.describe(INFO, MARKS), [out])], trials)
    assert set(range(20)) == {int(t) for t in samples.stretch}


def test_what_follows_takes_epochs():
    x, e = noise(84, 900, 3), marks(85, 0, 900, 10)
    out = Run(Epoch(0, 0.5) | Covariance(), INFO, MARKS).push(Block(x), e)
    wanted, at = slices(x, 0, e.table["sample"], 0, 50)
    np.testing.assert_allclose(out.data, [np.cov(w.T.astype(float), ddof=0) for w in wanted], rtol=1e-10)
    np.testing.assert_array_equal(out.at, at)
    logs = Run(Epoch(0, 0.5) | LogVariance(), INFO, MARKS).push(Block(x), e)
    np.testing.assert_allclose(logs.data, np.log(wanted.astype(float).var(axis=1)), rtol=1e-5)


def test_too_many_events_before_their_signal_are_an_error():
    run = Run(Epoch(0, 0.5), INFO, MARKS)
    with pytest.raises(StateError, match="Epoch needs the signal of an event before 4096 later ones"):
        run.push(Block(np.zeros((1, 3), "f4")), Events.at(range(10, 5000), 1, start=0, stop=5000))


def test_a_whole_recording_with_ten_thousand_events_in_one_push():
    x = noise(86, 120_000, 3)
    e = Events.at(range(0, 119_900, 11), 1, start=0, stop=120_000)
    out = Run(Epoch(0, 0.5), INFO, MARKS).push(Block(x), e)
    np.testing.assert_array_equal(out.data, slices(x, 0, e.table["sample"], 0, 50)[0])


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        (Epoch(0.5, 0.2), "needs tmin < tmax; got tmin=0.5 s, tmax=0.2 s"),
        (Epoch(0.0, 0.001), "needs a window of at least one sample"),
        (Epoch(0, 1, on=("target*",)), r"needs events labelled \('target\*',\); got labels 'cue/left'"),
        (Epoch(0, 1, patience=-1), "needs 0 <= patience <= 3600 s"),
    ],
)
def test_what_does_not_fit_is_refused(stage, says):
    with pytest.raises(ContractError, match=says):
        stage.describe(INFO, MARKS)


def test_events_of_another_source_or_rate_are_refused():
    with pytest.raises(
        ContractError, match="counted in samples of the signal's source, 'signal' at 100 Hz; got 'signal' at 500 Hz"
    ):
        Epoch(0, 1).describe(INFO, EventInfo.of(signal(500, 1), LABELS))
