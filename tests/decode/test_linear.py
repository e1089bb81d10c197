"""LDA, LogisticRegression, SVM and unpacked estimators against scikit-learn's own answers."""

import numpy as np
import pytest
import sklearn.discriminant_analysis as sk_lda
import sklearn.linear_model as sk
import sklearn.svm as sk_svm
from sklearn.covariance import ledoit_wolf as peer_ledoit_wolf
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ranvier.decode import LDA, SVM, Linear, LogisticRegression
from ranvier.decode._lda import ledoit_wolf
from ranvier.errors import ContractError

from .helpers import accuracy, labels, run, samples, stream

TWO, THREE = ("no", "yes"), ("feet", "left", "right")


def features(seed, n=120, p=12, classes=TWO, apart=1.0):
    rng = np.random.default_rng(seed)
    y = labels(rng, n, classes)
    x = rng.standard_normal((n, p)) @ rng.standard_normal((p, p)) * 3 + 5
    for k, c in enumerate(classes):
        x[y == c, k] += 3 * apart
    return x, y


@pytest.mark.parametrize("classes", [TWO, THREE])
@pytest.mark.parametrize("shrinkage", ["auto", 0.0, 0.3])
def test_lda_is_the_peers(classes, shrinkage):
    x, y = features(1, classes=classes)
    info = stream((12,))
    stage = LDA(shrinkage=shrinkage).fit_samples(info, samples(x, y))
    peer = sk_lda.LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage if shrinkage != 0 else None).fit(x, y)
    np.testing.assert_allclose(run(stage, info, x).data, peer.predict_proba(x), atol=1e-9)


def test_lda_with_more_features_than_trials_is_the_peers():
    x, y = features(2, n=30, p=80)
    stage = LDA().fit_samples(stream((80,)), samples(x, y))
    peer = sk_lda.LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(x, y)
    np.testing.assert_allclose(run(stage, stream((80,)), x).data, peer.predict_proba(x), atol=1e-9)


@pytest.mark.parametrize(("n", "p"), [(20, 5), (10, 40), (300, 3)])
def test_ledoit_wolf_is_the_peers(n, p):
    x = np.random.default_rng(3).standard_normal((n, p)) * np.arange(1, p + 1)
    x -= x.mean(axis=0)
    assert ledoit_wolf(x) == pytest.approx(peer_ledoit_wolf(x, assume_centered=True)[1], rel=1e-12)


@pytest.mark.parametrize("classes", [TWO, THREE])
@pytest.mark.parametrize("balanced", [False, True])
def test_logistic_regression_is_the_peers(classes, balanced):
    x, y = features(4, classes=classes)
    info = stream((12,))
    stage = LogisticRegression(C=0.5, balanced=balanced).fit_samples(info, samples(x, y))
    weight = "balanced" if balanced else None
    peer = sk.LogisticRegression(C=0.5, class_weight=weight, tol=1e-10, max_iter=100_000).fit(x, y)
    # our optimiser stops at a gradient of 1e-6
    np.testing.assert_allclose(run(stage, info, x).data, peer.predict_proba(x), atol=1e-4)


@pytest.mark.parametrize("classes", [TWO, THREE])
def test_svm_decides_as_the_peer_one_against_the_rest(classes):
    from sklearn.multiclass import OneVsRestClassifier

    x, y = features(5, classes=classes)
    info = stream((12,))
    stage = SVM(C=0.1).fit_samples(info, samples(x, y))
    peer = OneVsRestClassifier(sk_svm.SVC(kernel="linear", C=0.1)).fit(x, y)
    margins = peer.decision_function(x)
    wanted = np.stack([-margins, margins], axis=1) if len(classes) == 2 else margins
    np.testing.assert_allclose(run(stage, info, x).data, wanted, atol=1e-9)
    assert (np.array(classes)[run(stage, info, x).data.argmax(axis=1)] == peer.predict(x)).all()


CLASSIFIERS = [
    sk.LogisticRegression(), sk.LogisticRegression(solver="liblinear"), sk_svm.LinearSVC(random_state=0),
    sk_svm.SVC(kernel="linear"), sk.SGDClassifier(random_state=0), sk.SGDClassifier(loss="log_loss", random_state=0),
    sk.RidgeClassifier(), sk.RidgeClassifierCV(), sk.Perceptron(random_state=0),
    sk_lda.LinearDiscriminantAnalysis(), sk_lda.LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.2),
]  # fmt: skip


