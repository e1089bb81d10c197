"""Streamed: decisions as they come, labels late, activations counted by hand."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pytest

from ranvier import record
from ranvier.decode import LDA
from ranvier.errors import ContractError
from ranvier.evaluate import Streamed, cross_validate
from ranvier.evaluate._activation import Spoken, activations, at_rest, latency, over_time
from ranvier.features import LogVariance, Window
from ranvier.stage import Estimator
from ranvier.stream import Trials

from .helpers import LABELS, RATE, recording

CLASSES = ("go", "stay")


def spoken(*winners, known=5):
    """One decision every 10 samples, the newest sample being 10, 20, ...; known a little later."""
    newest = 10 * np.arange(1, len(winners) + 1)
    return Spoken(newest, newest + known, np.eye(2)[list(winners)] * 0.9)


def trials(onsets, labels):
    n = len(onsets)
    return Trials(onset=np.array(onsets), label=np.array(labels), group=np.array([""] * n),
                  recording=np.zeros(n, np.int64), tmin=0.0, tmax=1.0, rate=RATE)  # fmt: skip


def test_an_activation_needs_one_class_to_lead_for_long_enough():
    split = Streamed(dwell=0.2)
    assert list(activations(spoken(0, 0, 0, 0), split, RATE)) == [(35, 0)]
    assert list(activations(spoken(0, 1, 0, 1), split, RATE)) == []
    assert list(activations(spoken(0, 0, 0, 1, 1, 1, 0), split, RATE)) == [(35, 0), (65, 1)]
    assert list(activations(spoken(0, 0, 0), Streamed(dwell=0.2, margin=0.95), RATE)) == []


def test_latency_is_from_the_cue_until_the_decision_is_known():
    split = Streamed(dwell=0.2, rest=("stay",))
    t = trials([0, 0, 0], ["go", "go", "stay"])
    inside = [spoken(0, 0, 0, 0), spoken(1, 1, 1, 0), spoken(0, 0, 0, 0)]
    found = latency(inside, t, np.arange(3), CLASSES, split)
    assert found == {
        "activated_right": 0.5, "activated_wrong": 0.0,
        "latency_median": pytest.approx(0.35), "latency_p90": pytest.approx(0.35),
    }  # fmt: skip


def test_accuracy_over_time_uses_what_is_known_by_then():
    inside = [spoken(*[1] * 3, *[0] * 7)]
    grid = dict(over_time(inside, trials([0], ["go"]), np.arange(1), CLASSES)["accuracy_over_time"])
    # means lead for "stay" until six decisions are known, at sample 65 they are equal, then "go" leads
    assert [grid[k] for k in (0.25, 0.5, 0.75, 1.0)] == [0.0, 0.0, 1.0, 1.0]


def test_false_activations_are_counted_per_minute_of_rest():
    rec = record.from_array(np.zeros((1300, 1)), RATE, events=[(0, "T0", 600), (600, "T0", 600)])
    split = Streamed(dwell=0.2, rest=("T0",))
    s = spoken(*[0] * 5, *[1] * 5, *[0] * 50, *[0] * 60)
    found = at_rest([rec], {0: s}, trials([5000], ["go"]), np.arange(1), CLASSES, split, (0, 0))
    assert found["rest_minutes"] == pytest.approx(12 / 60)
    # go, stay, go in the first stretch, go again in the second
    assert found["false_activations_per_min"] == pytest.approx(4 / (12 / 60))


@final
@dataclass(frozen=True, eq=False)
class Diary(Estimator):
    """LDA that writes down how many samples of trials it was given."""

    heard: list

    def fit_samples(self, info, samples):
        self.heard.append(len(np.unique(samples.stretch)))
        return LDA().fit_samples(info, samples)


def test_labels_arrive_late_and_the_decoder_is_swapped_while_running():
    rec = recording(n=20, contrast=2.0)
    heard = []
    pipeline = Window(length=0.5, hop=0.1) | LogVariance() | Diary(heard)
    split = Streamed(warmup=6, refit=4, label_delay=1.5, block=10)
    row = cross_validate(pipeline, rec, rec.trials(LABELS, 0.0, 2.0), split=split, cuts=(7,)).rows[0]
    # the sixth label is known 1.5 s after its trial: the seventh trial has begun and is not tested
    assert row["n"] == 13
    assert heard == [6, 10, 14, 18]
    assert row["streamed"]["refits"] == 3
    assert row["scores"]["accuracy"] == 1.0
    assert row["streamed_equals_offline"] is True


def test_a_decision_cannot_know_a_label_that_is_still_to_come():
    """Classes change their meaning half-way: without new labels every later decision is wrong."""
    early, late = recording(seed=1, n=16), recording(seed=2, n=16, run="2", labels=("right", "left"))
    pipeline = Window(length=1.0, hop=0.5) | LogVariance() | LDA()
    trials = Trials.concatenate([r.trials(LABELS, 0.0, 2.0) for r in (early, late)])
    split = Streamed(warmup=16, block=20)
    row = cross_validate(pipeline, [early, late], trials, split=split, cuts=()).rows[0]
    assert (row["n"], row["scores"]["accuracy"]) == (16, 0.0)


def test_the_block_length_changes_when_a_decision_is_known_and_nothing_else():
    rec = recording(n=16, contrast=1.3)
    pipeline = Window(length=0.5, hop=0.1) | LogVariance() | LDA()
    trials = rec.trials(LABELS, 0.0, 2.0)
    rows = [
        cross_validate(pipeline, rec, trials, split=Streamed(warmup=8, block=b), cuts=()).rows[0] for b in (1, 10, 50)
    ]
    assert len({r["score"] for r in rows}) == 1
    times = [r["streamed"]["latency_median"] for r in rows]
    assert times[0] <= times[1] <= times[2]


def test_a_warm_up_that_leaves_nothing_is_refused():
    rec = recording(n=10)
    trials = rec.trials(LABELS, 0.0, 2.0)
    pipeline = Window(length=0.5, hop=0.1) | LogVariance() | LDA()
    with pytest.raises(ContractError, match="more trials than the 10 of the warm-up; got 10"):
        cross_validate(pipeline, rec, trials, split=Streamed(warmup=10), cuts=())
    with pytest.raises(ContractError, match="trials after the warm-up; got none"):
        cross_validate(pipeline, rec, trials, split=Streamed(warmup=9, label_delay=60.0), cuts=())
