"""Resample and Decimate: against scipy's upfirdn and resample_poly, sines, and the grid that they promise."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from ranvier.denoise import Decimate, Lowpass, Resample
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, StreamInfo, concatenate

SEED = 8801
RATES = [(250, 100), (100, 250), (1000, 250), (512, 250), (250, 512), (1000, "1000/3"), (44_100, 48_000), (300, 300)]


def info(rate, n=1, dtype="f8"):
    return StreamInfo.signal(rate, n, dtype=dtype)


@pytest.mark.parametrize(("dtype", "limit"), [("f4", 5e-6), ("f8", 1e-13)])
@pytest.mark.parametrize(("rate", "wanted"), RATES)
def test_equals_upfirdn(rate, wanted, dtype, limit):
    stage, given = Resample(wanted), info(rate, 2, dtype)
    ratio, taps = stage.ratio(given), stage.response(given)
    x = np.random.default_rng(SEED).standard_normal((len(taps) // ratio.numerator * 2 + 500, 2)).astype(dtype)
    out = Run(stage, given).push(Block(x))
    direct = signal.upfirdn(taps, x.astype(float), ratio.numerator, ratio.denominator, axis=0)[: out.n]
    assert out.n == -(-len(x) * ratio.numerator // ratio.denominator)
    assert out.valid[-100:].all()
    np.testing.assert_allclose(out.data[out.valid], direct[out.valid], atol=limit)


@pytest.mark.parametrize(("rate", "wanted"), RATES[:5])
def test_equals_resample_poly_delay_removed(rate, wanted):
    """resample_poly centres the taps, which is a whole number of outputs where half their length is."""
    given = info(rate)
    down = Resample(wanted).ratio(given).denominator
    stages = [Resample(wanted, attenuation=float(a)) for a in range(40, 200)]
    stage = next(s for s in stages if (len(s.response(given)) - 1) // 2 % down == 0)
    taps, ratio = stage.response(given), stage.ratio(given)
    x = np.random.default_rng(SEED).standard_normal((len(taps) * 3 // ratio.numerator + 600, 1))
    out = Run(stage, given).push(Block(x))
    centred = signal.resample_poly(x, ratio.numerator, down, window=taps / ratio.numerator)
    late = (len(taps) - 1) // 2 // down
    ok = out.valid[late:, 0]
    assert ok.sum() > 100
    np.testing.assert_allclose(out.data[late:][ok], centred[: len(ok)][ok], atol=1e-12)


@pytest.mark.parametrize(("rate", "wanted"), RATES)
def test_a_sine_comes_out_at_the_right_instants(rate, wanted):
    """Output k lies at input k * step, late by exactly the declared delay; the stream began anywhere."""
    stage, given = Resample(wanted, attenuation=80), info(rate)
    described = stage.describe(given)
    assert described.origin.step == Fraction(rate) / Fraction(wanted)
    assert described.rate == Fraction(wanted)
    f = 0.3 * min(float(described.rate), rate) / 2
    start = 1234
    n = 40 * max(1, int(described.support)) if described.support > 1 else 100
    t = (start + np.arange(n)) / rate
    out = Run(stage, given).push(Block(np.sin(2 * np.pi * f * t)[:, None], start))
    at = np.arange(out.start, out.stop) / float(described.rate) - float(described.delay)
    ok = out.valid[:, 0]
    assert ok.sum() > 50
    np.testing.assert_allclose(out.data[ok, 0], np.sin(2 * np.pi * f * at)[ok], atol=3e-4)


@pytest.mark.parametrize("attenuation", [40.0, 60.0, 90.0])
def test_nothing_above_the_new_nyquist_frequency_folds(attenuation):
    stage, given = Resample(250, attenuation=attenuation), info(1000)
    f, h = signal.freqz(stage.response(given), worN=1 << 14, fs=1000)
    assert 20 * np.log10(np.abs(h[f >= 125]).max()) < -attenuation + 1.5
    assert np.abs(h[f <= 125 * 0.75]).min() > 1 - 1.2 * 10 ** (-attenuation / 20)


def test_a_constant_stays_what_it_is():
    """20 mV of offset between rates without a common beat: without equal phases it would ripple (control)."""
    stage, given = Resample(250, attenuation=40), info(512)
    x = np.full((4000, 1), 20_000.0)
    out = Run(stage, given).push(Block(x))
    np.testing.assert_allclose(out.data[out.valid], 20_000, atol=1e-9)
    taps = stage.response(given) * (1 + 1e-3 * np.sin(np.arange(len(stage.response(given)))))
    ripple = signal.upfirdn(taps, x[:, 0], 125, 256)[500:1500]
    assert np.ptp(ripple) > 0.1


@given(
    st.sampled_from([(250, 100), (100, 250), (250, "1000/3"), (3, 2)]),
    st.integers(0, 5000),
    st.lists(st.integers(0, 40), max_size=8),
    st.floats(0, 0.02),
    st.integers(0, 2**32 - 1),
)
def test_any_cut_start_and_mask_give_the_same_grid(rates, start, cuts, lost, seed):
    rng = np.random.default_rng(seed)
    given, stage = info(rates[0], 2, "f4"), Resample(rates[1], attenuation=30, width=0.5)
    x, ok = rng.standard_normal((200, 2)).astype("f4"), rng.random((200, 2)) >= lost
    run, at, parts = Run(stage, given), 0, []
    for n in [*cuts, 200]:
        parts.append(run.push(Block(x, start, ok).cut(min(at, 200), min(at + n, 200))))
        at += n
    a, b = concatenate(parts), Run(stage, given).push(Block(x, start, ok))
    np.testing.assert_array_equal(a.data, b.data)
    np.testing.assert_array_equal(a.valid, b.valid)
    ratio, taps = stage.ratio(given), stage.response(given)
    places = [k for k in range(20_000) if start <= Fraction(k) / ratio < start + 200]
    assert (b.start, b.n) == (places[0], len(places))
    length = -(-len(taps) // ratio.numerator)
    for k, row in zip(places, b.valid, strict=True):
        newest = int(Fraction(k) / ratio) - start
        whole = newest >= length - 1 and ok[max(newest - length + 1, 0) : newest + 1].all(axis=0)
        np.testing.assert_array_equal(row, whole)


def test_the_rate_that_it_has_is_passed_on():
    given = info(250, 3, "f4")
    x = np.random.default_rng(SEED).standard_normal((50, 3)).astype("f4")
    out = Run(Resample(250.0), given).push(Block(x, 9))
    np.testing.assert_array_equal(out.data, x)
    assert out.valid.all()
    assert Resample(250).describe(given) == given


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Resample(0), "rate > 0 Hz"),
        (Resample("fast"), "'fast'"),
        (Resample("1/0"), "'1/0'"),
        (Resample(float("nan")), "nan"),
        (Resample(99.99937), "terms up to 20000"),
        (Resample(100, width=0), "width"),
        (Resample(100, attenuation=5), "attenuation"),
        (Decimate(0), "factor >= 1; got 0"),
        (Decimate(5, high=30), "new rate=50 Hz"),
    ],
)
def test_what_cannot_be_is_refused(stage, words):
    with pytest.raises(ContractError) as e:
        stage.describe(info(250))
    assert words in str(e.value)


@pytest.mark.parametrize("start", [0, 3, 1000, 1001])
def test_decimate_keeps_every_qth_sample_of_the_filtered_signal(start):
    x = np.random.default_rng(SEED).standard_normal((777, 2))
    given = info(1000, 2)
    out = Run(Decimate(5, order=4), given).push(Block(x, start))
    smooth = Run(Lowpass(80, 4), given).push(Block(x, start))
    kept = np.arange(start, start + 777) % 5 == 0
    np.testing.assert_array_equal(out.data, smooth.data[kept])
    np.testing.assert_array_equal(out.valid, smooth.valid[kept])
    assert out.start == -(-start // 5)


def test_decimate_holds_down_what_would_fold():
    """The figure in its documentation: below a quarter of the new rate at least 43 dB, with order 8."""
    given = info(1000)
    stage = Decimate(4)
    sections = stage.filter(given).sections(1000.0)
    f, h = signal.freqz_sos(sections, worN=1 << 14, fs=1000)
    folds = (np.abs(f - 250) <= 62.5) | (np.abs(f - 500) <= 62.5)
    assert 20 * np.log10(np.abs(h[folds]).max()) < -43
    assert np.abs(h[f <= 62.5]).min() > 0.97
    assert float(stage.describe(given).delay) < float(Resample(250).describe(given).delay) / 3
