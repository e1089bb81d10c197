"""Ridge, Wiener and Kalman against scikit-learn, plain sums, and the textbook filter."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn.linear_model as sk

from ranvier.decode import Kalman, KalmanFilter, Ridge, Wiener
from ranvier.errors import ContractError
from ranvier.record import from_array
from ranvier.stage import Contract, Recipe, Run
from ranvier.stream import Block, Targets

from .helpers import run, samples, stream


def movement(seed, n=600, p=8, d=2):
    """A smooth hidden movement, and channels that show it in noise."""
    rng = np.random.default_rng(seed)
    z = np.zeros((n, d))
    for t in range(1, n):
        z[t] = 0.9 * z[t - 1] + rng.standard_normal(d) * 0.3
    x = z @ rng.standard_normal((d, p)) + rng.standard_normal((n, p)) @ rng.standard_normal((p, p)) * 0.5 + 3.0
    return x, z + 1.0


@pytest.mark.parametrize("alpha", [0.0, 10.0])
@pytest.mark.parametrize("rate", [10, 0])
def test_ridge_is_the_peers(alpha, rate):
    x, z = movement(1)
    info = stream((8,), rate=rate)
    stage = Ridge(alpha=alpha).fit_samples(info, samples(x, z))
    peer = sk.Ridge(alpha=alpha).fit(x, z)
    out = run(stage, info, x)
    np.testing.assert_allclose(out.data, peer.predict(x), atol=1e-9)
    described = stage.describe(info).channels
    assert (described.names, described.units) == (("vx", "vy"), ("cm/s", "cm/s"))


@pytest.mark.parametrize("lags", [1, 5])
@pytest.mark.parametrize("shape", [(8,), (4, 2)])
def test_wiener_is_ridge_on_the_last_samples(lags, shape):
    x, z = movement(2)
    info = stream(shape)
    stage = Wiener(lags=lags, alpha=2.0).fit_samples(info, samples(x.reshape(-1, *shape), z))
    late = np.hstack([x[k : len(x) - lags + 1 + k] for k in range(lags)])
    peer = sk.Ridge(alpha=2.0).fit(late, z[lags - 1 :])
    out = run(stage, info, x.reshape(-1, *shape))
    assert not out.valid[: lags - 1].any()
    assert out.valid[lags - 1 :].all()
    np.testing.assert_allclose(out.data[lags - 1 :], peer.predict(late), atol=1e-9)


def test_wiener_skips_what_needs_an_invalid_sample_and_goes_on():
    x, z = movement(3)
    info = stream((8,))
    stage = Wiener(lags=4).fit_samples(info, samples(x, z))
    valid = np.ones(x.shape, bool)
    valid[50, 3] = False
    valid[52, 1] = False
    good, out = run(stage, info, x), run(stage, info, np.where(valid, x, 1e30), valid)
    lost = np.flatnonzero(~out.valid[3:, 0]) + 3
    assert lost.tolist() == [50, 51, 52, 53, 54, 55]
    kept = np.setdiff1d(np.arange(3, len(x)), lost)
    assert np.array_equal(out.data[kept], good.data[kept])
    assert (out.data[lost] == 0).all()


def test_wiener_declares_its_reach():
    x, z = movement(4)
    info = stream((8,), rate=10, source_rate=250)
    out = Wiener(lags=5).fit_samples(info, samples(x, z)).describe(info)
    assert (out.support, out.settle) == (info.support + 100, 100)


def gapped():
    """A recording with a gap and an invalid stretch after it, and its targets."""
    x, z = movement(5, n=400)
    rec = from_array(x.astype(np.float32), 50, unit="uV")

    class Gapped:
        info, event_info, events, entities, n_samples = rec.info, rec.event_info, rec.events, rec.entities, 500

        def blocks(self, size, start=0, stop=None):
            data = x.astype(np.float32)
            valid = np.ones(data[300:].shape, bool)
            valid[10] = False
            yield Block(data[:150], 0)
            yield Block(data[150:200], 150)
            yield Block(data[200:300], 300)
            yield Block(data[300:], 400, valid)

    values = np.zeros((500, 2))
    values[:200], values[300:500] = z[:200], z[200:]
    return Gapped(), Targets(names=("vx", "vy"), units=("cm/s", "cm/s"), values=values), x, z


def test_only_unbroken_stretches_are_learned_from():
    rec, targets, x, z = gapped()
    fitted = Recipe((Wiener(lags=3, alpha=1.0),)).fit(rec, [targets])
    stretches = [(0, 200), (200, 310), (311, 400)]
    late = np.concatenate([np.hstack([x[a + k : b - 2 + k] for k in range(3)]) for a, b in stretches])
    wanted = np.concatenate([z[a + 2 : b] for a, b in stretches])
    peer = sk.Ridge(alpha=1.0).fit(late.astype(np.float32), wanted)
    np.testing.assert_allclose(fitted.weights, peer.coef_, atol=1e-5)


def textbook(stage, x, valid):
    """The covariance form of the filter, with rows left out where a channel is invalid."""
    noise = np.linalg.inv(stage.precision if stage.precision.ndim == 2 else np.diag(stage.precision))
    mean, cov, out = np.zeros(len(stage.transition)), stage.prior, []
    for row, ok in zip(x - stage.centre, valid, strict=True):
        mean, cov = stage.transition @ mean, stage.transition @ cov @ stage.transition.T + stage.noise
        if ok.any():
            h, r = stage.observation[ok], noise[np.ix_(ok, ok)]
            gain = cov @ h.T @ np.linalg.inv(h @ cov @ h.T + r)
            mean, cov = mean + gain @ (row[ok] - h @ mean), cov - gain @ h @ cov
        out.append(mean[: len(stage.offset)] + stage.offset)
    return np.array(out)


@pytest.mark.parametrize("shrinkage", [0.0, 1.0])
@pytest.mark.parametrize("order", [1, 3])
def test_kalman_is_the_textbook_filter_with_channels_missing(order, shrinkage):
    x, z = movement(6)
    info = stream((8,))
    stage = Kalman(order=order, shrinkage=shrinkage).fit_samples(info, samples(x, z))
    valid = np.random.default_rng(7).random(x.shape) > 0.05
    valid[100:140, 2] = False
    valid[200:210] = False
    valid[300:310, 1:] = False
    out = run(stage, info, np.where(valid, x, -1e30), valid)
    np.testing.assert_allclose(out.data, textbook(stage, x, valid), atol=1e-8)
    assert np.array_equal(out.valid[:, 0], valid.any(axis=1))
    clean = run(stage, info, x)
    np.testing.assert_allclose(clean.data, textbook(stage, x, np.ones_like(valid)), atol=1e-8)


def test_kalman_learns_what_made_the_data():
    """A long simulation from known matrices gives them back, within some standard errors."""
    rng = np.random.default_rng(8)
    a = np.array([[0.9, 0.1], [-0.1, 0.85]])
    h = rng.standard_normal((5, 2))
    z = np.zeros((20_000, 2))
    for t in range(1, len(z)):
        z[t] = a @ z[t - 1] + rng.standard_normal(2) * [0.3, 0.5]
    x = z @ h.T + rng.standard_normal((len(z), 5)) * 0.7
    stage = Kalman().fit_samples(stream((5,)), samples(x, z))
    np.testing.assert_allclose(stage.transition, a, atol=0.02)
    np.testing.assert_allclose(stage.noise, np.diag([0.09, 0.25]), atol=0.01)
    np.testing.assert_allclose(stage.observation, h, atol=0.04)
    np.testing.assert_allclose(np.linalg.inv(stage.precision), 0.49 * np.eye(5), atol=0.03)


def test_kalman_of_higher_order_predicts_from_older_values():
    rng = np.random.default_rng(9)
    z = np.zeros((5000, 1))
    for t in range(2, len(z)):
        z[t] = 1.6 * z[t - 1] - 0.7 * z[t - 2] + rng.standard_normal() * 0.2
    x = z + rng.standard_normal((len(z), 3))
    info = stream((3,))
    error = {}
    for order in (1, 2):
        stage = Kalman(order=order).fit_samples(info, samples(x[:4000], z[:4000]))
        error[order] = np.square(run(stage, info, x).data[4000:] - z[4000:]).mean()
    np.testing.assert_allclose(stage.transition, [[1.6, -0.7], [1.0, 0.0]], atol=0.05)
    assert error[2] < 0.9 * error[1]


def test_kalman_with_noise_of_each_channel_alone_keeps_the_diagonal():
    x, z = movement(16)
    shared = Kalman().fit_samples(stream((8,)), samples(x, z))
    alone = Kalman(shrinkage=1.0).fit_samples(stream((8,)), samples(x, z))
    np.testing.assert_allclose(1 / alone.precision, np.diag(np.linalg.inv(shared.precision)), rtol=1e-9)
    as_matrix = replace(alone, precision=np.diag(alone.precision))
    valid = np.random.default_rng(17).random(x.shape) > 0.05
    a, b = (run(stage, stream((8,)), x, valid).data for stage in (alone, as_matrix))
    np.testing.assert_allclose(a, b, atol=1e-12)


def test_kalman_refuses_channels_without_noise():
    x, z = movement(18)
    for offset in (0.0, 5.0):
        told = np.hstack([x, 2 * z[:, :1] + offset])
        with pytest.raises(ContractError, match=r"got 1 of 9 that are what the targets say"):
            Kalman(shrinkage=1.0).fit_samples(stream((9,)), samples(told, z))


def test_kalman_of_65536_channels():
    """What a filter of many channels decodes is what one decodes that hears their weighted sums."""
    n, rng = 65_536, np.random.default_rng(19)
    h, precision = rng.standard_normal((n, 2)), rng.uniform(0.1, 1.0, n) / n
    model = (np.eye(2) * 0.9, np.eye(2) * 0.1, h, precision, np.eye(2), rng.standard_normal(n), np.zeros(2))
    names, units = ("vx", "vy"), ("cm/s", "cm/s")
    wide = KalmanFilter(*model, names, units, Contract.of(stream((n,))))
    weights = h.T * precision
    x = rng.standard_normal((50, n))
    x[20:30, ::7] = 1e30
    valid = x < 1e30
    out = Run(wide, stream((n,)), cores=1).push(Block(x, 0, valid))
    mean, cov = np.zeros(2), np.eye(2)
    for row, ok, y in zip(x - model[5], valid, out.data, strict=True):
        mean, cov = 0.9 * mean, 0.81 * cov + 0.1 * np.eye(2)
        cov = np.linalg.inv(np.linalg.inv(cov) + weights[:, ok] @ h[ok])
        mean = mean + cov @ (weights[:, ok] @ (row[ok] - h[ok] @ mean))
        np.testing.assert_allclose(y, mean, atol=1e-10)


def test_kalman_keeps_the_gain_that_no_longer_moves_until_the_mask_changes():
    x, z = movement(20)
    info = stream((8,))
    live = Run(Kalman(shrinkage=1.0).fit_samples(info, samples(x, z)), info)
    valid = np.ones((1, 8), bool)
    still, gains = [], []
    for k in range(200):
        valid[0, 3] = not 100 <= k < 103
        live.push(Block(x[k : k + 1], k, valid.copy()))
        state = live.save()
        still.append(int(state["stage/still"][0]))
        gains.append(state["stage/gain"].tobytes())
    first = still.index(1)
    assert 3 < first < 60
    assert set(still[first:100]) == {1}
    assert not any(still[100:104])
    assert set(still[170:]) == {1}
    assert len(set(gains[first:100])) == len(set(gains[170:])) == 1
    assert len(set(gains[:first])) == first


def test_kalman_ignores_channels_that_never_varied():
    x, z = movement(10)
    dead = np.hstack([x, np.full((len(x), 1), 7.0)])
    with_dead = Kalman().fit_samples(stream((9,)), samples(dead, z))
    without = Kalman().fit_samples(stream((8,)), samples(x, z))
    wild = dead.copy()
    wild[:, 8] = 1e6
    np.testing.assert_allclose(run(with_dead, stream((9,)), wild).data, run(without, stream((8,)), x).data, atol=1e-9)


def test_kalman_refuses_redundant_channels_and_takes_them_shrunk():
    x, z = movement(11)
    twice = np.hstack([x, x])
    with pytest.raises(ContractError, match=r"redundant.*shrinkage"):
        Kalman().fit_samples(stream((16,)), samples(twice, z))
    stage = Kalman(shrinkage=0.1).fit_samples(stream((16,)), samples(twice, z))
    assert np.isfinite(run(stage, stream((16,)), twice).data).all()


def test_kalman_starts_a_segment_afresh():
    x, z = movement(12)
    info = stream((8,))
    stage = Kalman().fit_samples(info, samples(x, z))
    fresh = Run(stage, info).push(Block(x[300:], 5000))
    going = Run(stage, info)
    going.push(Block(x[:300], 0))
    assert np.array_equal(going.push(Block(x[300:], 5000)).data, fresh.data)


@pytest.mark.parametrize("trainable", [Wiener(), Kalman()])
def test_samples_at_events_are_refused(trainable):
    x, z = movement(13)
    stage = trainable.fit_samples(stream((8,), rate=0), samples(x, z))
    with pytest.raises(ContractError, match="needs a constant rate; got one sample an event"):
        stage.describe(stream((8,), rate=0))


@pytest.mark.parametrize("trainable", [Ridge(), Wiener(), Kalman()])
def test_labels_are_refused(trainable):
    x, _ = movement(14)
    with pytest.raises(ContractError, match="needs continuous targets; got <U"):
        trainable.fit_samples(stream((8,)), samples(x, np.array(["a", "b"] * 300)))


def test_parameters_out_of_range_are_refused():
    x, z = movement(15, n=40)
    for trainable, why in (
        (Ridge(alpha=-1.0), "Ridge needs alpha >= 0"),
        (Wiener(alpha=-1.0), "Wiener needs alpha >= 0"),
        (Wiener(lags=0), "lags >= 1; got 0"),
        (Wiener(lags=41), "stretches of at least 41 valid samples; got 40"),
        (Kalman(order=0), "order >= 1; got 0"),
        (Kalman(shrinkage=2.0), "0 <= shrinkage <= 1"),
        (Kalman(order=19), "more than 38 stretches of 20 valid samples; got 21"),
    ):
        with pytest.raises(ContractError, match=why):
            trainable.fit_samples(stream((8,)), samples(x, z))
