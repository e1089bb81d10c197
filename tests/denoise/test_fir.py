"""FIR against scipy's lfilter, its delay against the phase, its masks against the definition."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from ranvier.denoise import FIR
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, StreamInfo

SEED = 8701


@pytest.mark.parametrize(("dtype", "limit"), [("f4", 2e-6), ("f8", 1e-14)])
@pytest.mark.parametrize("length", [1, 2, 31, 400])
def test_equals_lfilter(length, dtype, limit):
    rng = np.random.default_rng(SEED)
    taps = rng.standard_normal(length)
    x = rng.standard_normal((1000, 3)).astype(dtype)
    out = Run(FIR(tuple(taps.tolist())), StreamInfo.signal(250, 3, dtype=dtype)).push(Block(x, 11))
    wanted = signal.lfilter(taps, [1.0], x.astype(float), axis=0)
    assert out.start == 11
    np.testing.assert_array_equal(out.valid, np.broadcast_to(np.arange(1000)[:, None] >= length - 1, x.shape))
    np.testing.assert_allclose(out.data[length - 1 :], wanted[length - 1 :], atol=limit * np.abs(taps).sum() * 4)


@given(st.integers(1, 12), st.floats(0, 0.4), st.integers(0, 2**32 - 1))
def test_valid_where_all_that_it_is_made_of_is(length, lost, seed):
    rng = np.random.default_rng(seed)
    x, ok = rng.standard_normal((60, 2)), rng.random((60, 2)) >= lost
    x[~ok] = 1e30
    taps = rng.standard_normal(length)
    out = Run(FIR(tuple(taps.tolist())), StreamInfo.signal(250, 2, dtype="f8")).push(Block(x, 0, ok))
    for t in range(60):
        for c in range(2):
            whole = t >= length - 1 and ok[t - length + 1 : t + 1, c].all()
            assert out.valid[t, c] == whole
            wanted = taps @ x[t - length + 1 : t + 1, c][::-1] if whole else 0.0
            assert out.data[t, c] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("low", "high"), [(8, 30), (None, 40), (30, None)], ids=["band-pass", "low-pass", "high-pass"])
def test_designs_pass_and_stop_what_they_say(low, high):
    stage = FIR.design(250, 201, low, high, attenuation=60)
    f, h = signal.freqz(stage.taps, worN=8192, fs=250)
    edge = 250 * (60 - 7.95) / (14.36 * 200) / 2  # half of Kaiser's transition width
    a, b = low or -edge, high or 125 + edge
    inside, outside = (f > a + edge) & (f < b - edge), (f < a - edge) | (f > b + edge)
    assert np.abs(20 * np.log10(np.abs(h[inside]))).max() < 0.02
    assert 20 * np.log10(np.abs(h[outside]).max()) < -58
    at_corner = [np.abs(h[np.argmin(np.abs(f - c))]) for c in (low, high) if c]
    np.testing.assert_allclose(at_corner, 0.5, atol=0.01)


def test_delay_of_symmetric_taps_is_exact_and_a_sine_shows_it():
    info = StreamInfo.signal(250, 1, dtype="f8")
    stage = FIR.design(250, 101, low=8, high=30)
    assert stage.describe(info).delay == Fraction(50, 250)
    t = np.arange(1000) / 250
    out = Run(stage, info).push(Block(np.sin(2 * np.pi * 15 * t)[:, None]))
    wanted = np.sin(2 * np.pi * 15 * (t - 0.2))
    np.testing.assert_allclose(out.data[100:, 0], wanted[100:], atol=2e-3)


def test_delay_of_other_taps_is_that_of_what_they_pass_most():
    delay = float(FIR((0.0, 0.0, 3.0, 1.0)).describe(StreamInfo.signal(1, 1)).delay)
    assert delay == pytest.approx((2 * 3 + 3 * 1) / 4)  # at 0 Hz: the centre of gravity


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FIR.design(250, 101, 30, 8), "0 < low < high"),
        (lambda: FIR.design(250, 101), "or one of them"),
        (lambda: FIR.design(250, 100, low=8), "odd without high; got 100"),
        (lambda: FIR.design(250, 100, low=8, high=130), "high=130 Hz"),
        (lambda: FIR(()).describe(StreamInfo.signal(250, 1)), "finite taps"),
        (lambda: FIR((0.0, 0.0)).describe(StreamInfo.signal(250, 1)), "not all 0"),
        (lambda: FIR((1.0, float("nan"))).describe(StreamInfo.signal(250, 1)), "finite taps"),
        (lambda: FIR.design(250, 11, 8, 30).describe(StreamInfo.signal(500, 1)), "500 Hz instead of 250 Hz"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ContractError) as e:
        make()
    assert words in str(e.value)


def test_a_rate_that_is_none_is_refused():
    for rate in (0.0, -250.0, float("nan"), float("inf")):
        with pytest.raises(ContractError, match="rate"):
            FIR((0.5, 0.5), rate).describe(StreamInfo.signal(250, 2))
