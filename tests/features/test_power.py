"""BandPower, SpikeBandPower, LogVariance and Envelope against scipy and numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal as ss

from ranvier.denoise import Bandpass
from ranvier.errors import ContractError
from ranvier.features import BandPower, Envelope, LogVariance, SpikeBandPower, Window
from ranvier.stage import Run
from ranvier.stream import Block

from .helpers import in_cuts, noise, signal, whole


def test_band_power_is_the_mean_square_of_the_filtered_signal():
    rate, length, hop = 250, 100, 25
    x, info = noise(31, 1500, 4, "f8"), signal(rate, 4, "f8")
    out = whole(BandPower(8, 12, length / rate, hop / rate), info, x)
    sos = ss.butter(4, [8, 12], "bandpass", fs=rate, output="sos")
    zi = ss.sosfilt_zi(sos)[:, :, None] * x[0]
    y, _ = ss.sosfilt(sos, x, axis=0, zi=zi)
    y[: Bandpass(8, 12).describe(info).settle] = np.nan  # not trusted yet, so left out of the mean
    power = [y[a : a + length] ** 2 for a in range(0, 1500 - length + 1, hop)]
    settled = out.valid.all(axis=1)
    np.testing.assert_array_equal(settled, [np.isfinite(p[:, 0]).sum() >= length / 2 for p in power])
    wanted = np.array([np.nanmean(p, axis=0) if ok else p[0] for p, ok in zip(power, settled, strict=True)])
    np.testing.assert_allclose(out.data[settled], wanted[settled], rtol=1e-8)
    logs = whole(BandPower(8, 12, length / rate, hop / rate, log=True), info, x)
    np.testing.assert_allclose(logs.data[settled], np.log(wanted[settled]), rtol=1e-8)


def test_power_of_a_sine_is_half_its_squared_amplitude():
    t = np.arange(2500) / 250
    x = np.stack([20 * np.sin(2 * np.pi * 10 * t), 20 * np.sin(2 * np.pi * 40 * t)], axis=1).astype("f4")
    out = whole(BandPower(8, 12.5, 1.0, 0.5), signal(250, 2), x)
    assert abs(out.data[-1, 0] - 200) < 2
    assert out.data[-1, 1] < 0.1
    assert BandPower(8, 12, 1.0, 0.5, log=True).describe(signal(250, 2)).channels.units == ("ln(uV^2)",) * 2


@pytest.mark.parametrize("norm", ["square", "abs"])
@pytest.mark.parametrize("dtype", ["f4", "i2", "f8"])
def test_spike_band_power_is_the_mean_over_bins(norm, dtype):
    x, info = noise(32, 700, 20, dtype), signal(3000, 20, dtype)
    out = whole(SpikeBandPower(0.02, norm), info, x, 130)
    y = x.astype(float) ** 2 if norm == "square" else np.abs(x.astype(float))
    wanted = np.array([y[a : a + 60].mean(axis=0) for a in range(50, 700 - 59, 60)])
    assert out.start == 3
    assert out.data.dtype == (np.float64 if dtype == "f8" else np.float32)
    np.testing.assert_allclose(out.data, wanted, rtol=1e-6)


def test_invalid_samples_are_left_out_of_the_mean():
    x, info = noise(33, 600, 6), signal(1000, 6)
    valid = np.random.default_rng(34).random(x.shape) > 0.4
    out = whole(SpikeBandPower(0.05), info, x, 0, valid)
    power = np.where(valid, x.astype(float) ** 2, np.nan).reshape(-1, 50, 6)
    enough = valid.reshape(-1, 50, 6).sum(axis=1) >= 25
    np.testing.assert_array_equal(out.valid, enough)
    np.testing.assert_allclose(out.data[enough], np.nanmean(power, axis=1)[enough], rtol=1e-6)
    assert not out.data[~enough].any()
    assert not enough.all()


@given(st.lists(st.integers(0, 90), max_size=10), st.integers(0, 100))
def test_the_cut_changes_no_bit(cuts, start):
    x, info = noise(35, 400, 7), signal(1000, 7)
    valid = np.random.default_rng(36).random(x.shape) > 0.02
    for stage in (SpikeBandPower(0.02), BandPower(30, 200, 0.06, 0.02, log=True), Window(0.03, 0.01) | LogVariance()):
        a, b = whole(stage, info, x, start, valid), in_cuts(stage, info, x, cuts, start, valid)
        assert a.start == b.start
        assert a.data.tobytes() == b.data.tobytes()
        np.testing.assert_array_equal(a.valid, b.valid)


def test_log_variance_is_numpys():
    x, info = noise(37, 600, 5), signal(200, 5)
    out = whole(Window(0.5, 0.1) | LogVariance(), info, x)
    wanted = np.array([np.log(np.var(x[a : a + 100].astype(float), axis=0)) for a in range(0, 501, 20)])
    np.testing.assert_allclose(out.data, wanted, rtol=1e-5, atol=1e-6)
    valid = np.random.default_rng(38).random(x.shape) > 0.3
    masked = whole(Window(0.5, 0.1) | LogVariance(), info, x, 0, valid)
    holes = np.where(valid, x, np.nan).astype(float)
    wanted = np.array([np.log(np.nanvar(holes[a : a + 100], axis=0)) for a in range(0, 501, 20)])
    np.testing.assert_allclose(masked.data, wanted, rtol=1e-5, atol=1e-6)


def test_log_of_nothing_is_finite():
    x, info = np.zeros((200, 2), "f4"), signal(200, 2)
    assert np.isfinite(whole(Window(0.5, 0.5) | LogVariance(), info, x).data).all()
    assert np.isfinite(whole(BandPower(8, 30, 0.5, 0.5, log=True), info, x).data).all()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_envelope_is_lfilter_of_the_rectified_signal(dtype):
    x, info = noise(39, 800, 6, dtype), signal(500, 6, dtype)
    out = whole(Envelope(0.04), info, x)
    a = 1 - np.exp(-1 / (0.04 * 500))
    y = np.abs(x.astype(float))
    wanted, _ = ss.lfilter([a], [1, a - 1], y, axis=0, zi=(1 - a) * y[:1])
    settled = out.valid.all(axis=1)
    np.testing.assert_array_equal(settled, np.arange(800) >= Envelope(0.04).describe(info).settle)
    np.testing.assert_allclose(out.data[settled], wanted[settled], rtol=1e-5 if dtype == "f4" else 1e-12)


def test_envelope_declares_the_delay_of_its_smoothing():
    info = signal(1000, 1, "f8")
    a = 1 - np.exp(-1 / 50)
    _, measured = ss.group_delay(([a], [1, a - 1]), w=[1e-4], fs=1000)
    assert float(Envelope(0.05).describe(info).delay) == pytest.approx(measured[0] / 1000, rel=1e-3)


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        (BandPower(8, 200, 1, 0.1), "Bandpass needs 0 < low < high < rate/2"),
        (BandPower(8, 30, 1, 0.3), "^BandPower needs length to be a multiple of hop"),
        (BandPower(8, 30, 1, 0.1, min_valid=0), "^BandPower needs 0 < min_valid <= 1"),
        (SpikeBandPower(0.0001), "SpikeBandPower needs length of at least 1 sample"),
        (SpikeBandPower(0.1, norm="cube"), "needs norm square or abs"),
        (SpikeBandPower(0.1, min_valid=1.5), "needs 0 < min_valid <= 1"),
        (Envelope(0.001), "Envelope needs 0.004 < smooth"),
        (LogVariance(), "LogVariance needs windows"),
    ],
)
def test_what_does_not_fit_is_refused(stage, says):
    with pytest.raises(ContractError, match=says):
        stage.describe(signal(250, 2))


def test_a_jump_drops_the_bin_that_was_begun():
    x, info = noise(40, 100, 3), signal(1000, 3)
    run = Run(SpikeBandPower(0.02), info)
    run.push(Block(x[:30]))
    out = run.push(Block(x, 1010))
    fresh = whole(SpikeBandPower(0.02), info, x, 1010)
    assert out.start == fresh.start == 51
    assert out.data.tobytes() == fresh.data.tobytes()
