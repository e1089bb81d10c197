"""FBCCA and TRCA against scikit-learn's CCA, the papers' equations, and made-up flicker."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.linalg import eig
from sklearn.cross_decomposition import CCA

from ranvier.decode import FBCCA, TRCA, filter_bank
from ranvier.decode._bands import band_weights, window_rate
from ranvier.denoise import Bandpass
from ranvier.errors import ContractError
from ranvier.features import Window
from ranvier.stage import Run
from ranvier.stream import Block, Channels, Origin, StreamInfo

from .helpers import accuracy, run, samples

RATE = 250
TARGETS = (9.0, 11.0, 13.5)


def windows_info(length=250, c=6, rate=0, step=1, dtype=np.float64):
    origin = Origin(
        source="test", rate=Fraction(RATE) * step, step=Fraction(0) if not rate else Fraction(RATE * step, rate),
        span=1 + (length - 1) * step,
    )  # fmt: skip
    return StreamInfo(
        name="test", rate=Fraction(rate), channels=Channels.of(c), shape=(length, c), dtype=np.dtype(dtype),
        origin=origin, support=origin.span,
    )  # fmt: skip


def flicker(seed, n=30, length=250, c=6, noise=2.0, targets=TARGETS, phase=None):
    """Windows of steady responses with two harmonics, mixed into channels, in coloured noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(length) / RATE
    which = np.arange(n) % len(targets)
    mixing, colour = np.random.default_rng(77).standard_normal((2, c)), rng.standard_normal((c, c))
    x = np.empty((n, length, c))
    for i, k in enumerate(which):
        p = rng.uniform(0, 2 * np.pi, 2) if phase is None else phase[k]
        s = np.stack([np.sin(2 * np.pi * targets[k] * h * t + p[h - 1]) / h for h in (1, 2)], axis=1)
        x[i] = s @ mixing + noise * rng.standard_normal((length, c)) @ colour / np.sqrt(c) + 10.0
    return x, which


def references(f, harmonics, length=250, rate=RATE):
    t = np.arange(length) / rate
    return np.stack([w(2 * np.pi * f * h * t) for h in range(1, harmonics + 1) for w in (np.sin, np.cos)], axis=1)


@pytest.mark.parametrize("harmonics", [1, 3])
def test_scores_are_the_peers_squared_correlations(harmonics):
    x, _ = flicker(1, n=6)
    out = run(FBCCA(TARGETS, n_harmonics=harmonics), windows_info(), x).data / 1.25  # weight of the first band
    for i in range(len(x)):
        for k, f in enumerate(TARGETS):
            y = references(f, harmonics)
            a, b = CCA(n_components=1, scale=False, max_iter=20_000, tol=1e-14).fit_transform(x[i], y)
            assert out[i, k] == pytest.approx(np.corrcoef(a[:, 0], b[:, 0])[0, 1] ** 2, abs=1e-6)


def test_bands_add_up_with_the_papers_weights():
    np.testing.assert_allclose(band_weights(3), [1.25, 2**-1.25 + 0.25, 3**-1.25 + 0.25])
    x, _ = flicker(2, c=18)
    parts = [run(FBCCA(TARGETS), windows_info(), x[:, :, b * 6 : b * 6 + 6]).data / 1.25 for b in range(3)]
    whole = run(FBCCA(TARGETS, n_bands=3), windows_info(c=18), x).data
    np.testing.assert_allclose(whole, sum(w * p for w, p in zip(band_weights(3), parts, strict=True)), atol=1e-12)


def test_a_pure_response_scores_one_and_offsets_and_gains_do_not_matter():
    x, which = flicker(3, noise=1e-4)
    out = run(FBCCA(TARGETS), windows_info(), x).data / 1.25
    np.testing.assert_allclose(out[np.arange(len(x)), which], 1, atol=1e-6)
    noisy, _ = flicker(4)
    moved = noisy * np.array([1e-3, 1, 10, 100, 1, 1]) + 1000.0
    a, b = run(FBCCA(TARGETS), windows_info(), noisy).data, run(FBCCA(TARGETS), windows_info(), moved).data
    np.testing.assert_allclose(a, b, atol=1e-7)