@pytest.mark.parametrize("classes", [TWO, THREE])
@pytest.mark.parametrize("peer", CLASSIFIERS, ids=str)
@pytest.mark.parametrize("scaled", [False, True])
def test_unpacked_classifiers_give_their_own_numbers(peer, classes, scaled):
    if len(classes) > 2 and (isinstance(peer, sk_svm.SVC) or getattr(peer, "solver", "") == "liblinear"):
        pytest.skip("one against one, or for two classes only; see the refusals")
    x, y = features(6, classes=classes)
    x = (x - x.mean(axis=0)) / x.std(axis=0) if not scaled else x
    info = stream((12,))
    fitted = (make_pipeline(StandardScaler(), peer) if scaled else peer).fit(x, y)
    out = run(Linear.from_sklearn(fitted, info), info, x).data
    if hasattr(fitted, "predict_proba"):
        np.testing.assert_allclose(out, fitted.predict_proba(x), atol=1e-9)
    else:
        margins = fitted.decision_function(x)
        wanted = np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins
        np.testing.assert_allclose(out, wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())
    assert (np.array(classes)[out.argmax(axis=1)] == fitted.predict(x)).all()


@pytest.mark.parametrize(
    "peer",
    [sk.Ridge(), sk.LinearRegression(), sk.Lasso(alpha=0.01), sk.RidgeCV(), sk.LinearRegression(fit_intercept=False)],
    ids=str,
)
def test_unpacked_regressors_give_their_own_numbers(peer):
    x, _ = features(7)
    z = np.random.default_rng(8).standard_normal((len(x), 2)) + x[:, :2]
    info = stream((12,))
    for target, names in ((z, ("vx", "vy")), (z[:, 0], ("vx",))):
        fitted = make_pipeline(StandardScaler(with_std=False), peer).fit(x, target)
        stage = Linear.from_sklearn(fitted, info, names=names, units=("cm/s",) * len(names))
        out = stage.describe(info)
        assert out.channels.names == names
        assert set(out.channels.units) == {"cm/s"}
        wanted = fitted.predict(x).reshape(len(x), -1)
        np.testing.assert_allclose(run(stage, info, x).data, wanted, atol=1e-9)


def test_what_is_not_linear_or_not_fitted_is_refused():
    x, y = features(9, classes=THREE)
    info = stream((12,))
    for peer, why in (
        (sk_svm.SVC().fit(x, y), "its kernel is not linear"),
        (sk_svm.SVC(kernel="linear").fit(x, y), "one class against one"),
        (sk.LogisticRegression(), "was not fitted"),
        (make_pipeline(MinMaxScaler(), sk.Ridge()).fit(x, x[:, 0]), "MinMaxScaler.*cannot stand before"),
        (object(), "is not a linear estimator"),
        (sk.PoissonRegressor().fit(x**2, y == "left"), "is not a linear estimator"),
    ):
        with pytest.raises(ContractError, match=why):
            Linear.from_sklearn(peer, info)
    with pytest.raises(ContractError, match=r"12 inputs .* got one of 12|11 inputs for samples of shape \(11,\)"):
        Linear.from_sklearn(sk.RidgeClassifier().fit(x, y), stream((11,)))
    with pytest.raises(ContractError, match="a name and a unit for each of 1 targets; got 2 and 1"):
        Linear.from_sklearn(sk.Ridge().fit(x, x[:, 0]), info, names=("a", "b"))


class Deceiver:
    coef_, intercept_, classes_ = np.ones((1, 12)), np.zeros(1), np.array(["a", "b"])


def test_names_alone_do_not_make_an_estimator():
    Deceiver.__name__ = "LogisticRegression"
    with pytest.raises(ContractError, match="is not a linear estimator"):
        Linear.from_sklearn(Deceiver(), stream((12,)))


