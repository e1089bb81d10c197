"""The limit up to which filters run in single precision: measured against double precision."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pytest
from scipy import signal

from ranvier.denoise import Bandpass, Highpass, Lowpass, Notch, _iir
from ranvier.denoise._design import decay, sensitivity
from ranvier.denoise._iir import cascade
from ranvier.stage import ChannelStage, Run
from ranvier.stream import Block, StreamInfo

SEED = 8501


@final
@dataclass(frozen=True, eq=False)
class Cascade(ChannelStage):
    """Sections in a given precision, nothing masked."""

    sections: np.ndarray
    precision: str

    def steps(self, info):
        return cascade(self.sections, self.precision)


def snr(stage, rate, n=60_000, precision="f4"):
    """How far the rounding of a precision lies below the output, in dB, on white noise."""
    sections = np.asarray(stage.sections(rate))
    x = (20 * np.random.default_rng(SEED).standard_normal((n, 4))).astype("f4")
    out = Run(Cascade(sections, precision), StreamInfo.signal(rate, 4)).push(Block(x)).data
    zi = signal.sosfilt_zi(sections)[:, :, None] * x[0].astype(float)
    wanted = signal.sosfilt(sections, x.astype(float), axis=0, zi=zi)[0]
    settled = slice(decay(sections, 1e-2), None)
    assert n - settled.start > n / 3
    return 10 * np.log10((wanted[settled] ** 2).mean() / ((out - wanted)[settled] ** 2).mean())


def precisions(stage, rate):
    return {s.precision for s in stage.steps(StreamInfo.signal(rate, 1))}


def near_limit(make, low, high):
    """Find by bisection the parameter at which the sensitivity is just below the limit."""
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if sensitivity(make(middle).sections(1000.0)) <= _iir.FLOAT32_SAFE else (middle, high)
    return make(high)


FAMILIES = {
    "high-pass": (lambda f: Highpass(f), 0.1, 100),
    "high-pass below Nyquist": (lambda f: Highpass(500 - f), 0.1, 100),
    "low-pass": (lambda f: Lowpass(f), 0.1, 100),
    "low-pass below Nyquist": (lambda f: Lowpass(500 - f), 0.1, 100),
    "one octave": (lambda f: Bandpass(f, 2 * f), 0.5, 100),
    "a fifth of the frequency": (lambda f: Bandpass(f, 1.2 * f), 1, 200),
    "wide band": (lambda f: Bandpass(f, 200), 0.1, 100),
    "narrow band at 250 Hz": (lambda w: Bandpass(250 - w / 2, 250 + w / 2, 2), 0.2, 100),
    "narrow band at 30 Hz": (lambda w: Bandpass(30 - w / 2, 30 + w / 2, 2), 0.2, 30),
    "notch": (lambda f: Notch(f, 5), 0.5, 100),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_at_the_limit_single_precision_keeps_90_db(family):
    stage = near_limit(*FAMILIES[family])
    assert 0.97 * _iir.FLOAT32_SAFE < sensitivity(stage.sections(1000.0)) <= _iir.FLOAT32_SAFE
    assert precisions(stage, 1000) == {"f4"}
    assert snr(stage, 1000) >= 90


def test_far_beyond_the_limit_single_precision_fails_and_is_not_used():
    """Negative control: 0.5 Hz at 30 kHz. Below 30 dB in single precision, above 90 dB in double, as it is done."""
    stage = Highpass(0.5)
    assert snr(stage, 30_000, 200_000) < 30
    assert snr(stage, 30_000, 200_000, "f8") > 90
    assert precisions(stage, 30_000) == {"f8"}


def test_the_spike_band_runs_in_single_precision():
    assert precisions(Bandpass(300, 6000), 30_000) == {"f4"}
    assert snr(Bandpass(300, 6000), 30_000) > 100


@pytest.mark.parametrize(("stage", "rate"), [(Highpass(0.1), 250), (Bandpass(0.5, 40), 1000), (Lowpass(1), 1000)])
def test_slow_filters_run_in_double_precision(stage, rate):
    assert precisions(stage, rate) == {"f8"}
