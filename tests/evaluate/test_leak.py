"""Planted leaks are refused, by window, by filter memory, by copies; clean folds are not."""

import numpy as np
import pytest

from ranvier.decode import LDA
from ranvier.denoise import Bandpass
from ranvier.errors import LeakError
from ranvier.evaluate import FixedSplit, KFold, LeakRule, Select, cross_validate
from ranvier.evaluate._leak import clean, stretches
from ranvier.features import Covariance, Epoch, LogVariance, Window
from ranvier.stream import Trials

from .helpers import LABELS, pipeline, recording


def trials_of(rec, tmin=0.0, tmax=2.0):
    return rec.trials(LABELS, tmin, tmax)


def test_trials_apart_pass():
    rec = recording(n=20, gap=3.0)
    results = cross_validate(pipeline(), rec, trials_of(rec), cuts=())
    assert results.rows[0]["purged"] == 0


def test_overlapping_trials_are_refused_and_purged_on_request():
    rec = recording(n=20, gap=1.5)  # trials of 2 s, a cue every 1.5 s
    with pytest.raises(LeakError, match=r"that do: trial \d+ .* and trial \d+ is samples"):
        cross_validate(pipeline(), rec, trials_of(rec), cuts=())
    row = cross_validate(pipeline(), rec, trials_of(rec), cuts=(), leak=LeakRule(purge=True)).rows[0]
    assert row["purged"] > 0


def test_filter_memory_that_touches_a_test_trial_is_refused():
    rec = recording(n=20, gap=3.0)
    slow = Bandpass(low=0.5, high=20) | pipeline()  # felt for more than the second between two trials
    with pytest.raises(LeakError, match=r"sees \d+ samples"):
        cross_validate(slow, rec, trials_of(rec), cuts=())
    fast = Bandpass(low=10, high=40, order=1) | pipeline()
    assert cross_validate(fast, rec, trials_of(rec), cuts=()).rows[0]["purged"] == 0


def test_memory_to_one_per_cent_is_counted_only_when_asked_for():
    rec = recording(n=20, gap=3.0)
    middling = Bandpass(low=3, high=40, order=2) | pipeline()  # 1.16 s to 1e-6, 0.41 s to 1e-2
    with pytest.raises(LeakError, match='memory = "settle"'):
        cross_validate(middling, rec, trials_of(rec), cuts=())
    lenient = LeakRule(memory="settle")
    assert cross_validate(middling, rec, trials_of(rec), cuts=(), leak=lenient).rows[0]["purged"] == 0
    with pytest.raises(LeakError):
        cross_validate(Bandpass(low=0.5, high=20) | pipeline(), rec, trials_of(rec), cuts=(), leak=lenient)


def test_memory_behind_something_that_was_fitted_counts_too():
    from ranvier.decode import Xdawn

    rec = recording(n=20, gap=3.0)
    trials = trials_of(rec)
    late = Epoch(tmin=0.0, tmax=2.0) | Xdawn(n_filters=1) | LogVariance() | LDA()
    assert cross_validate(late, rec, trials, cuts=()).rows[0]["purged"] == 0
    with pytest.raises(LeakError):
        cross_validate(Bandpass(low=0.5, high=20) | late, rec, trials, cuts=())


def test_a_window_inside_its_trial_is_no_leak_however_long():
    rec = recording(n=20, gap=2.1)
    for front in (Window(length=2.0, hop=0.01) | LogVariance(), Covariance(length=0.5, hop=0.1)):
        assert cross_validate(front | LDA(), rec, trials_of(rec), cuts=()).rows[0]["purged"] == 0


def test_a_trial_that_stands_on_both_sides_is_refused():
    rec = recording(n=20)
    t = trials_of(rec)
    twice = t[np.concatenate([np.arange(20), [3]])]
    with pytest.raises(LeakError):
        cross_validate(pipeline(), rec, twice, split=KFold(k=5, shuffle=False, stratified=False), cuts=())


def test_a_recording_under_two_names_is_refused():
    a, b = recording(seed=3, subject="a"), recording(seed=3, subject="b")
    trials = Trials.concatenate([trials_of(a), trials_of(b)])
    with pytest.raises(LeakError, match="each recording once"):
        cross_validate(pipeline(), [a, b], trials, cuts=())


def test_trials_of_other_recordings_cannot_leak():
    onset = np.array([0, 0])
    t = Trials(onset=onset, label=np.array(["a", "b"]), group=np.array(["", ""]), recording=np.array([0, 1]),
               tmin=0.0, tmax=1.0, rate=100)  # fmt: skip
    assert clean(t, np.array([0]), np.array([1]), 10**6, LeakRule(), 0).tolist() == [0]


def test_the_reach_is_counted_to_the_sample():
    t = Trials(onset=np.array([0, 300]), label=np.array(["a", "b"]), group=np.array(["", ""]),
               recording=np.zeros(2, np.int64), tmin=0.0, tmax=1.0, rate=100)  # fmt: skip
    train, test = np.array([1]), np.array([0])  # the training trial begins 200 samples after the test trial's end
    assert clean(t, train, test, 200, LeakRule(), 0).tolist() == [1]
    with pytest.raises(LeakError):
        clean(t, train, test, 201, LeakRule(), 0)
    assert clean(t, test, train, 10**6, LeakRule(), 0).tolist() == [0]  # what comes later is not seen


def test_training_time_behind_test_time_is_cut_by_the_reach():
    rule = LeakRule(purge=True)
    assert stretches([(0, 0, 400), (0, 500, 1000)], [(0, 400, 500)], 30, rule) == [(0, 0, 400), (0, 530, 1000)]
    assert stretches([(0, 0, 1000)], [(0, 400, 500)], 30, rule) == [(0, 0, 400), (0, 530, 1000)]
    assert stretches([(1, 0, 1000)], [(0, 400, 500)], 30, rule) == [(1, 0, 1000)]
    with pytest.raises(LeakError, match="500 to 1000 of recording 0, which see 30 samples back"):
        stretches([(0, 500, 1000)], [(0, 400, 500)], 30, LeakRule())


def test_copies_of_test_trials_in_training_are_refused_where_nothing_can_be_learned():
    rec = recording(n=40, contrast=1.0)
    t = trials_of(rec)
    split = FixedSplit(train=Select(trials=(0, 30)), test=Select(trials=(30, 40)))
    honest = cross_validate(pipeline(), rec, t, split=split, cuts=()).rows[0]["score"]
    assert 0.1 < honest < 0.9
    copied = t[np.concatenate([np.arange(30, 40)] * 3 + [np.arange(30, 40)])]
    with pytest.raises(LeakError):
        cross_validate(pipeline(), rec, copied, split=split, cuts=())
