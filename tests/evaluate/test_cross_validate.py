"""cross_validate: separable is learned, shuffled labels are not; folds are refitted; streams are held to files."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold, cross_val_score

from ranvier.channels import Scale
from ranvier.decode import LDA, Wiener
from ranvier.errors import ContractError
from ranvier.evaluate import FixedSplit, KFold, LeaveOut, Select, cross_validate
from ranvier.features import Epoch, LogVariance, Window
from ranvier.stage import BlockStage, Contract, Estimator, State, recipe
from ranvier.stream import Block, Channels, Targets, Trials

from .helpers import LABELS, pipeline, recording


def trials_of(*recordings):
    return Trials.concatenate([r.trials(LABELS, 0.0, 2.0) for r in recordings])


def test_what_is_there_is_found():
    rec = recording(n=40, contrast=2.0)
    row = cross_validate(pipeline(), rec, trials_of(rec), cuts=(1, 7, 256)).rows[0]
    assert row["scores"]["accuracy"] > 0.95
    assert row["metric"] == "roc_auc"
    assert row["low"] <= row["score"] <= row["high"]
    assert row["streamed_equals_offline"] is True


@final
@dataclass(frozen=True, eq=False)
class Identity(Estimator):
    """Learns nothing, and becomes a gain of 1."""

    def fit_samples(self, info, samples):
        return Scale(1.0)


def test_something_is_learned_before_trials_are_cut():
    rec = recording(n=20, contrast=1.15)
    rest = Epoch(tmin=0.0, tmax=2.0) | LogVariance() | LDA()
    asked = {"cuts": (1, 256), "metric": "roc_auc"}
    plain = cross_validate(recipe(rest), rec, trials_of(rec), **asked).rows[0]
    found = cross_validate(recipe(Identity(), rest), rec, trials_of(rec), **asked).rows[0]
    assert found["score"] == plain["score"]
    assert found["streamed_equals_offline"] is True


def test_shuffled_labels_give_chance():
    found = []
    for seed in range(10):
        rec = recording(seed=seed, n=40, shuffle=True)
        found.append(cross_validate(pipeline(), rec, trials_of(rec), cuts=(), metric="accuracy").rows[0]["score"])
    assert np.mean(found) == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(400))


def test_scores_are_those_of_scikit_learn_on_the_same_folds():
    rec = recording(n=40, contrast=1.15)
    trials = trials_of(rec)
    x = rec.read().data
    features = np.log([x[b:e].var(axis=0) for b, e in zip(trials.begin, trials.end, strict=True)])
    cv = StratifiedKFold(5, shuffle=True, random_state=42)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=None)
    expected = cross_val_score(model, features, trials.label, cv=cv).mean()
    plain = Epoch(tmin=0.0, tmax=2.0) | LogVariance() | LDA(shrinkage=0.0)
    row = cross_validate(plain, rec, trials, cuts=(), metric="accuracy").rows[0]
    assert 0.5 < expected < 1
    assert row["score"] == pytest.approx(expected, abs=1e-12)


def test_each_subject_and_session_has_its_row():
    recs = [
        recording(seed=i, n=12, subject=s, session=t) for i, (s, t) in enumerate([("a", "1"), ("a", "2"), ("b", "1")])
    ]
    results = cross_validate(pipeline(), recs, trials_of(*recs), cuts=(), split=KFold(k=3))
    assert [(r["subject"], r["session"], r["n"]) for r in results.rows] == [
        ("a", "1", 12),
        ("a", "2", 12),
        ("b", "1", 12),
    ]
    (line,) = results.summary()
    assert (line["n_subjects"], line["n_rows"]) == (2, 3)
    scores = [r["score"] for r in results.rows]
    assert line["mean"] == pytest.approx((np.mean(scores[:2]) + scores[2]) / 2)


def test_a_subject_is_left_out_of_all_others():
    recs = [recording(seed=i, n=12, subject=s) for i, s in enumerate("abc")]
    results = cross_validate(pipeline(), recs, trials_of(*recs), cuts=(), split=LeaveOut(by="subject"))
    assert [r["subject"] for r in results.rows] == ["a", "b", "c"]
    assert min(r["scores"]["accuracy"] for r in results.rows) > 0.9


@final
@dataclass(frozen=True, eq=False)
class Counting(Estimator):
    """LDA that writes down what it was fitted on."""

    heard: list

    def fit_samples(self, info, samples):
        self.heard.append(len(samples.x))
        return LDA().fit_samples(info, samples)


@final
@dataclass(frozen=True, eq=False)
class Spy(BlockStage):
    """Passes everything on, and counts the samples that it hears."""

    heard: list

    def describe(self, *infos):
        return infos[0]

    def prepare(self, info):
        return State()

    def step(self, state, block):
        self.heard[0] += block.n
        return block


def test_the_front_runs_once_and_the_rest_is_fitted_in_every_fold():
    rec = recording(n=20)
    heard, fits = [0], []
    cross_validate(
        Spy(heard) | Epoch(tmin=0.0, tmax=2.0) | LogVariance() | Counting(fits), rec, trials_of(rec), cuts=()
    )
    assert heard[0] == rec.n_samples
    assert fits == [16] * 5


@final
@dataclass(frozen=True, eq=False)
class ByBlock(BlockStage):
    """Broken on purpose: what it puts out depends on the cut."""

    def describe(self, *infos):
        return infos[0]

    def prepare(self, info):
        return State()

    def step(self, state, block):
        mean = block.data.mean(axis=0) if block.n else 0
        return Block(block.data - mean, block.start, block.valid, block.at)


def test_a_stage_that_depends_on_the_cut_is_told():
    rec = recording(n=20)
    row = cross_validate(ByBlock() | pipeline(), rec, trials_of(rec)).rows[0]
    assert row["streamed_equals_offline"] is False


def test_several_decisions_in_a_trial_are_averaged():
    rec = recording(n=40, contrast=1.5)
    short = Window(length=0.5, hop=0.25) | LogVariance() | LDA()
    row = cross_validate(short, rec, trials_of(rec), cuts=(5,)).rows[0]
    assert row["scores"]["accuracy"] > 0.8
    assert row["undecided"] == 0


@final
@dataclass(frozen=True, eq=False)
class Wrong(BlockStage):
    """Says something that is no class."""

    def describe(self, *infos):
        return infos[0].but(channels=Channels.of(["x"], "class", "1"), shape=(1,))

    def prepare(self, info):
        return State()

    def step(self, state, block):
        return Block(block.data[:, :1], block.start, block.valid[:, :1])


def test_what_does_not_decide_among_the_classes_is_refused():
    rec = recording(n=10)
    trials = trials_of(rec)
    with pytest.raises(ContractError, match="decisions among the classes left, right; got x"):
        cross_validate(Wrong(), rec, trials, cuts=())
    with pytest.raises(ContractError, match="one score a class"):
        cross_validate(Epoch(tmin=0.0, tmax=2.0) | LogVariance(), rec, trials, cuts=())
    with pytest.raises(ContractError, match="recording each; got recording 1 of 1"):
        cross_validate(pipeline(), rec, replace(trials, recording=np.ones(10, np.int64)), cuts=())


def follow(seed=0, n=2000):
    from ranvier import record

    rng = np.random.default_rng(seed)
    z = np.cumsum(rng.standard_normal((n, 1)), axis=0) * 0.1
    x = np.concatenate([z, -z, z], axis=1) + 0.3 * rng.standard_normal((n, 3))
    rec = record.from_array(x, 20, ["a", "b", "c"])
    return rec, Targets(names=("v",), units=("1",), values=z), x, z


def test_targets_are_followed_as_least_squares_would():
    rec, targets, x, z = follow()
    results = cross_validate(Wiener(lags=3, alpha=0.0), rec, [targets], cuts=(1, 50))
    x = rec.read().data.astype(np.float64)
    lagged = np.concatenate([np.roll(x, k, axis=0) for k in range(3)] + [np.ones((len(x), 1))], axis=1)
    w = np.linalg.lstsq(lagged[2:1600], z[2:1600], rcond=None)[0]
    rest = z[1600:] - lagged[1600:] @ w
    row = results.rows[0]
    assert row["n"] == 400
    assert row["score"] == pytest.approx(1 - rest.var() / z[1600:].var() - rest.mean() ** 2 / z[1600:].var(), abs=1e-5)
    assert row["streamed_equals_offline"] is True


def test_targets_in_folds_of_time_are_all_tested():
    rec, targets, _, _ = follow()
    from ranvier.evaluate import LeakRule

    row = cross_validate(
        Wiener(lags=3), rec, [targets], split=KFold(k=4, within="session"), leak=LeakRule(purge=True), cuts=()
    ).rows[0]
    assert (row["n"], row["n_folds"]) == (2000 - 2, 4)  # two samples until three lags are known
    assert row["score"] > 0.5


def test_targets_need_time_to_fit_on():
    rec, targets, _, _ = follow(n=200)
    none = FixedSplit(train=Select(run=("9",)), test=Select())
    with pytest.raises(ContractError, match="got 0 and 1 stretches"):
        cross_validate(Wiener(lags=3), rec, [targets], split=none, cuts=())


def test_a_contract_is_kept_between_recordings():
    a, b = recording(seed=1, n=10), recording(seed=2, n=10, run="2")
    b.info = b.info.but(channels=Channels.of(["a", "b", "x"], "eeg", "uV"))
    assert Contract.of(a.info) != Contract.of(b.info)
    with pytest.raises(ContractError, match="channels"):
        cross_validate(pipeline(), [a, b], trials_of(a, b), cuts=())
