"""Splits: the folds are those that their names promise."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from ranvier.errors import ContractError
from ranvier.evaluate import FixedSplit, KFold, LeaveOut, Select, Streamed, Table, TrialRule, Untrained

from .helpers import LABELS, recording

RULE = TrialRule(labels=LABELS, tmin=0.0, tmax=2.0)


def table(*recordings):
    return Table.join([RULE.find(r) for r in recordings])


def three_runs():
    return table(*[recording(seed=i, n=8, run=str(i)) for i in range(3)])


def test_k_fold_is_that_of_moabb():
    t = three_runs()
    folds = KFold().folds(t)
    expected = StratifiedKFold(5, shuffle=True, random_state=42).split(np.zeros(len(t)), t.trials.label)
    for ours, (train, test) in zip(folds, expected, strict=True):
        assert np.array_equal(ours.train, train)
        assert np.array_equal(ours.test, test)


def test_leave_out_takes_each_run_once():
    t = three_runs()
    folds = LeaveOut(by="run").folds(t)
    assert [set(t.run[f.test]) for f in folds] == [{"0"}, {"1"}, {"2"}]
    for f in folds:
        assert not set(t.run[f.train]) & set(t.run[f.test])
        assert len(f.train) + len(f.test) == len(t)


def test_what_is_left_out_decides_where_the_others_come_from():
    assert [LeaveOut(by=b).within for b in ("run", "session", "subject", "block")] == [
        "session", "subject", "all", "session"
    ]  # fmt: skip


def test_blocks_are_counted_by_the_events_that_begin_them():
    rec = recording(n=8)
    rule = TrialRule(labels={"left": "x", "right": "x"}, tmin=0.0, tmax=2.0, block="left")
    t = rule.find(rec)
    labels = [rec.event_info.labels[int(e["code"])] for e in rec.events.table]
    assert t.block.tolist() == [str(sum(v == "left" for v in labels[: i + 1])) for i in range(len(labels))]


def test_of_events_at_one_sample_the_first_glob_decides():
    from ranvier import record

    rec = record.from_array(np.zeros((500, 1)), 100, events=[(10, "code=1"), (10, "type=1"), (110, "code=2")])
    rule = TrialRule(labels={"type=1": "target", "code=*": "other"}, tmin=0.0, tmax=1.0, item="code=*")
    t = rule.find(rec)
    assert t.trials.label.tolist() == ["target", "other"]
    assert t.item.tolist() == ["code=1", "code=2"]


def test_trials_that_the_recording_does_not_hold_are_left_out():
    rec = recording(n=4)
    assert len(TrialRule(labels=LABELS, tmin=0.0, tmax=100.0).find(rec) or []) == 0
    assert TrialRule(labels={"nothing": "x"}, tmin=0.0, tmax=1.0).find(rec) is None


def test_a_fixed_split_chooses_by_run_order_time_and_place():
    t = three_runs()
    lengths = (2700, 2700, 2700)
    by = {
        "run": (Select(run=("0",)), Select(run=("[12]",))),
        "order": (Select(recordings=(0, 1)), Select(recordings=(1, 3))),
        "place": (Select(trials=(0, 8)), Select(trials=(8, 24))),
    }
    for train, test in by.values():
        (fold,) = FixedSplit(train=train, test=test).folds(t, lengths)
        assert fold.train.tolist() == list(range(8))
        assert fold.test.tolist() == list(range(8, 24))
    (fold,) = FixedSplit(train=Select(part=(0.0, 0.5)), test=Select(samples=(1350, 2700))).folds(t, lengths)
    assert (t.trials.end[fold.train] <= 1350).all()
    assert (t.trials.begin[fold.test] >= 1350).all()


def test_untrained_tests_everything_on_nothing():
    (fold,) = Untrained().folds(three_runs())
    assert (len(fold.train), len(fold.test)) == (0, 24)


def test_splits_that_cannot_be_say_why():
    t = table(recording(n=6))
    with pytest.raises(ContractError, match=r"2 <= k .* rarest class; got k=5 for 3"):
        KFold().folds(t)
    with pytest.raises(ContractError, match="two or more runs; got 1"):
        LeaveOut(by="run").folds(t)
    with pytest.raises(ContractError, match="got 6 and 0 of 6"):
        FixedSplit(train=Select(), test=Select(run=("9",))).folds(t, (2100,))
    with pytest.raises(ContractError, match="warmup >= 2"):
        Streamed(warmup=0)
