"""Imputation: lost channels as their expectation given the others, against closed forms and scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from ranvier.decode import LDA, MDM, Imputation, Imputer, TangentSpace
from ranvier.errors import ContractError
from ranvier.stage import Contract, through

from .helpers import accuracy, covariances, run, samples, stream


def masked(x, lost, matrices):
    valid = np.ones(x.shape, bool)
    valid[..., lost] = False
    if matrices:
        valid[..., lost, :] = False
    return np.where(valid, x, 1e30), valid


def test_values_become_their_conditional_expectation():
    """Given the others, a normal vector has its density's maximum at the expectation: scipy's density is the judge."""
    rng = np.random.default_rng(41)
    root, mean = rng.standard_normal((5, 5)), rng.standard_normal(5)
    stage = Imputer(mean, root @ root.T, Contract.of(stream((5,))))
    x = mean + rng.standard_normal((6, 5)) @ root.T
    y = run(stage, stream((5,)), *masked(x, [1, 4], False))
    assert y.valid.all()
    np.testing.assert_array_equal(y.data[:, [0, 2, 3]], x[:, [0, 2, 3]])
    density = multivariate_normal(mean, root @ root.T).logpdf
    for step in (0.05 * rng.standard_normal((20, 5))) * np.isin(np.arange(5), [1, 4]):
        assert (density(y.data) > density(y.data + step)).all()


def test_a_covariance_is_that_of_the_imputed_signal_and_what_it_leaves_open():
    """Impute the signal itself, take its second moments, add the part that nobody can know."""
    rng = np.random.default_rng(42)
    root = rng.standard_normal((6, 6))
    model, info = root @ root.T, stream((6, 6), unit="uV^2")
    signal = rng.standard_normal((200, 6)) @ rng.standard_normal((6, 6))
    filled = run(Imputer(np.zeros(6), model, Contract.of(stream((6,)))), stream((6,)), *masked(signal, [0, 3], False))
    stage = Imputer(np.zeros((6, 6)), model, Contract.of(info))
    y = run(stage, info, *masked((signal.T @ signal / 200)[None], [0, 3], True))
    open_ = np.zeros((6, 6))
    open_[np.ix_([0, 3], [0, 3])] = np.linalg.inv(np.linalg.inv(model)[np.ix_([0, 3], [0, 3])])  # Schur complement
    np.testing.assert_allclose(y.data[0], filled.data.T @ filled.data / 200 + open_, rtol=1e-9, atol=1e-9)
    assert np.linalg.eigvalsh(y.data[0])[0] > 0


def test_where_nothing_differs_from_training_the_very_matrix_comes_back():
    x, y = covariances(43, n=30)
    info = stream((6, 6), unit="uV^2")
    stage = Imputation().fit_samples(info, samples(x, y))
    np.testing.assert_allclose(
        run(stage, info, *masked(x.mean(axis=0)[None], [2], True)).data[0], x.mean(axis=0), rtol=1e-9
    )


def test_windows_are_filled_at_the_instants_that_are_lost_only():
    rng = np.random.default_rng(44)
    info = stream((50, 4), rate=0)
    mixing = rng.standard_normal((2, 4))  # two sources in four channels: two channels say all
    x = rng.standard_normal((40, 50, 2)) @ mixing + np.sin(np.arange(50) / 5)[:, None]
    stage = Imputation().fit_samples(info, samples(x, ["a", "b"] * 20))
    valid = np.ones((3, 50, 4), bool)
    valid[0, 20:, 1] = False
    valid[1, 5, 2:] = False
    y = run(stage, info, np.where(valid, x[:3], 1e30), valid)
    assert y.valid.all()
    np.testing.assert_array_equal(y.data[valid], x[:3][valid])
    np.testing.assert_allclose(y.data, x[:3], atol=0.05 * x.std())  # the mean over 40 trials is not the true one


def test_too_few_channels_make_an_invalid_sample():
    info = stream((4,))
    stage = Imputer(np.zeros(4), np.eye(4), Contract.of(info), 0.5)
    valid = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]], bool)
    y = run(stage, info, np.full((3, 4), 7.0), valid)
    assert y.valid.all(axis=1).tolist() == [True, False, True]
    assert not y.data[1].any()


def test_pairs_that_were_never_valid_together_cost_the_fewest_channels():
    x, y = covariances(45, n=30)
    info = stream((6, 6), unit="uV^2")
    stage = Imputation().fit_samples(info, samples(x, y))
    valid = np.ones((1, 6, 6), bool)
    for i in (1, 4):
        valid[0, 3, i] = valid[0, i, 3] = False  # channel 3 lacks two pairs: it is the one to lose
    whole = np.ones((1, 6, 6), bool)
    whole[0, 3], whole[0, :, 3] = False, False
    np.testing.assert_array_equal(run(stage, info, x[:1], valid).data, run(stage, info, x[:1], whole).data)


@pytest.mark.parametrize("decoder", [MDM, TangentSpace])
def test_a_decoder_loses_what_it_would_without_the_channel(decoder):
    """Classes differ in the power of two sources, mixed into twelve channels; three channels are lost in testing."""
    x, y = covariances(46, n=400, c=12, length=60)
    info, kept = stream((12, 12), unit="uV^2"), np.setdiff1d(np.arange(12), [2, 5, 9])
    less = stream((9, 9), unit="uV^2")
    small = x[:, kept][:, :, kept]

    def score(info, train, test, valid, impute):
        first = Imputation().fit_samples(info, samples(train, y[:200]))
        middle = decoder().fit_samples(info, samples(train, y[:200]))
        given = run(first, info, test, valid).data if impute else test
        if decoder is MDM:
            return accuracy(middle, info, given, y[200:])
        vectors, tests = run(middle, info, train).data, run(middle, info, given).data
        out = middle.describe(info)
        return accuracy(LDA().fit_samples(out, samples(vectors, y[:200])), out, tests, y[200:])

    whole = score(info, x[:200], x[200:], None, False)
    removed = score(less, small[:200], small[200:], None, False)
    imputed = score(info, x[:200], *masked(x[200:], [2, 5, 9], True), True)
    assert whole > 0.8
    assert imputed >= removed - 0.01


def test_what_it_cannot_fill_is_refused():
    with pytest.raises(ContractError, match="least"):
        Imputer(np.zeros(4), np.eye(4), Contract.of(stream((4,))), 0.0)
    with pytest.raises(ContractError, match="shape"):
        Imputation().fit_samples(stream((2, 3, 4)), samples(np.zeros((4, 2, 3, 4)), ["a", "b"] * 2))


def gappy(x, rng, share=0.25, never=()):
    there = rng.random(x.shape[:1] + x.shape[-1:]) > share
    there[:, list(never)] = False
    return there


def test_training_with_holes_finds_what_training_without_does():
    """Iterated expectation against the truth that made the samples.

    Channels are lost where channel 0 is high: means and powers of what is left are wrong, and so are whole samples.
    """
    rng = np.random.default_rng(47)
    root = np.linalg.qr(rng.standard_normal((6, 6)))[0] * [5, 3, 2, 1, 1, 1]
    truth, mean = root @ root.T, 3 * rng.standard_normal(6)
    x = mean + rng.standard_normal((20_000, 6)) @ root.T
    there = gappy(x, rng, 0.8) | (x[:, :1] < mean[0])
    there[:, [0, 4, 5]] = True  # enough is left of every sample
    given = samples(np.where(there, x, 1e30), ["a", "b"] * 10_000)
    found = Imputation().fit_samples(stream((6,)), replace(given, valid=there))
    np.testing.assert_allclose(found.covariance, truth, atol=0.04 * np.abs(truth).max())
    np.testing.assert_allclose(np.linalg.eigvalsh(found.covariance), np.linalg.eigvalsh(truth), rtol=0.06)
    np.testing.assert_allclose(found.mean, mean, atol=0.1)
    whole = there.all(axis=1)
    assert np.abs(x[whole].mean(axis=0) - mean).max() > 0.5


@pytest.mark.parametrize("matrices", [False, True])
def test_what_has_too_few_channels_teaches_nothing(matrices):
    x, y = covariances(51, n=30)
    info = stream((6, 6), unit="uV^2") if matrices else stream((6,))
    x = x if matrices else x[:, 0]
    valid = np.ones(x.shape, bool)
    valid[3, 2:] = False
    valid[3, ..., 2:] = False
    loud = x.copy()
    loud[3] *= 1e6
    found = Imputation().fit_samples(info, replace(samples(loud, y), valid=valid))
    rest = np.arange(30) != 3
    assert found == Imputation().fit_samples(info, samples(x[rest], y[rest]))


def test_covariances_with_holes_have_the_mean_of_those_without():
    x, y = covariances(48, n=600)
    rng, info = np.random.default_rng(49), stream((6, 6), unit="uV^2")
    there = gappy(x, rng, never=[4])
    valid = there[:, :, None] & there[:, None]
    found = Imputation().fit_samples(info, replace(samples(np.where(valid, x, 1e30), y), valid=valid)).covariance
    seen = np.arange(6) != 4
    expected = x.mean(axis=0)[np.ix_(seen, seen)]
    np.testing.assert_allclose(found[np.ix_(seen, seen)], expected, atol=0.1 * np.abs(expected).max())
    assert found[4, 4] == pytest.approx(np.median(np.diag(found)[seen]), rel=0.2)
    assert not found[4, seen].any()
    assert np.linalg.eigvalsh(found)[0] > 0


def test_samples_with_too_little_in_them_are_refused_together():
    valid = np.zeros((4, 4), bool)
    valid[:, 0] = True
    with pytest.raises(ContractError, match="50% of their channels valid; got none of 4"):
        Imputation().fit_samples(stream((4,)), replace(samples(np.ones((4, 4)), ["a", "b"] * 2), valid=valid))


def test_a_recipe_trains_on_a_recording_in_which_a_channel_is_always_bad():
    """Without Imputation nothing is left to train on; with it the decoder is that of the other channels."""
    from ranvier.denoise import Integrity
    from ranvier.features import Covariance
    from ranvier.record import from_array
    from ranvier.stage import recipe

    rng = np.random.default_rng(50)
    x = rng.standard_normal((4000, 5)).astype(np.float32)
    x[:, 3] = np.nan
    events = [(i * 100, ("left", "right")[i % 2]) for i in range(40)]
    for i in range(40):
        x[i * 100 : i * 100 + 100, i % 2] *= 3
    rec = from_array(x, 100, list("abcde"), events=events, name="eeg")
    trials = rec.trials({"left": "left", "right": "right"}, tmin=0.0, tmax=1.0)
    front = (Integrity(), Covariance(length=0.5, hop=0.5))
    with pytest.raises(ContractError, match=r"got none \(80 dropped"):
        recipe(*front, TangentSpace(), LDA()).fit(rec, trials)
    made = recipe(*front, Imputation(), TangentSpace(), LDA()).fit(rec, trials)
    out = through(made, rec)
    data, valid = (np.concatenate([getattr(b, f) for b in out]) for f in ("data", "valid"))
    assert valid.all()
    assert (data.argmax(axis=1) == np.repeat([i % 2 for i in range(40)], 2)).mean() > 0.95
