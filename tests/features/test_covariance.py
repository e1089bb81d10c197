"""Covariance against numpy, pandas (pairwise), scikit-learn and pyRiemann."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.errors import ContractError
from ranvier.features import Covariance, Window
from ranvier.stage import Run
from ranvier.stream import Block

from .helpers import in_cuts, noise, signal, whole

RATE, LENGTH, HOP = 200, 100, 20


def peer(x, estimator):
    """Covariances of windows ``(k, length, n)`` by pyRiemann."""
    try:
        from pyriemann.geometry.covariance import covariances
    except ImportError:
        from pyriemann.utils.covariance import covariances
    return covariances(x.swapaxes(1, 2).astype(float), estimator=estimator)


def slices(x, start=0):
    first = -(-start // HOP)
    return np.array([x[k * HOP - start :][:LENGTH] for k in range(first, (start + len(x) - LENGTH) // HOP + 1)])


@pytest.mark.parametrize("estimator", ["scm", "oas", "lwf"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "i2"])
@pytest.mark.parametrize("start", [0, 7])
def test_equals_pyriemann_on_every_window(estimator, dtype, start):
    x, info = noise(11, 900, 8, dtype), signal(RATE, 8, dtype)
    out = whole(Covariance(LENGTH / RATE, HOP / RATE, estimator), info, x, start)
    wanted = peer(slices(x, start), estimator)
    assert out.valid.all()
    assert out.start == -(-start // HOP)
    np.testing.assert_allclose(out.data, wanted, rtol=1e-10, atol=1e-10 * np.abs(wanted).max())


@pytest.mark.parametrize("estimator", ["scm", "oas", "lwf"])
def test_windows_cut_before_give_the_same_matrices(estimator):
    x, info = noise(12, 500, 6), signal(RATE, 6)
    valid = np.random.default_rng(13).random(x.shape) > 0.02
    for mask in (None, valid):
        direct = whole(Covariance(0.5, 0.1, estimator), info, x, 3, mask)
        cut = whole(Window(0.5, 0.1) | Covariance(estimator=estimator), info, x, 3, mask)
        np.testing.assert_allclose(cut.data, direct.data, rtol=1e-11, atol=1e-9)
        np.testing.assert_array_equal(cut.valid, direct.valid)
        assert cut.start == direct.start


def test_each_pair_of_channels_is_computed_where_both_are_valid():
    pandas = pytest.importorskip("pandas")
    x, info = noise(14, 900, 5, "f8"), signal(RATE, 5, "f8")
    rng = np.random.default_rng(15)
    valid = rng.random(x.shape) > 0.15
    valid[300:420, 2] = False  # a channel that is away for a window and more
    out = whole(Covariance(LENGTH / RATE, HOP / RATE), info, x, 0, valid)
    holes = np.where(valid, x, np.nan)
    for got, ok, window in zip(out.data, out.valid, slices(holes), strict=True):
        seen = (~np.isnan(window)).astype(float)
        pairs = seen.T @ seen
        # where something is missing, pandas divides by n - 1 whatever ddof says
        wanted = pandas.DataFrame(window).cov(min_periods=LENGTH // 2).to_numpy() * (pairs - 1) / pairs
        np.testing.assert_array_equal(ok, ~np.isnan(wanted))
        np.testing.assert_allclose(got, np.nan_to_num(wanted), rtol=1e-10, atol=1e-8)
    assert not out.valid.all()
    assert out.valid[:, 0, 1].all()


def test_few_invalid_samples_leave_nearly_every_cell_valid():
    """With 0.1 % invalid cells, only 4.5 % of such windows are wholly valid; or-ing masks would lose the rest."""
    x, info = noise(16, 3000, 64), signal(1000, 64)
    valid = np.random.default_rng(17).random(x.shape) > 0.001
    out = whole(Covariance(1.0, 0.1), info, x, 0, valid)
    assert out.valid.all()
    full = whole(Covariance(1.0, 0.1), info, x)
    assert np.abs(out.data - full.data).max() < 0.02 * np.abs(full.data).max()


@pytest.mark.parametrize("estimator", ["oas", "lwf"])
def test_shrinkage_leaves_out_a_dead_channel(estimator):
    """With one channel invalid throughout, the others are what they are without it."""
    x, info = noise(18, 400, 6), signal(RATE, 6)
    valid = np.ones(x.shape, bool)
    valid[:, 3] = False
    rest = [0, 1, 2, 4, 5]
    out = whole(Covariance(0.5, 0.5, estimator), info, x, 0, valid)
    wanted = peer(np.stack([x[a : a + 100][:, rest] for a in range(0, 400, 100)]), estimator)
    np.testing.assert_allclose(out.data[:, rest][:, :, rest], wanted, rtol=1e-9)
    assert not out.valid[:, 3].any()
    assert not out.data[:, 3].any()
    assert out.valid[:, rest][:, :, rest].all()


@pytest.mark.parametrize("estimator", ["oas", "lwf"])
def test_shrinkage_with_scattered_invalid_samples_stays_near_the_full_one(estimator):
    x, info = noise(19, 1000, 10), signal(RATE, 10)
    valid = np.random.default_rng(20).random(x.shape) > 0.02
    full = whole(Covariance(1.0, 1.0, estimator), info, x).data
    out = whole(Covariance(1.0, 1.0, estimator), info, x, 0, valid).data
    assert np.abs(out - full).max() < 0.08 * np.abs(full).max()
    assert np.linalg.eigvalsh(out).min() > 0


@given(
    st.lists(st.integers(0, 70), max_size=12),
    st.integers(0, 45),
    st.sampled_from(["scm", "oas", "lwf"]),
    st.booleans(),
)
def test_the_cut_changes_no_bit(cuts, start, estimator, masked):
    x, info = noise(21, 320, 5), signal(RATE, 5)
    valid = np.random.default_rng(22).random(x.shape) > 0.01 if masked else None
    if masked:
        valid[:150] = True  # clean hops and hops with holes share windows
    stage = Covariance(0.5, 0.1, estimator)
    a, b = whole(stage, info, x, start, valid), in_cuts(stage, info, x, cuts, start, valid)
    assert a.start == b.start
    assert a.data.tobytes() == b.data.tobytes()
    np.testing.assert_array_equal(a.valid, b.valid)


def test_a_mask_that_says_valid_everywhere_changes_no_bit():
    x, info = noise(23, 330, 5), signal(RATE, 5)
    stage = Covariance(0.5, 0.1, "lwf")
    a = whole(stage, info, x)
    valid = np.ones(x.shape, bool)
    valid[325, 0] = False  # after the last window
    b = whole(stage, info, x, 0, valid)
    assert a.data.tobytes() == b.data.tobytes()


def test_channels_in_another_order_give_the_permuted_matrix():
    x, info = noise(24, 300, 6), signal(RATE, 6)
    order = np.random.default_rng(25).permutation(6)
    for estimator in ("scm", "oas", "lwf"):
        a = whole(Covariance(0.5, 0.1, estimator), info, x).data
        b = whole(Covariance(0.5, 0.1, estimator), info, np.ascontiguousarray(x[:, order])).data
        np.testing.assert_allclose(b, a[:, order][:, :, order], rtol=1e-12)


def test_an_offset_of_20_mv_costs_no_precision_that_matters():
    x = noise(26, 400, 4, "f8")
    info = signal(RATE, 4, "f8")
    for estimator in ("scm", "oas"):
        a = whole(Covariance(0.5, 0.5, estimator), info, x).data
        b = whole(Covariance(0.5, 0.5, estimator), info, x + 20_000.0).data
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_describes_units_and_windows():
    out = Covariance(1.0, 0.1).describe(signal(250, 3))
    assert out.channels.units == ("uV^2",) * 3
    assert (out.shape, out.dtype, out.rate) == ((3, 3), np.float64, 10)
    assert (out.origin.span, out.origin.step, out.origin.offset) == (250, 25, 249)


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        (Covariance(1.0, 0.3), "multiple of hop; got length=1 s, hop=0.3 s, 250 and 75 samples"),
        (Covariance(), "needs length and hop on a signal"),
        (Covariance(1.0, 0.1, "nonsense"), "needs estimator scm, oas or lwf; got 'nonsense'"),
        (Covariance(1.0, 0.1, min_valid=0), "needs 0 < min_valid <= 1; got min_valid=0"),
    ],
)
def test_what_does_not_fit_is_refused(stage, says):
    with pytest.raises(ContractError, match=says):
        stage.describe(signal(250, 3))


def test_length_and_hop_are_refused_on_windows():
    with pytest.raises(ContractError, match="no length and hop on windows"):
        Covariance(1.0, 0.1).describe(Window(1.0, 0.1).describe(signal(250, 3)))


def test_save_and_restore_in_the_middle_of_a_hop():
    x, info = noise(27, 400, 4), signal(RATE, 4)
    stage = Covariance(0.5, 0.1, "lwf")
    a, b = Run(stage, info), Run(stage, info)
    a.push(Block(x[:153]))
    b.restore(a.save())
    one, two = a.push(Block(x[153:], 153)), b.push(Block(x[153:], 153))
    assert one.data.tobytes() == two.data.tobytes()
