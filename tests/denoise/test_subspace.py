"""ASR against its formula written plainly, the delayed identity, masks from outside, and cuts."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.denoise import ASR, Integrity, SubspaceReconstruction, _asr
from ranvier.denoise._design import response
from ranvier.denoise._robust_mean import geometric_median, karcher_mean
from ranvier.denoise._weighting import weighting
from ranvier.errors import ContractError
from ranvier.record import from_array
from ranvier.stage import Contract, Run, recipe
from ranvier.stream import Block, Channels, StreamInfo, Trials, concatenate
from ranvier.testing import check_stage, check_trainable
from ranvier.testing._examples import recording

SEED = 6201
RATE, N = 200, 5
MIXING = np.random.default_rng(SEED).standard_normal((N, N)) + 2 * np.eye(N)


def eeg(n, seed):
    return 10 * np.random.default_rng(seed).standard_normal((n, N)) @ MIXING.T


def dirty(n=1200, seed=SEED + 1):
    """Return clean signal and the same with two bursts of one fixed pattern each."""
    x = eeg(n, seed)
    burst = np.zeros((n, N))
    t = np.arange(100)
    burst[500:600] += 400 * np.sin(np.pi * t / 100)[:, None] * [1.0, 0.5, 0.2, 0.0, 0.0]
    burst[900:950] += 300 * np.sin(np.pi * np.arange(50) / 25)[:, None] * [0.0, 0.0, 0.3, 0.5, 1.0]
    return x, x + burst


def whole(rec):
    n = rec.n_samples
    return Trials(
        onset=np.zeros(1, np.int64), label=np.array(["rest"]), group=np.array([""]), recording=np.zeros(1, np.int64),
        tmin=0.0, tmax=n / RATE, rate=rec.info.rate,
    )  # fmt: skip


@lru_cache(maxsize=16)
def fitted(**options):
    rec = from_array(eeg(30 * RATE, SEED), RATE, N)
    return ASR(**options).fit(rec, whole(rec)), rec.info.but(dtype=np.dtype(float))


def push(stage, info, x, cuts=(), valid=None):
    run, at, parts = Run(stage, info), 0, []
    block = Block(x, 0, valid)
    for n in [*cuts, len(x)]:
        parts.append(run.push(block.cut(min(at, len(x)), min(at + n, len(x)))))
        at += n
    return concatenate(parts)


def plainly(stage, x):
    """Return what `stage` should make of float64 samples that are all valid: the definition, window by window."""
    from scipy.signal import sosfilt

    hop, late = round(stage.hop * RATE), round(stage.lookahead * RATE)
    length = 2 * hop * round(stage.window * RATE / (2 * hop))
    c, f = stage.covariance, sosfilt(weighting(RATE), x, axis=0)
    kept = {-hop: np.eye(N)}
    for h in range(0, len(x), hop):
        kept[h] = np.eye(N)
        part = f[max(h - length, 0) : h]
        if len(part) < length // 2:
            continue
        s = part.T @ part / len(part)
        if stage.method == "riemannian":
            from scipy.linalg import eigh

            values, v = eigh(s, c)
        else:
            values, v = np.linalg.eigh(s)
        over = values >= np.einsum("ij,ik,kj->j", v, stage.threshold, v)
        over[: N - int(stage.share * N)] = False
        w = v[:, ~over]
        kept[h] = c @ w @ np.linalg.pinv(w.T @ c @ w) @ w.T
    out = np.zeros_like(x)
    for k in range(late, len(x)):
        h = k // hop * hop
        b = (1 - np.cos(np.pi * (k - h + 1) / hop)) / 2
        out[k] = ((1 - b) * kept[h - hop] + b * kept[h]) @ x[k - late]
    return out


@pytest.mark.parametrize("method", ["euclidean", "riemannian"])
@pytest.mark.parametrize("lookahead", [0.0, 0.25])
def test_it_is_its_definition(method, lookahead):
    stage, info = fitted(cutoff=6.0, method=method, lookahead=lookahead)
    _, x = dirty()
    out = push(stage, info, x)
    wanted = plainly(stage, x)
    np.testing.assert_allclose(out.data[out.valid.all(axis=1)], wanted[out.valid.all(axis=1)], atol=1e-6)
    late = round(lookahead * RATE)
    changed = np.abs(out.data[late:] - x[: len(x) - late]).max(axis=1) > 1
    assert 50 < changed[out.valid.all(axis=1)[late:]].sum() < 600


@pytest.mark.parametrize("method", ["euclidean", "riemannian"])
def test_bursts_go_and_the_rest_stays_to_the_bit(method):
    stage, info = fitted(cutoff=6.0, method=method)
    clean, x = dirty()
    late = 50
    out = push(stage, info, x).data[late:]
    before = np.sqrt(((x - clean)[500:600] ** 2).mean())
    after = np.sqrt(((out - clean[:-late])[500:600] ** 2).mean())
    assert after < 0.25 * before
    np.testing.assert_array_equal(out[150:400], x[150:400])


def test_with_an_infinite_cutoff_it_is_a_delay():
    stage, info = fitted(cutoff=1e5)
    _, x = dirty()
    out = push(stage, info, x)
    np.testing.assert_array_equal(out.data[150:], x[100:-50])
    assert out.valid[150:].all()
    assert stage.describe(info).delay == 0.25


@given(st.lists(st.integers(0, 400), max_size=12), st.sampled_from(["euclidean", "riemannian"]))
def test_how_it_is_cut_changes_no_bit(cuts, method):
    stage, info = fitted(cutoff=4.0, method=method)
    _, x = dirty()
    a, b = push(stage, info, x), push(stage, info, x, cuts)
    np.testing.assert_array_equal(a.data, b.data)
    np.testing.assert_array_equal(a.valid, b.valid)


def test_one_that_looks_at_block_ends_is_caught():
    """Negative control: the same mathematics, the window ending where the block does."""
    stage, _ = fitted(cutoff=4.0)
    _, x = dirty()
    parts = [plainly(stage, x[a : a + 170]) for a in range(0, len(x), 170)]
    assert np.abs(np.concatenate(parts) - plainly(stage, x)).max() > 10


@pytest.mark.parametrize("value", [0.0, 1e30, -5e4])
def test_a_channel_that_dies_leaves_the_others_as_a_mask_from_outside_does(value):
    stage, info = fitted(cutoff=4.0)
    _, x = dirty()
    valid = np.ones(x.shape, bool)
    valid[450:, 2] = False
    wanted = push(stage, info, x, valid=valid)
    broken = x.copy()
    broken[450:, 2] = value
    out = push(stage, info, broken, (100, 333, 1), valid)
    np.testing.assert_array_equal(out.valid, wanted.valid)
    np.testing.assert_array_equal(out.data, wanted.data)
    assert out.valid[500:, [0, 1, 3, 4]].all()
    assert not out.valid[500:, 2].any()
    burst = np.abs(out.data[560:640][:, [0, 1]]).max()
    assert burst < 0.6 * np.abs(x[500:600]).max()  # the others are still cleaned


def test_a_lost_number_costs_itself_only():
    stage, info = fitted(cutoff=6.0)
    x, _ = dirty()
    valid = np.ones(x.shape, bool)
    valid[400, 1] = False
    out = push(stage, info, x, valid=valid)
    assert np.argwhere(~out.valid[150:]).tolist() == [[300, 1]]


def test_channels_that_are_no_electrodes_are_delayed_and_else_as_they_were():
    channels = Channels.of(["a", "b", "c", "EOG", "ACC"], ["eeg"] * 3 + ["eog", "motion"], ["uV"] * 4 + ["m/s^2"])
    rec = from_array(eeg(20 * RATE, SEED), RATE, channels.names, kind=channels.kinds, unit=channels.units)
    stage = ASR(cutoff=3.0).fit(rec, whole(rec))
    assert stage.channels == ("a", "b", "c")
    _, x = dirty()
    out = push(stage, rec.info.but(dtype=np.dtype(float)), x)
    np.testing.assert_array_equal(out.data[50:, 3:], x[:-50, 3:])


def test_artefacts_in_the_calibration_are_left_out():
    x = eeg(60 * RATE, SEED)
    y = x.copy()
    y[3000:5000] += 2000 * np.sin(np.arange(2000) / 7)[:, None] * np.ones(N)
    a, b = (ASR(method="euclidean").fit(r, whole(r)) for r in (from_array(v, RATE, N) for v in (x, y)))
    np.testing.assert_allclose(np.diag(b.covariance), np.diag(a.covariance), rtol=0.05)
    np.testing.assert_allclose(np.diag(b.threshold), np.diag(a.threshold), rtol=0.1)


def test_blinks_in_the_calibration_do_not_widen_the_limit():
    x = eeg(60 * RATE, SEED)
    y = x.copy()
    for at in range(500, len(x), 1000):
        y[at : at + 60] += 250 * np.sin(np.pi * np.arange(60) / 60)[:, None] ** 2 * [1.0, 0.2, 0.0, 0.0, 0.0]
    a, b = (ASR().fit(r, whole(r)) for r in (from_array(v, RATE, N) for v in (x, y)))
    limits = [np.trace(np.linalg.solve(s.covariance, s.threshold)) / N for s in (a, b)]
    np.testing.assert_allclose(limits[1], limits[0], rtol=0.25)


def test_what_was_lost_parts_what_was_recorded_before_and_after_it():
    """Whether all channels are lost or the electrodes alone: in both the same is valid, and teaches the same."""
    t = np.arange(40 * RATE) / RATE
    x = np.random.default_rng(SEED).standard_normal((len(t), N)) * 10
    x[:, :-1] += 60 * np.sin(2 * np.pi * 2 * t)[:, None]
    lost = np.arange(len(t)) % (RATE // 3) < RATE // 10
    found = []
    for last in (N - 1, N):
        y = x.copy()
        y[lost, :last] = np.nan
        rec = from_array(y, RATE, N, kind=["eeg"] * (N - 1) + ["trigger"], events=[(0, "rest")])
        trials = rec.trials({"rest": "rest"}, tmin=0.0, tmax=39.9)
        found.append(recipe(Integrity(), ASR(window=0.1)).fit(rec, trials).stages[-1])
    np.testing.assert_array_equal(found[0].covariance, found[1].covariance)
    np.testing.assert_array_equal(found[0].threshold, found[1].threshold)


def test_electrodes_that_were_linked_may_come_apart(monkeypatch):
    rng = np.random.default_rng(SEED)

    def linked(n, apart):
        x = 10 * rng.standard_normal((n, N))
        x[:, 1] = x[:, 0] + apart * rng.standard_normal(n)
        return x

    rec = from_array(linked(60 * RATE, 0.05), RATE, N)
    info, x = rec.info.but(dtype=np.dtype(float)), linked(20 * RATE, 2.0)
    out = push(ASR().fit(rec, whole(rec)), info, x).data[50:]
    np.testing.assert_array_equal(out[100:], x[100:-50])
    monkeypatch.setattr(_asr, "SHRINK", 0.0)  # negative control
    assert (push(ASR().fit(rec, whole(rec)), info, x).data[150:] != x[100:-50]).mean() > 0.3


def test_the_riemannian_one_does_not_mind_the_scale_of_channels():
    rec = from_array(eeg(30 * RATE, SEED), RATE, N)
    scale = np.array([1.0, 10.0, 0.1, 3.0, 1.0])
    big = from_array(eeg(30 * RATE, SEED) * scale, RATE, N)
    _, x = dirty()
    info = rec.info.but(dtype=np.dtype(float))
    a = push(ASR(6.0).fit(rec, whole(rec)), info, x).data
    b = push(ASR(6.0).fit(big, whole(big)), info, x * scale).data / scale
    assert np.abs(a - b).max() < 1e-2 * np.abs(x).max()  # the ridge is not scaled


def test_geometric_median_and_riemannian_mean_of_what_is_known():
    ones = np.array([np.eye(3)] * 5 + [1e6 * np.eye(3)] * 2)
    np.testing.assert_allclose(geometric_median(ones), np.eye(3), rtol=1e-6)
    two = np.array([np.diag([1.0, 4.0]), np.diag([4.0, 1.0])])
    np.testing.assert_allclose(karcher_mean(two), 2 * np.eye(2), rtol=1e-5)
    raw = np.random.default_rng(SEED).standard_normal((2, 40, 4))
    c = raw.swapaxes(1, 2) @ raw / 40
    mean = karcher_mean(c)  # of two: the M with M C0^-1 M = C1 (Bhatia, Positive Definite Matrices, ch. 4)
    np.testing.assert_allclose(mean @ np.linalg.solve(c[0], mean), c[1], rtol=1e-4, atol=1e-5)


def test_the_weighting_is_what_it_aims_at():
    f, wanted = [1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0], [1.9, 0.75, 0.33, 0.33, 1, 1, 2, 3]
    np.testing.assert_allclose(np.abs(response(weighting(1000), np.array(f), 1000)), wanted, rtol=0.25)


@pytest.mark.parametrize(("method", "dtype"), [("euclidean", "i2"), ("riemannian", "f8")])
def test_conforms(method, dtype):
    rec = recording()
    trials = rec.trials({"cue/left": "left", "cue/right": "right"}, tmin=0.0, tmax=1.0)
    stage = ASR(cutoff=3.0, method=method).fit(rec, trials)
    check_stage(stage, rec.info.but(dtype=np.dtype(dtype)))


@pytest.mark.slow
def test_it_is_sound_as_a_trainable():
    from ranvier.decode import MDM
    from ranvier.features import Covariance

    rec = recording()
    trials = rec.trials({"cue/left": "left", "cue/right": "right"}, tmin=0.0, tmax=1.0)
    check_trainable(recipe(ASR(lookahead=0.0), Covariance(length=0.5, hop=0.1), MDM()), rec, trials)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cutoff": 0.0}, "0 < cutoff"),
        ({"lookahead": 0.3}, "lookahead <= 0.25 s; got lookahead=0.3"),
        ({"hop": 0.4}, "hops of one sample to half of it"),
        ({"method": "other"}, "'euclidean' or 'riemannian'"),
    ],
)
def test_what_cannot_be_is_refused(options, words):
    rec = from_array(eeg(30 * RATE, SEED), RATE, N)
    with pytest.raises(ContractError) as e:
        ASR(**options).fit(rec, whole(rec)).describe(rec.info)
    assert words in str(e.value)


def test_a_covariance_that_is_none_is_refused_before_anything_runs():
    info = StreamInfo.signal(RATE, 2)
    wrong = np.array([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(ContractError, match=r"positive definite covariance; got a least eigenvalue of -1 uV\^2"):
        SubspaceReconstruction(wrong, np.eye(2), info.channels.names, Contract.of(info))


def test_too_little_to_learn_from_is_refused():
    rec = from_array(eeg(2 * RATE, SEED), RATE, N)
    with pytest.raises(ContractError, match="10 clean windows"):
        ASR().fit(rec, whole(rec))
    with pytest.raises(ContractError, match="finite float64"):
        SubspaceReconstruction(np.eye(2), np.eye(3), ("a", "b"), ASR().fit)  # type: ignore[arg-type]
    stage, _ = fitted()
    slow = StreamInfo.signal(50, N)
    with pytest.raises(ContractError, match="80 Hz or more"):
        replace(stage, contract=Contract.of(slow)).describe(slow)