def test_a_common_average_reference_costs_one_direction_and_adds_no_noise():
    x, _ = flicker(5)
    car = np.eye(6) - 1 / 6
    full = run(FBCCA(TARGETS), windows_info(), x @ car)
    five = run(FBCCA(TARGETS), windows_info(c=5), (x @ car)[..., :5])
    np.testing.assert_allclose(full.data, five.data, atol=1e-9)


def test_harmonics_above_half_the_rate_are_left_out():
    x, _ = flicker(6)
    info = windows_info()
    np.testing.assert_allclose(
        run(FBCCA((50.0,), n_harmonics=2), info, x).data, run(FBCCA((50.0,), n_harmonics=5), info, x).data, atol=1e-12
    )


def test_a_constant_window_is_invalid():
    x, _ = flicker(7, n=3)
    x[1] = 5.0
    out = run(FBCCA(TARGETS), windows_info(), x)
    assert out.valid.all(axis=1).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("source", "step", "length"), [(250, 1, 1.0), (1000, 4, 2.0), (1000, Fraction(1000, 256), 2.0)]
)
def test_the_rate_inside_windows_is_found(source, step, length):
    rate = Fraction(source) / step
    origin = Origin(source="s", rate=Fraction(source), step=Fraction(step), offset=Fraction(0))
    info = StreamInfo.signal(rate, 4).but(origin=origin)
    windows = Window(length=length, hop=0.5).describe(info)
    # a rational step is known to one source sample in the whole window
    assert float(window_rate(windows)) == pytest.approx(float(rate), rel=0 if Fraction(step).denominator == 1 else 1e-3)


def test_a_streamed_bank_finds_the_flicker():
    rng = np.random.default_rng(8)
    t = np.arange(20 * RATE) / RATE
    looked = np.where(t < 10, 11.0, 13.5)
    x = np.sin(2 * np.pi * looked * t)[:, None] * [1, 0.5, -0.5, 0.2] + rng.standard_normal((len(t), 4)) * 2
    info = StreamInfo.signal(RATE, 4, dtype=np.float64)
    stage = filter_bank([6, 14, 22], high=60) | Window(length=2.0, hop=0.25) | FBCCA(TARGETS, n_bands=3)
    runner = Run(stage, info)
    out = runner.push(Block(x))
    newest = np.array([runner.info.origin.newest(k) for k in range(out.start, out.stop)]) / RATE
    label = np.array(runner.info.channels.names)[out.data.argmax(axis=1)]
    settled = out.valid.all(axis=1)
    # a window lies wholly on one side of the change at 10 s; filters add a tenth of a second
    assert (label[settled & (newest < 10)] == "11").mean() > 0.9
    assert (label[settled & (newest > 12.2)] == "13.5").mean() > 0.9


def test_filter_bank_is_the_filters_side_by_side():
    info = StreamInfo.signal(RATE, 2)
    bank = filter_bank([6, 14], high=60, order=2)
    assert bank.branches == (Bandpass(6.0, 60.0, 2), Bandpass(14.0, 60.0, 2))
    assert bank.describe(info).shape == (4,)


def paper_filter(x):
    """The eigenvector of S w = lambda Q w, sums written out as in the paper (x: trials, length, channels)."""
    c = x.shape[2]
    s, q = np.zeros((c, c)), np.zeros((c, c))
    for i in range(len(x)):
        q += (x[i] - x[i].mean(0)).T @ (x[i] - x[i].mean(0))
        for j in range(len(x)):
            if i != j:
                s += (x[i] - x[i].mean(0)).T @ (x[j] - x[j].mean(0))
    values, vectors = eig(s, q)
    return np.real(vectors[:, np.argmax(np.real(values))])


