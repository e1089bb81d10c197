"""What holds for every stage that runs: the conformance suite, contracts, files, same data same stage, imports."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ranvier.decode as decode
from ranvier.errors import ContractError, MissingExtraError, ModelError
from ranvier.stage import Contract, Estimator, Stage, builtin, load_model, parse_pipeline, save_model
from ranvier.stream import Channels
from ranvier.testing import check_stage

from .helpers import covariances, labels, run, samples, stream


def covariance_samples():
    return samples(*covariances(1, n=40))


def vectors(shape, targets=False):
    def make():
        rng = np.random.default_rng(2)
        x = rng.standard_normal((60, *shape)) * 20
        y = rng.standard_normal((60, 2)) if targets else labels(rng, 60, ("left", "right"))
        return samples(x, y)

    return make


SIX = (6, 6)
FITTED = {
    "CSP": (decode.CSP(n_filters=3), SIX, covariance_samples),
    "TangentSpace": (decode.TangentSpace(), SIX, covariance_samples),
    "MDM": (decode.MDM(), SIX, covariance_samples),
    "LDA": (decode.LDA(), (5,), vectors((5,))),
    "LDA on windows": (decode.LDA(), (12, 3), vectors((12, 3))),
    "LogisticRegression": (decode.LogisticRegression(standardise=True), (5,), vectors((5,))),
    "SVM": (decode.SVM(standardise=True), (5,), vectors((5,))),
    "Ridge": (decode.Ridge(), (5,), vectors((5,), targets=True)),
    "Wiener": (decode.Wiener(lags=4), (5,), vectors((5,), targets=True)),
    "Wiener on windows": (decode.Wiener(lags=3), (4, 2), vectors((4, 2), targets=True)),
    "Kalman": (decode.Kalman(), (5,), vectors((5,), targets=True)),
    "Kalman of order 2": (decode.Kalman(order=2), (5,), vectors((5,), targets=True)),
    "Imputation of covariances": (decode.Imputation(), SIX, covariance_samples),
    "Imputation of windows": (decode.Imputation(least=0.3), (12, 3), vectors((12, 3))),
    "Imputation of values": (decode.Imputation(), (5,), vectors((5,))),
    "TRCA": (decode.TRCA(), (20, 6), vectors((20, 6))),
    "TRCA, two bands": (decode.TRCA(ensemble=False, n_bands=2), (20, 6), vectors((20, 6))),
    "Xdawn": (decode.Xdawn(n_filters=2), (12, 3), vectors((12, 3))),
}
NEED_RATE = {"Wiener", "Wiener on windows", "Kalman", "Kalman of order 2"}


def fit(name, dtype=np.float64, rate=10):
    trainable, shape, make = FITTED[name]
    info = stream(shape, dtype, rate)
    given = make()
    return trainable.fit_samples(info, replace(given, x=given.x.astype(dtype))), info


CASES = [
    *[(name, np.float64, 10) for name in FITTED],
    *[(name, np.float32, 10 if name in NEED_RATE else 0) for name in FITTED],
    *[(name, np.int16, 10) for name in ("LDA on windows", "Wiener", "Kalman", "TRCA", "Xdawn")],
]


@pytest.mark.parametrize(("name", "dtype", "rate"), CASES)
def test_fitted_stages_conform(name, dtype, rate):
    check_stage(*fit(name, dtype, rate))


@pytest.mark.parametrize(("dtype", "rate", "bands"), [(np.float32, 10, 1), (np.float64, 0, 2), (np.int16, 10, 2)])
def test_fbcca_conforms(dtype, rate, bands):
    check_stage(decode.FBCCA((9.0, 11.0, 13.5), n_bands=bands), stream((100, 4), dtype, rate))


@pytest.mark.parametrize("name", FITTED)
def test_other_streams_are_refused(name):
    stage, info = fit(name)
    other_names = Channels.of([f"x{i}" for i in range(info.n_channels)])
    for changed, what in (
        (info.but(channels=other_names), "channels ch000"),
        (info.but(channels=info.channels.with_units("mV")), "units uV.*got mV"),
        (info.but(rate=info.rate * 2), "rate 10 Hz; got 20 Hz"),
        (info.but(shape=(7, *info.shape)), "shape"),
    ):
        with pytest.raises(ContractError, match=f"{type(stage).__name__} was fitted on {what}"):
            stage.describe(changed)


@pytest.mark.parametrize("name", FITTED)
def test_same_data_same_stage_other_data_another(name):
    assert fit(name)[0] == fit(name)[0]
    trainable, shape, make = FITTED[name]
    fewer = make()
    fewer = replace(fewer, x=fewer.x[:-1], y=fewer.y[:-1], stretch=fewer.stretch[:-1])
    assert trainable.fit_samples(stream(shape), fewer).id != fit(name)[0].id


@pytest.mark.parametrize("name", FITTED)
def test_model_files_give_the_same_stage_back(name, tmp_path):
    stage, info = fit(name)
    save_model(stage, tmp_path / "model.rvm")
    back = load_model(tmp_path / "model.rvm")
    assert back == stage
    x = FITTED[name][2]().x
    assert np.array_equal(run(back, info, x).data, run(stage, info, x).data)


def test_a_model_file_with_an_array_that_does_not_fit_is_refused(tmp_path):
    stage, _ = fit("LDA")
    object.__setattr__(stage, "bias", np.zeros(3))
    save_model(stage, tmp_path / "model.rvm")
    with pytest.raises(ModelError, match=r"Linear needs bias as float64 \(2,\); got float64 \(3,\)"):
        load_model(tmp_path / "model.rvm")


def test_every_public_stage_is_checked_here():
    public = {n: t for n, t in builtin().items() if n.startswith("decode.")}
    stages = {t for t in public.values() if issubclass(t, Stage)}
    estimators = {t for t in public.values() if issubclass(t, Estimator)}
    assert stages == {type(fit(name)[0]) for name in FITTED} | {decode.FBCCA, decode.Network}
    assert estimators == {type(FITTED[name][0]) for name in FITTED}


def test_trainables_are_read_from_files():
    recipe = parse_pipeline(
        'schema = 1\n[[stage]]\nuse = "decode.TangentSpace"\n[[stage]]\nuse = "decode.LDA"\nshrinkage = 0.1\n'
    )
    assert [type(s) for s in recipe.steps] == [decode.TangentSpace, decode.LDA]
    assert recipe.steps[1].shrinkage == 0.1


def test_what_runs_needs_no_heavy_library(tmp_path):
    """All models are loaded and run in a fresh process in which none of them can be imported."""
    for i, name in enumerate(FITTED):
        save_model(fit(name)[0], tmp_path / f"{i}.rvm")
    code = f"""
import sys
for name in ("scipy", "sklearn", "pyriemann", "mne", "pandas", "matplotlib"):
    sys.modules[name] = None
from pathlib import Path
import numpy as np
from ranvier.stage import Run, load_model
from ranvier.stream import Block
from tests.decode.helpers import stream
for path in Path({str(tmp_path)!r}).glob("*.rvm"):
    stage = load_model(path)
    info = stream(stage.contract.shape)
    assert Run(stage, info).push(Block(np.ones((2, *info.shape)))).n == 2
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("name", ["LogisticRegression", "SVM"])
def test_a_missing_library_is_named_with_its_pip_line(name, monkeypatch):
    for module in ("sklearn.linear_model", "sklearn.svm"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"needs scikit-learn.*pip install 'ranvier\[decode\]'"):
        fit(name)


def test_contracts_are_those_of_the_stream():
    stage, info = fit("TangentSpace")
    assert stage.contract == Contract.of(info)
