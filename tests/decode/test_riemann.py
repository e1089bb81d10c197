"""CSP, TangentSpace, MDM against pyRiemann on the same matrices."""

import numpy as np
import pytest
from pyriemann.classification import MDM as PeerMDM
from pyriemann.spatialfilters import CSP as PeerCSP
from pyriemann.tangentspace import TangentSpace as PeerTangentSpace
from scipy.linalg import eigh

from ranvier.decode import CSP, MDM, TangentSpace
from ranvier.decode._spd import riemannian_mean
from ranvier.errors import ContractError

from .helpers import accuracy, covariances, run, samples, stream

THREE = ("feet", "left", "right")


@pytest.mark.parametrize("c", [3, 6, 16])
def test_riemannian_mean_is_the_peers(c):
    from pyriemann.geometry.mean import mean_riemann

    x, _ = covariances(1, n=30, c=c)
    mine, peer = riemannian_mean(None, x), mean_riemann(x, tol=1e-10)
    # both stop where the tangent step is below 1e-9
    np.testing.assert_allclose(mine, peer, rtol=1e-7, atol=1e-9 * np.abs(peer).max())


def test_riemannian_mean_of_two_is_the_closed_form():
    """The mean of two matrices is A (A^-1 B)^(1/2), whatever the algorithm."""
    from scipy.linalg import sqrtm

    x, _ = covariances(2, n=2, c=5)
    closed = x[0] @ np.real(sqrtm(np.linalg.solve(x[0], x[1])))
    np.testing.assert_allclose(riemannian_mean(None, x), closed, rtol=1e-8, atol=1e-9 * np.abs(closed).max())


@pytest.mark.parametrize("rate", [10, 0])
def test_tangent_space_is_the_peers(rate):
    x, y = covariances(3)
    info = stream((6, 6), rate=rate)
    stage = TangentSpace().fit_samples(info, samples(x[:40], y[:40]))
    peer = PeerTangentSpace(metric="riemann").fit(x[:40])
    out = run(stage, info, x)
    # the peer's mean stops at 1e-8; the log map passes that on
    np.testing.assert_allclose(out.data, peer.transform(x), atol=1e-7)
    assert out.valid.all()
    assert (out.at is None) == bool(rate)


def test_tangent_vectors_have_the_length_of_the_distance():
    x, y = covariances(4, n=20)
    info = stream((6, 6))
    stage = TangentSpace().fit_samples(info, samples(x, y))
    mean = riemannian_mean(None, x)
    distance = [np.sqrt(np.square(np.log(eigh(m, mean, eigvals_only=True))).sum()) for m in x]
    np.testing.assert_allclose(np.linalg.norm(run(stage, info, x).data, axis=1), distance, rtol=1e-9)


def test_tangent_space_leaves_out_directions_without_power():
    """After a common average reference one eigenvalue is rounding; what is left equals any five of six channels."""
    x, y = covariances(5)
    car = np.eye(6) - 1 / 6
    flat, five = car @ x @ car, (car @ x @ car)[:, :5, :5]
    stage = TangentSpace().fit_samples(stream((6, 6)), samples(flat, y))
    other = TangentSpace().fit_samples(stream((5, 5)), samples(five, y))
    assert stage.whitening.shape == (5, 6)
    assert stage.describe(stream((6, 6))).shape == (15,)
    mine, theirs = run(stage, stream((6, 6)), flat).data, run(other, stream((5, 5)), five).data
    np.testing.assert_allclose(np.linalg.norm(mine, axis=1), np.linalg.norm(theirs, axis=1), rtol=1e-6)


def test_mdm_is_the_peers():
    x, y = covariances(6, n=90, classes=THREE)
    info = stream((6, 6))
    stage = MDM().fit_samples(info, samples(x[:60], y[:60]))
    peer = PeerMDM(metric="riemann").fit(x[:60], y[:60])
    out = run(stage, info, x)
    assert stage.classes == tuple(peer.classes_)
    np.testing.assert_allclose(out.data, peer.predict_proba(x), atol=1e-6)
    assert (np.array(THREE)[out.data.argmax(axis=1)] == peer.predict(x)).all()


def test_csp_of_two_classes_is_the_peers():
    x, y = covariances(7)
    info = stream((6, 6))
    stage = CSP(n_filters=4).fit_samples(info, samples(x, y))
    peer = PeerCSP(nfilter=4, metric="euclid").fit(x, y)
    np.testing.assert_allclose(run(stage, info, x).data, peer.transform(x), atol=1e-9)