PHASES = {0: (0.0, 1.0), 1: (2.0, 0.3), 2: (4.0, 2.0)}
CLASSES = np.array(["a", "b", "c"])


@pytest.mark.parametrize("ensemble", [False, True])
@pytest.mark.parametrize("bands", [1, 2])
def test_trca_is_the_papers_equations(ensemble, bands):
    c = 6 // bands
    x, which = flicker(9, n=24, phase=PHASES)
    info = windows_info()
    stage = TRCA(ensemble=ensemble, n_bands=bands).fit_samples(info, samples(x, CLASSES[which]))
    fresh, truth = flicker(10, n=12, phase=PHASES)
    wanted = np.zeros((12, 3))
    for b in range(bands):
        part = slice(b * c, b * c + c)
        filters = np.stack([paper_filter(x[which == k][..., part]) for k in range(3)], axis=1)
        filters /= [np.sqrt(_within(x[which == k][..., part], filters[:, k])) for k in range(3)]
        for k in range(3):
            template = x[which == k].mean(axis=0)[:, part]
            w = filters if ensemble else filters[:, [k]]
            for i in range(12):
                one, two = fresh[i][:, part] - fresh[i][:, part].mean(0), template - template.mean(0)
                r = np.corrcoef((one @ w).ravel(), (two @ w).ravel())[0, 1]
                wanted[i, k] += band_weights(bands)[b] * r
    np.testing.assert_allclose(run(stage, info, fresh).data, wanted, atol=1e-8)
    assert accuracy(stage, info, fresh, CLASSES[truth]) > 0.8


def _within(x, w):
    return sum(np.square((t - t.mean(0)) @ w).sum() for t in x)


def test_trca_of_permuted_labels_is_at_chance():
    x, which = flicker(11, n=300, phase=PHASES, length=100)
    info = windows_info(length=100)
    y = CLASSES[which]
    right = TRCA().fit_samples(info, samples(x[:150], y[:150]))
    wrong = TRCA().fit_samples(info, samples(x[:150], np.random.default_rng(0).permutation(y[:150])))
    assert accuracy(right, info, x[150:], y[150:]) > 0.9
    shuffled = np.random.default_rng(1).permutation(y[150:])
    assert abs(accuracy(wrong, info, x[150:], shuffled) - 1 / 3) < 0.16  # four standard deviations of 150 draws


@pytest.mark.parametrize(
    ("stage", "info", "why"),
    [
        (FBCCA(()), windows_info(), "frequencies above 0 and below 125 Hz; got none"),
        (FBCCA((9.0, 130.0)), windows_info(), r"below 125 Hz; got \[130.0\]"),
        (FBCCA(TARGETS, n_bands=4), windows_info(), "n_bands=4 and 6 channels"),
        (FBCCA(TARGETS, n_bands=0), windows_info(), "n_bands=0"),
        (FBCCA(TARGETS, n_harmonics=0), windows_info(), "n_harmonics >= 1"),
        (FBCCA(TARGETS), windows_info(length=12), "more than 12 samples.*got 12"),
        (FBCCA(TARGETS, classes=("a",)), windows_info(), "a label for each of 3 frequencies; got 1"),
        (FBCCA(TARGETS), StreamInfo.signal(250, 6), r"windows of shape .* got samples of shape \(6,\)"),
    ],
)
def test_what_does_not_fit_is_refused(stage, info, why):
    with pytest.raises(ContractError, match=why):
        stage.describe(info)


def test_trca_refuses_single_trials_and_too_many_components():
    x, which = flicker(12, n=4)
    with pytest.raises(ContractError, match="two trials of each class; got fewer of b, c"):
        TRCA().fit_samples(windows_info(), samples(x, CLASSES[which]))
    with pytest.raises(ContractError, match="n_components <= 6"):
        TRCA(n_components=7).fit_samples(windows_info(), samples(x, CLASSES[which]))
