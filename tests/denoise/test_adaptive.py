"""RLS and LMS against least squares solved at once, the plain recursion, masks from outside, and cuts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.denoise import LMS, RLS
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo, concatenate
from ranvier.testing import check_stage

SEED = 6301
CHANNELS = Channels.of(
    ["C3", "C4", "EOG", "ACC", "TRIG"], ["eeg", "eeg", "eog", "motion", "trigger"], ["uV"] * 3 + ["m/s^2", "1"]
)
INFO = StreamInfo.signal(200, CHANNELS, dtype=np.float64)


def mixture(n, seed=SEED):
    """Return brain ``(n, 2)`` and a stream in which references reach the electrodes through taps."""
    rng = np.random.default_rng(seed)
    brain = 5 * rng.standard_normal((n, 2))
    x = np.hstack([brain, 50 * rng.standard_normal((n, 1)), 2 * rng.standard_normal((n, 1)), np.ones((n, 1))])
    x[:, 0] += 0.8 * x[:, 2] + 10 * np.roll(x[:, 3], 1)
    x[:, 1] += -0.3 * np.roll(x[:, 2], 2) + 4 * x[:, 3]
    return brain, x


def push(stage, x, cuts=(), valid=None):
    run, at, parts, block = Run(stage, INFO), 0, [], Block(x, 0, valid)
    for n in [*cuts, len(x)]:
        parts.append(run.push(block.cut(min(at, len(x)), min(at + n, len(x)))))
        at += n
    return concatenate(parts)


def lagged(x, taps):
    u = np.zeros((len(x), 2 * taps))
    for r, c in enumerate((2, 3)):
        for k in range(taps):
            u[k:, r * taps + k] = x[: len(x) - k, c]
    return u


@pytest.mark.parametrize("n", [20, 150])
def test_rls_is_regularised_least_squares(n):
    """At each sample the weights solve the ridge problem of all samples before it (nothing forgotten)."""
    _, x = mixture(n)
    out = push(RLS(taps=3, tau=1e5, ridge=7.0, quiet=0.0), x).data
    u = lagged(x, 3)
    for t in (5, n // 2, n - 1):
        w = np.linalg.solve(u[:t].T @ u[:t] + 7.0 * np.eye(6), u[:t].T @ x[:t, :2])
        np.testing.assert_allclose(out[t, :2], x[t, :2] - u[t] @ w, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(out[:, 2:], x[:, 2:])


def test_rls_forgets_exponentially():
    _, x = mixture(4000)
    out = push(RLS(taps=3, tau=1.0, ridge=1e-3, quiet=0.0), x).data
    u, weight = lagged(x, 3), (1 - 1 / 200) ** np.arange(3999)[::-1]
    w = np.linalg.solve((u[:-1].T * weight) @ u[:-1], (u[:-1].T * weight) @ x[:-1, :2])
    np.testing.assert_allclose(out[-1, :2], x[-1, :2] - u[-1] @ w, atol=1e-5)


def test_lms_is_its_recursion():
    _, x = mixture(300)
    u, w = lagged(x, 2), np.zeros((4, 2))
    wanted = np.empty((300, 2))
    for t in range(300):
        wanted[t] = x[t, :2] - u[t] @ w
        power = np.repeat([1 + (u[t, :2] ** 2).sum(), 1 + (u[t, 2:] ** 2).sum()], 2)
        w += np.outer(0.02 * u[t] / (2 * power), wanted[t])
    np.testing.assert_allclose(
        push(LMS(taps=2, step_size=0.02, quiet=0.0), x).data[:, :2], wanted, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("stage", [RLS(tau=10.0, quiet=0.0), LMS(step_size=0.02, quiet=0.0)])
def test_what_the_references_bring_goes_and_the_brain_stays(stage):
    brain, x = mixture(8000)
    out = push(stage, x).data[4000:, :2]
    before = ((x[4000:, :2] - brain[4000:]) ** 2).mean()
    assert ((out - brain[4000:]) ** 2).mean() < 0.01 * before


@pytest.mark.parametrize(
    ("stage", "theory"), [(RLS(tau=10.0, quiet=0.0), 6 / (2 * 2000)), (LMS(step_size=0.005, quiet=0.0), 3 * 0.005 / 2)]
)
def test_references_that_have_nothing_to_do_with_it_hardly_harm(stage, theory):
    """The part of the power that is lost: half the weights over the memory; half the step, at most thrice.

    Thrice because the mean of the inverse power of three white taps is thrice the inverse of the mean.
    """
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((10_000, 5)) * [5, 5, 50, 2, 1]
    out = push(stage, x).data[5000:, :2]
    assert ((out - x[5000:, :2]) ** 2).mean() < 1.3 * theory * 25


def heard(n, blinks, seed=SEED):
    """Return brain ``(n, 2)`` and a stream in which EOG and accelerometer rest but for blinks, and EOG hears brain."""
    rng = np.random.default_rng(seed)
    brain = 10 * rng.standard_normal((n, 1)) + 2 * rng.standard_normal((n, 2))
    x = np.zeros((n, 5))
    x[:, :2], x[:, 2], x[:, 3] = brain, brain.mean(axis=1), 0.02 * rng.standard_normal(n)
    for at in range(600, n - 100, 400) if blinks else ():
        x[at : at + 70, [2, 0, 1]] += np.sin(np.pi * np.arange(70) / 70)[:, None] ** 2 * [400, 200, 50]
    return brain, x


@pytest.mark.parametrize("make", [RLS, LMS])
def test_without_artefact_nothing_is_taken_though_references_hear_the_brain(make):
    brain, x = heard(20_000, blinks=False)
    rms = lambda e: np.sqrt((e[2000:] ** 2).mean())  # noqa: E731
    out = push(make(), x).data[:, :2]
    assert rms(out - brain) < 0.01 * rms(brain)
    assert (out[2000:] == x[2000:, :2]).mean() > 0.99
    assert rms(push(make(quiet=0.0), x).data[:, :2] - brain) > 0.4 * rms(brain)  # what it saves from


@pytest.mark.parametrize(("make", "left"), [(RLS, 0.15), (LMS, 0.25)])
def test_blinks_go_and_the_brain_between_them_stays_to_the_bit(make, left):
    brain, x = heard(20_000, blinks=True)
    out = push(make(), x).data[:, :2]
    peaks = np.arange(10_200, 19_900, 400) + 35
    assert np.abs((out - brain)[peaks].mean(axis=0)).max() < left * 200
    between = (peaks[:, None] + np.arange(150, 330)).ravel()
    between = between[between < len(x)]
    assert (out[between] == x[between, :2]).mean() > 0.98


def test_what_is_usual_is_the_running_median_of_the_peak():
    x = np.random.default_rng(SEED).standard_normal((40_000, 5)) * [5, 5, 50, 2, 1]
    run = Run(RLS(taps=1), INFO)
    run.push(Block(x))
    ears = next(v for k, v in run.save().items() if k.endswith("ears"))
    for column, ear in zip((2, 3), ears, strict=True):
        peak, p = np.zeros(len(x)), 0.0
        for t, v in enumerate(x[:, column]):
            peak[t] = p = max(v * v, 0.95 * p)  # 0.1 s at 200 Hz
        np.testing.assert_allclose(ear[:2], [peak[-1], np.median(peak[-12_000:])], rtol=0.1)


@pytest.mark.parametrize("stage", [LMS(), RLS(tau=4.0)])
def test_support_covers_how_long_what_was_usual_is_remembered(stage):
    """An EOG that was thirty times as loud: how blinks are taken off later, within the support and beyond."""
    loud = 20_000
    support = stage.describe(INFO).support
    _, x = heard(loud + support + 20_000, blinks=True)
    other = x.copy()
    other[:loud, 2] *= 30
    a, b = (push(stage, v).data[:, :2] for v in (x, other))
    apart = np.abs(a - b).max(axis=1)
    assert apart[loud + support :].max() < 0.1 * 200
    assert apart[loud + 36 * 200 : loud + support].max() > 0.5 * 200  # felt for longer than weights remember


@given(
    st.lists(st.integers(0, 150), max_size=10),
    st.sampled_from([RLS(tau=2.0, quiet=0.0), RLS(tau=2.0, quiet=1.0), LMS(quiet=0.5)]),
    st.floats(0, 0.2),
)
def test_how_it_is_cut_changes_no_bit(cuts, stage, lost):
    _, x = mixture(400)
    valid = np.random.default_rng(SEED).random(x.shape) >= lost
    a, b = push(stage, x, (), valid), push(stage, x, cuts, valid)
    np.testing.assert_array_equal(a.data, b.data)
    np.testing.assert_array_equal(a.valid, b.valid)


@pytest.mark.parametrize("stage", [RLS(tau=5.0, quiet=0.0), LMS(quiet=0.0)])
def test_of_an_invalid_reference_nothing_is_taken_and_its_weights_are_held(stage):
    _, x = mixture(3000)
    valid = np.ones(x.shape, bool)
    valid[1500:2000, 2] = False
    run = Run(stage, INFO)
    block = Block(x, 0, valid)
    run.push(block.cut(0, 1500))
    name = next(k for k in run.save() if k.endswith("weights"))
    before = run.save()[name]
    out = run.push(block.cut(1500, 2000))
    after = run.save()[name]
    np.testing.assert_array_equal(after[:, :3], before[:, :3])
    assert not np.array_equal(after[:, 3:], before[:, 3:])
    assert out.valid[:, [0, 1]].all()
    left = x[1500:2000, 0] - out.data[:, 0]  # what was taken off follows the accelerometer alone
    assert np.corrcoef(left[5:], x[1504:1999, 3])[0, 1] > 0.9
    assert abs(np.corrcoef(left[5:], x[1505:2000, 2])[0, 1]) < 0.15


@pytest.mark.parametrize("stage", [RLS(tau=5.0, quiet=0.0), LMS(quiet=0.0)])
def test_an_electrode_that_dies_changes_no_other_to_the_bit(stage):
    _, x = mixture(2000)
    valid = np.ones(x.shape, bool)
    valid[900:1400, 0] = False
    whole, broken = push(stage, x), x.copy()
    broken[900:1400, 0] = 1e30
    out = push(stage, broken, (7, 1000), valid)
    np.testing.assert_array_equal(out.data[:, 1:], whole.data[:, 1:])
    assert not out.valid[900:1400, 0].any()
    assert np.abs(out.data[1400:, 0]).max() <= 1.1 * np.abs(whole.data[800:, 0]).max()


def test_a_flat_reference_does_not_grow_without_end():
    _, x = mixture(20_000)
    x[:, 3] = 0.0
    run = Run(RLS(tau=0.2, quiet=0.0), INFO)
    run.push(Block(x))
    assert max(np.abs(a).max() for a in run.save().values() if a.dtype.kind == "f") < 1e3


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2"])
@pytest.mark.parametrize(
    "stage", [RLS(tau=2.0), LMS(quiet=0.5), RLS(("EOG",), 1, quiet=0.0)], ids=["RLS", "LMS", "one"]
)
def test_conforms(stage, dtype):
    check_stage(stage, INFO.but(dtype=np.dtype(dtype)))


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (RLS(("nothing",)), "needs references ('nothing',)"),
        (RLS(taps=0), "1 to 512 weights a channel"),
        (RLS(tau=0.0), "tau"),
        (RLS(ridge=0.0), "ridge"),
        (RLS(quiet=-1.0), "0 <= quiet"),
        (LMS(step_size=2.0), "0 < step_size < 1"),
    ],
)
def test_what_cannot_be_is_refused(stage, words):
    with pytest.raises(ContractError) as e:
        stage.describe(INFO)
    assert words in str(e.value)
