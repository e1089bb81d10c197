"""What the judge measures, against scipy, numpy and MNE."""

import numpy as np
import pytest
from scipy import signal

from ranvier.channels import BadChannels
from ranvier.channels._bands import coefficients
from ranvier.channels._judge import advance
from ranvier.channels._predict import predicted, predictors
from ranvier.kernels import _alike, _heard
from ranvier.stream import Block
from tests.channels.planted import eeg, head, info

RATE = 250


def heard(x, valid=None, **parameters):
    """Return what was summed up over a hop that is not complete, and the products of the band."""
    about = info(RATE, x.shape[1])
    state = BadChannels(hop=100.0, **parameters).prepare(about)
    assert list(advance(state, Block(x.astype("f4"), 0, valid))) == []
    return _heard.named(state["rows"], x.shape[1]), state


def filters(x):
    """Return all, mains, slow and fast part as scipy makes them."""
    a = 1 - np.exp(-2 * np.pi * 1.0 / RATE)
    mean = signal.lfilter([a], [1, a - 1], x - x[0], axis=0)
    everything = x - x[0] - mean
    mains = signal.lfilter(*signal.iirpeak(50, 50 / 3, RATE), everything, axis=0)
    return everything, mains, everything - mains


def test_powers_are_those_of_scipys_filters():
    x = eeg(20, RATE, 1, n=16)
    rows, _ = heard(x)
    everything, mains, rest = filters(x.astype("f4").astype("f8"))
    fast = signal.lfilter(*signal.butter(2, 50, "high", fs=RATE), rest, axis=0)
    for name, wanted in (("all", everything), ("mains", mains), ("fast", fast)):
        np.testing.assert_allclose(rows[name], (wanted**2).sum(0), rtol=1e-3)
    x32 = x.astype("f4")
    assert np.array_equal(rows["count"], np.full(16, len(x)))
    assert np.array_equal(rows["top"] - rows["bottom"], x32.max(0).astype(float) - x32.min(0))


def test_products_are_those_of_the_band():
    x = eeg(20, RATE, 2, n=20)
    _, state = heard(x)
    *_, rest = filters(x.astype("f4").astype("f8"))
    slow = signal.lfilter(*signal.butter(2, 40, "low", fs=RATE), rest, axis=0)[:: state.design.stride]
    np.testing.assert_allclose(state["slow"][: len(slow), :20], slow, atol=2e-3 * slow.std())


def test_the_coefficients_are_scipys():
    k = coefficients(RATE, (1.0, 40.0), 50.0, 50.0).astype(float)
    for first, edge, kind in ((4, 40, "low"), (9, 50, "high")):
        b, a = signal.butter(2, edge, kind, fs=RATE)
        np.testing.assert_allclose(k[first : first + 5], [*b, *-a[1:]], rtol=1e-6)
    b, a = signal.iirpeak(50, 50 / 3, RATE)
    np.testing.assert_allclose(k[1:4], [b[0], *-a[1:]], rtol=1e-6)


def test_correlations_and_distances_are_numpys():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((200, 9)) @ rng.standard_normal((9, 9))
    x -= x.mean(0)
    usable = np.arange(9) != 4
    best, apart, partner = np.empty(9), np.empty(9), np.empty(9, np.int64)
    product = np.triu(x.T @ x)
    _alike.nearest(product, np.flatnonzero(usable), apart, partner)
    near = np.array([[*np.delete(np.arange(9), i), -1] for i in range(9)])
    _alike.correlated(product, np.arange(9), near, usable, np.empty(2), best)
    r = np.abs(np.corrcoef(x.T))
    for i in range(9):
        others = [j for j in range(9) if j not in (i, 4)]
        assert best[i] == pytest.approx(sorted(r[i, others])[-2])
        if i != 4:
            distance = {j: ((x[:, i] - x[:, j]) ** 2).sum() for j in others}
            assert apart[i] == pytest.approx(min(distance.values()))
            assert partner[i] == min(distance, key=distance.get)


def test_weights_are_mnes_spherical_splines():
    interpolation = pytest.importorskip("mne.channels.interpolation")
    channels = info(RATE).channels
    p = predictors(channels, list(range(64)), 3, 0)
    where = np.array(head(64))
    for subset, weights in zip(p.subsets, p.weights, strict=True):
        wanted = interpolation._make_interpolation_matrix(where[subset], where)
        np.testing.assert_allclose(weights, wanted, atol=2e-3)


def test_predictions_are_correlated_as_if_they_had_been_made():
    x = eeg(20, RATE, 4)
    x -= x.mean(0)
    p = predictors(info(RATE).channels, list(range(64)), 25, 5)
    fit = predicted(p, np.triu(x.T @ x), np.ones(64, bool))
    r = np.full((25, 64), np.nan)
    for k, (subset, weights) in enumerate(zip(p.subsets, p.weights, strict=True)):
        made = x[:, subset] @ weights.T
        for i in set(range(64)) - set(subset):
            r[k, i] = (made[:, i] * x[:, i]).sum() / np.sqrt((made[:, i] ** 2).sum() * (x[:, i] ** 2).sum())
    wanted = [sorted(c[~np.isnan(c)])[(np.sum(~np.isnan(c)) - 1) // 2] for c in r.T]
    np.testing.assert_allclose(fit, wanted, rtol=1e-9)


def test_no_prediction_where_positions_are_no_head():
    flat = [(0.01 * i, 0.001 * i * i, 0.0) for i in range(64)]
    assert predictors(info(RATE).channels, list(range(12)), 25, 0) is None
    assert predictors(info(RATE, positions=False).channels, list(range(64)), 25, 0) is None
    from ranvier.stream import Channels

    assert predictors(Channels.of(64, "eeg", "uV", flat), list(range(64)), 25, 0) is None