@pytest.mark.parametrize("trainable", [LDA(), LogisticRegression(), SVM()])
@pytest.mark.parametrize("shape", [(24,), (6, 4), (3, 4, 2)])
def test_samples_of_any_shape_are_read_time_major(trainable, shape):
    x, y = features(10, p=24, apart=3.0)
    plain = trainable.fit_samples(stream((24,)), samples(x, y))
    shaped = trainable.fit_samples(stream(shape), samples(x.reshape(-1, *shape), y))
    assert np.array_equal(plain.weights, shaped.weights)
    a = run(plain, stream((24,)), x).data
    assert np.array_equal(a, run(shaped, stream(shape), x.reshape(-1, *shape)).data)
    assert accuracy(plain, stream((24,)), x, y) > 0.8


@pytest.mark.parametrize("trainable", [LDA(), LogisticRegression(standardise=True), SVM(standardise=True)])
def test_float32_and_integers_come_close_to_float64(trainable):
    x, y = features(11)
    x = np.round(x * 100)
    exact = trainable.fit_samples(stream((12,)), samples(x, y))
    wanted = run(exact, stream((12,)), x).data
    for dtype in (np.float32, np.int16):
        info = stream((12,), dtype)
        stage = trainable.fit_samples(info, samples(x.astype(dtype), y))
        assert stage.describe(info).dtype == np.float32
        out = run(stage, info, x).data
        np.testing.assert_allclose(out, wanted, atol=1e-6 * np.abs(wanted).max())


def test_saturated_scores_stay_finite():
    info = stream((2,))
    for link in ("softmax", "sigmoid"):
        stage = Linear(
            np.array([[1e5, 0.0], [0.0, 1e5], [-1e5, -1e5]]), np.zeros(3), ("a", "b", "c"), ("1",) * 3,
            LDA().fit_samples(info, samples(*features(12, p=2))).contract, link,
        )  # fmt: skip
        out = run(stage, info, np.array([[1.0, 2.0], [-3.0, -2.0], [0.0, 0.0], [-1.0, -2.0]]))
        assert np.isfinite(out.data).all()
        np.testing.assert_allclose(out.data.sum(axis=1), 1)


@pytest.mark.parametrize("trainable", [LogisticRegression, SVM])
def test_standardising_makes_units_irrelevant_and_is_the_peers(trainable):
    x, y = features(15)
    scale = 10.0 ** np.arange(-6, 6)
    info = stream((12,))
    a = trainable(standardise=True).fit_samples(info, samples(x, y))
    b = trainable(standardise=True).fit_samples(info, samples(x * scale, y))
    np.testing.assert_allclose(a.weights, b.weights * scale, rtol=1e-3, atol=1e-4)
    peer = sk.LogisticRegression(tol=1e-10) if trainable is LogisticRegression else sk_svm.SVC(kernel="linear")
    fitted = make_pipeline(StandardScaler(), peer).fit(x, y)
    assert (np.array(TWO)[run(a, info, x).data.argmax(axis=1)] == fitted.predict(x)).all()


def test_training_that_does_not_converge_is_refused_with_advice():
    x, y = features(16)
    with pytest.raises(ContractError, match=r"SVM needs features.*1000000 iterations were not enough.*standardise"):
        SVM().fit_samples(stream((12,)), samples(x * 1e4, y))


def test_parameters_out_of_range_are_refused():
    x, y = features(13)
    for trainable, why in (
        (LDA(shrinkage=1.5), "0 <= shrinkage <= 1"),
        (LogisticRegression(C=0.0), "C > 0; got C=0"),
        (SVM(C=-1.0), "C > 0; got C=-1"),
    ):
        with pytest.raises(ContractError, match=why):
            trainable.fit_samples(stream((12,)), samples(x, y))


def test_learned_arrays_that_do_not_fit_are_refused():
    contract = LDA().fit_samples(stream((12,)), samples(*features(14))).contract
    for weights, why in (
        (np.zeros((2, 5)), r"weights as float64 \(2, 12\); got float64 \(2, 5\)"),
        (np.zeros((2, 12), np.float32), "got float32"),
        (np.full((2, 12), np.nan), "finite weights"),
    ):
        with pytest.raises(ContractError, match=why):
            Linear(weights, np.zeros(2), ("a", "b"), ("1", "1"), contract)
