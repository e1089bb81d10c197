"""Exponentials of our own against numpy's, and probabilities against scipy's."""

import numpy as np
import pytest
from scipy.special import expit, log_softmax

from ranvier.kernels._links import exponential, logarithm, logarithms, sigmoid, softmax


def test_exponentials_are_those_of_libm():
    rng = np.random.default_rng(1)
    x = -np.concatenate([rng.uniform(0, 708, 5000), rng.uniform(0, 2, 5000), [0.0, 1e-300, 708.0, 0.5]])
    mine = np.array([exponential(v) for v in x])
    np.testing.assert_allclose(mine, np.exp(x), rtol=1e-15)
    assert exponential(0.0) == 1.0
    assert exponential(-709.0) == exponential(-np.inf) == 0.0
    assert np.isnan(exponential(np.nan))


def test_logarithms_are_those_of_libm():
    rng = np.random.default_rng(3)
    x = np.concatenate([np.exp(rng.uniform(-700, 700, 5000)), rng.uniform(0.5, 2, 5000), [1.0, 5e-324, 1e308, 0.5]])
    np.testing.assert_allclose([logarithm(v) for v in x], np.log(x), rtol=1e-15, atol=2e-16)
    assert logarithm(1.0) == 0.0


def test_rows_without_a_logarithm_are_used_no_longer():
    power = np.array([[1.0, 2.0], [1.0, 0.0], [-1.0, 2.0], [np.inf, 1.0], [np.nan, 1.0], [3.0, 4.0]])
    used = np.array([True, True, True, True, True, False])
    logarithms(power, used)
    assert used.tolist() == [True, False, False, False, False, False]
    np.testing.assert_allclose(power[0], [0, np.log(2)], rtol=1e-15)
    assert power[5].tolist() == [3.0, 4.0]


@pytest.mark.parametrize("scale", [0.1, 5.0, 300.0])
def test_rows_that_are_used_become_probabilities(scale):
    scores = np.random.default_rng(2).standard_normal((20, 4)) * scale
    used = np.arange(20) % 3 > 0
    soft, logistic = scores.copy(), scores.copy()
    softmax(soft, used)
    sigmoid(logistic, used)
    np.testing.assert_allclose(soft[used], np.exp(log_softmax(scores[used], axis=1)), rtol=1e-12, atol=1e-300)
    each = expit(scores)
    kept = used & (each.sum(axis=1) > 1e-290)
    np.testing.assert_allclose(logistic[kept], (each / each.sum(axis=1, keepdims=True))[kept], rtol=1e-12, atol=1e-290)
    assert np.array_equal(soft[~used], scores[~used])


def test_scores_far_below_0_keep_their_proportions():
    scores = np.array([[-5000.0, -5001.0]])
    sigmoid(scores, np.ones(1, bool))
    np.testing.assert_allclose(scores[0], [np.e / (1 + np.e), 1 / (1 + np.e)], rtol=1e-14)