def test_csp_filters_diagonalise_both_classes():
    x, y = covariances(8)
    stage = CSP(n_filters=6).fit_samples(stream((6, 6)), samples(x, y))
    means = [x[y == c].mean(axis=0) for c in ("left", "right")]
    both = stage.filters @ (means[0] + means[1]) @ stage.filters.T
    one = stage.filters @ means[1] @ stage.filters.T
    np.testing.assert_allclose(both, np.eye(6), atol=1e-9)
    np.testing.assert_allclose(one, np.diag(np.diag(one)), atol=1e-9)
    apart = np.abs(np.diag(one) - 0.5)
    assert (np.diff(apart) <= 1e-12).all()


def test_csp_of_three_classes_is_the_peers():
    x, y = covariances(9, n=90, classes=THREE)
    info = stream((6, 6))
    stage = CSP(n_filters=4).fit_samples(info, samples(x, y))
    peer = PeerCSP(nfilter=4, metric="euclid").fit(x, y)
    np.testing.assert_allclose(run(stage, info, x).data, peer.transform(x), atol=1e-9)


def test_csp_of_covariances_without_full_rank():
    x, y = covariances(10, n=90, classes=THREE)
    car = np.eye(6) - 1 / 6
    for two in (True, False):
        mine = y != "feet" if two else np.ones(len(y), bool)
        flat = car @ x[mine] @ car
        stage = CSP().fit_samples(stream((6, 6)), samples(flat, y[mine]))
        assert stage.filters.shape == (5, 6)
        assert run(stage, stream((6, 6)), flat).valid.all()


@pytest.mark.parametrize("trainable", [CSP(), TangentSpace(), MDM()])
def test_what_is_not_positive_definite_is_invalid_and_touches_no_other(trainable):
    x, y = covariances(11)
    info = stream((6, 6))
    stage = trainable.fit_samples(info, samples(x, y))
    good = run(stage, info, x)
    bad = x.copy()
    bad[3] = 0
    bad[5] = -bad[5]
    out = run(stage, info, bad)
    assert not out.valid[[3, 5]].any()
    assert (out.data[[3, 5]] == 0).all()
    rest = np.setdiff1d(np.arange(len(x)), [3, 5])
    assert np.array_equal(out.data[rest], good.data[rest])
    assert out.valid[rest].all()


@pytest.mark.parametrize("trainable", [TangentSpace(), MDM()])
def test_singular_training_is_refused_with_advice(trainable):
    x, y = covariances(12)
    x[4] = 0
    with pytest.raises(ContractError, match=r"1 of 60 that are singular.*oas"):
        trainable.fit_samples(stream((6, 6)), samples(x, y))


@pytest.mark.parametrize("trainable", [CSP(), TangentSpace(), MDM()])
def test_other_shapes_and_labels_are_refused(trainable):
    x, y = covariances(13)
    with pytest.raises(ContractError, match=r"covariances.*got samples of shape \(6,\).*Covariance"):
        trainable.fit_samples(stream((6,)), samples(x[:, 0], y))
    if not isinstance(trainable, TangentSpace):
        with pytest.raises(ContractError, match=r"two classes or more; got left"):
            trainable.fit_samples(stream((6, 6)), samples(x, np.array(["left"] * len(y))))
        with pytest.raises(ContractError, match="needs labelled trials"):
            trainable.fit_samples(stream((6, 6)), samples(x, np.ones((len(y), 2))))


def test_csp_needs_filters():
    x, y = covariances(14)
    with pytest.raises(ContractError, match="n_filters >= 1; got 0"):
        CSP(n_filters=0).fit_samples(stream((6, 6)), samples(x, y))


def test_permuted_labels_are_at_chance_and_true_ones_are_not():
    x, y = covariances(15, n=400)
    info = stream((6, 6))
    half = slice(0, 200), slice(200, 400)
    true = MDM().fit_samples(info, samples(x[half[0]], y[half[0]]))
    wrong = MDM().fit_samples(info, samples(x[half[0]], np.random.default_rng(0).permutation(y[half[0]])))
    assert accuracy(true, info, x[half[1]], y[half[1]]) > 0.95
    # 200 test trials: chance lies within 0.5 +- 0.14 (four standard deviations of a fair coin), when train labels say
    # nothing the decision is one fixed rule, so permuting the test labels gives that coin
    shuffled = np.random.default_rng(1).permutation(y[half[1]])
    assert abs(accuracy(wrong, info, x[half[1]], shuffled) - 0.5) < 0.14
