"""Scores and intervals, held to scikit-learn, scipy and closed forms."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from ranvier.errors import ConfigError
from ranvier.evaluate import wilson, wolpaw
from ranvier.evaluate._intervals import of_difference, of_mean, of_row
from ranvier.evaluate._scores import Outcome, chance, decided, score


def outcome(truth, scores, fold=None, names=("a", "b", "c")):
    n = len(truth)
    fold = np.zeros(n, np.int64) if fold is None else fold
    return Outcome(names=names[: np.shape(scores)[1]], truth=truth, scores=scores, fold=fold, place=np.arange(n))


def drawn(n=200, k=3, seed=1, ties=False):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    scores = rng.standard_normal((n, k)) + 0.8 * np.eye(k)[truth]
    return outcome(truth, np.round(scores, 1) if ties else scores)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("ties", [False, True])
def test_scores_are_those_of_scikit_learn(k, ties):
    o = drawn(k=k, ties=ties)
    assert score(o, "accuracy") == pytest.approx(metrics.accuracy_score(o.truth, o.scores.argmax(1)), abs=1e-12)
    expected = metrics.balanced_accuracy_score(o.truth, o.scores.argmax(1))
    assert score(o, "balanced_accuracy") == pytest.approx(expected, abs=1e-12)
    one = [metrics.roc_auc_score(o.truth == c, o.scores[:, c]) for c in range(k)]
    expected = metrics.roc_auc_score(o.truth, o.scores[:, 1] - o.scores[:, 0]) if k == 2 else np.mean(one)
    assert score(o, "roc_auc") == pytest.approx(expected, abs=1e-12)


def test_a_score_is_the_mean_over_folds():
    o = outcome(np.array([0, 0, 1, 1, 1]), np.eye(2)[[0, 1, 1, 1, 1]], np.array([0, 0, 1, 1, 1]))
    assert score(o, "accuracy") == pytest.approx((0.5 + 1) / 2)


def test_an_undecided_trial_is_wrong_and_is_left_out_of_the_auc():
    scores = np.array([[1.0, 0.0], [np.nan, np.nan], [0.0, 1.0]])
    o = outcome(np.array([0, 0, 1]), scores)
    assert decided(o).tolist() == [0, -1, 1]
    assert score(o, "accuracy") == pytest.approx(2 / 3)
    assert score(o, "roc_auc") == 1.0


def test_continuous_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(2)
    truth = rng.standard_normal((300, 2)) * [1, 3] + [0, 1]
    found = truth + 0.5 * rng.standard_normal((300, 2))
    o = outcome(truth, found)
    assert score(o, "r2") == pytest.approx(metrics.r2_score(truth, found), abs=1e-12)
    expected = np.sqrt(metrics.mean_squared_error(truth, found) / np.mean(truth**2))
    assert score(o, "nrmse") == pytest.approx(expected, abs=1e-12)
    assert score(outcome(truth, np.zeros_like(truth)), "nrmse") == chance(o, "nrmse") == 1.0


@pytest.mark.parametrize(("right", "n"), [(0, 10), (7, 10), (50, 64), (100, 100)])
def test_wilson_is_scipy_s(right, n):
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wolpaw_rates_are_the_published_ones():
    assert wolpaw(1.0, 4) == 2.0
    assert wolpaw(0.25, 4) == wolpaw(0.1, 4) == 0.0
    assert wolpaw(0.9, 2) == pytest.approx(1 - stats.entropy([0.9, 0.1], base=2))
    assert wolpaw(0.8, 4) == pytest.approx(2 - stats.entropy([0.8, 0.2], base=2) - 0.2 * np.log2(3))


def test_the_interval_over_subjects_is_scipy_s():
    x = [0.6, 0.75, 0.9, 0.8, 0.7, 0.85]
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    assert of_mean(x)[:2] == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_bootstrap_of_an_auc_agrees_with_hanley_and_mcneil():
    o = drawn(n=400, k=2, seed=5)
    low, high, _ = of_row(o, "roc_auc", seed=0)
    a, m, n = score(o, "roc_auc"), int((o.truth == 1).sum()), int((o.truth == 0).sum())
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    se = np.sqrt((a * (1 - a) + (m - 1) * (q1 - a * a) + (n - 1) * (q2 - a * a)) / (m * n))
    assert (high - low) / (2 * 1.96) == pytest.approx(se, rel=0.15)


def test_the_paired_difference_of_a_pipeline_with_itself_is_nothing_and_of_a_worse_one_is_positive():
    o = drawn(n=150, seed=7)
    assert of_difference([o], [o], "accuracy", 0)[:2] == (0.0, 0.0)
    worse = outcome(o.truth, np.random.default_rng(8).standard_normal(o.scores.shape))
    low, high, how = of_difference([o], [worse], "accuracy", 0)
    assert 0 < low < score(o, "accuracy") - score(worse, "accuracy") < high
    assert "seed 0" in how


def test_a_metric_that_does_not_fit_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"metric needs one of accuracy.*'auc'"):
        score(drawn(), "auc")
    with pytest.raises(ConfigError, match="'r2' does not fit trials"):
        score(drawn(), "r2")
