"""Filter design against scipy: poles, responses, notches, delays, memory, windowed sincs."""

import numpy as np
import pytest
from scipy import signal

from ranvier.denoise import Bandpass, Highpass, Lowpass, Notch
from ranvier.denoise._design import butterworth, decay, group_delay, notch, response, sensitivity
from ranvier.denoise._windowed import kaiser_beta, kaiser_length, windowed_sinc
from ranvier.errors import ContractError
from ranvier.stream import StreamInfo

RATES = [128.0, 250.0, 1000.0, 30_000.0]
CORNERS = [1e-4, 1e-3, 0.01, 0.1, 0.3, 0.45, 0.499]  # part of the rate
BANDS = [(1e-4, 0.4), (1e-3, 2e-3), (0.01, 0.2), (0.032, 0.12), (0.1999, 0.2001), (0.3, 0.499), (0.001, 0.499)]
SCIPY = {"low": "lowpass", "high": "highpass", "band": "bandpass"}


def compare(order, kind, edges, rate):
    ours = butterworth(order, kind, edges, rate)
    zpk = signal.butter(order, edges if kind == "band" else edges[0], SCIPY[kind], fs=rate, output="zpk")
    count = order if kind == "band" else -(-order // 2)
    assert ours.shape == (count, 6)
    assert np.all(ours[:, 3] == 1)
    poles = np.concatenate([np.roots(s[3:]) for s in ours])
    if len(poles) > len(zpk[1]):  # a section of first order has a pole at 0
        poles = np.delete(poles, np.argmin(np.abs(poles)))
    apart = np.abs(poles[:, None] - zpk[1]) / np.minimum(np.abs(1 - zpk[1]), np.abs(1 + zpk[1]))
    assert apart.min(axis=0).max() < 1e-6
    f = np.concatenate([np.geomspace(edges[0] / 3, edges[0], 40), np.linspace(edges[0], edges[-1], 40)])
    f = f[f < rate / 2]
    _, wanted = signal.freqz_zpk(*zpk, worN=2 * np.pi * f / rate)
    got = response(ours, f, rate)
    limit = 1e-9 + 2**-50 * sensitivity(ours)  # what rounding the coefficients to float64 does
    assert np.abs(got - wanted).max() < limit * np.abs(wanted).max()


@pytest.mark.parametrize("order", range(1, 17))
@pytest.mark.parametrize("kind", ["low", "high"])
def test_low_and_high_pass_equal_scipy(order, kind):
    for rate in RATES:
        for corner in CORNERS if order <= 8 else CORNERS[2:]:
            compare(order, kind, (corner * rate,), rate)


@pytest.mark.parametrize("order", [*range(1, 9), 11, 16])
def test_band_pass_equals_scipy(order):
    for rate in RATES:
        for low, high in BANDS if order <= 4 else BANDS[2:4]:
            compare(order, "band", (low * rate, high * rate), rate)


@pytest.mark.parametrize("quality", [0.5, 1, 30, 300])
@pytest.mark.parametrize(("f", "rate"), [(50, 128), (50, 250), (60, 1000), (50, 30_000), (0.1, 250), (124.9, 250)])
def test_notch_equals_scipy(f, rate, quality):
    b, a = signal.iirnotch(f, quality, fs=rate)
    np.testing.assert_allclose(notch(f, quality, rate)[0], [*b, *a], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("kind", "edges"), [("low", (40,)), ("high", (1,)), ("band", (8, 30)), ("band", (1, 100))])
@pytest.mark.parametrize("order", [1, 2, 5])
def test_group_delay_equals_scipy(kind, edges, order):
    sections = butterworth(order, kind, edges, 250)
    zpk = signal.butter(order, edges if kind == "band" else edges[0], SCIPY[kind], fs=250, output="zpk")
    for f in (3.0, 15.0, 60.0):
        w = 2 * np.pi * f / 250 + np.array([-1e-6, 1e-6])
        phase = np.unwrap(np.angle(signal.freqz_zpk(*zpk, worN=w)[1]))
        assert group_delay(sections, f, 250) * 250 == pytest.approx(-(phase[1] - phase[0]) / 2e-6, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("level", [1e-2, 1e-6])
@pytest.mark.parametrize(
    ("kind", "edges", "order"),
    [("low", (40,), 4), ("low", (2,), 8), ("high", (1,), 2), ("high", (0.3,), 1), ("band", (8, 30), 4),
     ("band", (0.5, 40), 2), ("band", (9, 11), 5)],
)  # fmt: skip
def test_a_disturbance_is_forgotten_when_it_says_so_and_not_long_before(kind, edges, order, level):
    sections = butterworth(order, kind, edges, 250)
    n = decay(sections, level)
    x = np.zeros(6 * n)
    primed = signal.sosfilt_zi(sections)  # as after a step from 0 to 1 that was there for ever
    step = np.abs(signal.sosfilt(sections, x, zi=primed)[0])
    impulse = np.abs(signal.sosfilt(sections, np.concatenate([[1.0], x])))
    felt = max(int(np.flatnonzero(t > level * t.max())[-1]) for t in (step, impulse))
    assert felt < n <= 1.1 * felt + 8


def test_sensitivity_is_what_a_change_of_the_coefficients_does():
    """Against the response of filters whose coefficients were moved by chance: never much above, often near."""
    rng = np.random.default_rng(8301)
    for kind, edges in (("low", (5,)), ("high", (2,)), ("band", (8, 30)), ("band", (20, 22))):
        sections = butterworth(2, kind, edges, 1000)
        f = np.linspace(edges[0] / 2, edges[-1] * 2, 4000)
        passed = np.abs(response(sections, f, 1000))
        f, passed = f[passed >= 0.5], passed[passed >= 0.5]
        worst = 0.0
        for _ in range(100):
            moved = sections.copy()
            moved[:, 4:] *= 1 + 1e-9 * rng.choice([-1, 1], moved[:, 4:].shape)
            change = np.abs(response(moved, f, 1000) - response(sections, f, 1000)) / passed
            worst = max(worst, float(change.max()) / 1e-9)
        assert 0.3 * sensitivity(sections) < worst < 4 * sensitivity(sections)


@pytest.mark.parametrize("attenuation", [15, 30, 50, 60, 80, 120])
def test_kaiser_formulas_equal_scipy(attenuation):
    assert kaiser_beta(attenuation) == pytest.approx(signal.kaiser_beta(attenuation), abs=1e-12)
    if attenuation > 21:
        n, _ = signal.kaiserord(attenuation, 0.1)  # width there: part of the Nyquist frequency
        assert n <= kaiser_length(attenuation, 0.05) <= n + 2
        assert kaiser_length(attenuation, 0.05) % 2 == 1


@pytest.mark.parametrize("length", [5, 31, 101, 401])
@pytest.mark.parametrize(("low", "high"), [(0, 0.1), (0.2, 0.5), (0.05, 0.2)])
def test_windowed_sinc_equals_scipy(length, low, high):
    length -= high < 0.5  # a high-pass alone needs an odd length
    kind = "lowpass" if low == 0 else "highpass" if high == 0.5 else "bandpass"
    cutoff = [v for v in (low, high) if 0 < v < 0.5]
    wanted = signal.firwin(length, cutoff, window=("kaiser", kaiser_beta(60)), pass_zero=kind, fs=1.0)
    np.testing.assert_allclose(windowed_sinc(length, low, high, 60), wanted, atol=1e-14)


@pytest.mark.parametrize("stage", [Bandpass(1e-308, 30), Notch(1e-308), Highpass(1e-9), Lowpass(1e-300)], ids=str)
def test_corners_that_no_filter_can_have_are_refused(stage):
    with pytest.raises(ContractError, match="time constant is longer than 1 h"):
        stage.describe(StreamInfo.signal(250, 2))
