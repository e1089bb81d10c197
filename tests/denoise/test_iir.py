"""The recursive filters against scipy's sosfilt, primed as by sosfilt_zi; what they refuse."""

import numpy as np
import pytest
from scipy import signal

from ranvier.denoise import Bandpass, Highpass, Lowpass, Notch
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, StreamInfo

SEED = 8401


def sosfilt(sections, x):
    """Filter with scipy in double precision, as if the first sample had been there for ever."""
    sections = np.asarray(sections)
    zi = signal.sosfilt_zi(sections)[:, :, None] * x[0].astype(float)
    return signal.sosfilt(sections, x.astype(float), axis=0, zi=zi)[0]


CASES = [
    (Bandpass(8, 30), 250, "f4", lambda r: signal.butter(4, (8, 30), "bandpass", fs=r, output="sos")),
    (Bandpass(300, 6000), 30_000, "f4", lambda r: signal.butter(4, (300, 6000), "bandpass", fs=r, output="sos")),
    (Highpass(1), 250, "f4", lambda r: signal.butter(2, 1, "highpass", fs=r, output="sos")),
    (Highpass(1), 250, "f8", lambda r: signal.butter(2, 1, "highpass", fs=r, output="sos")),
    (Lowpass(40), 1000, "f4", lambda r: signal.butter(4, 40, fs=r, output="sos")),
    (Notch(50, harmonics=2), 250, "f8", lambda r: np.concatenate([signal.tf2sos(*signal.iirnotch(f, 0.6 * f, r))
                                                                  for f in (50, 100)])),  # all as wide as the first
]  # fmt: skip


@pytest.mark.parametrize(("stage", "rate", "dtype", "scipys"), CASES, ids=lambda v: type(v).__name__)
def test_equals_sosfilt_of_scipys_own_design(stage, rate, dtype, scipys):
    """At the edge of what is meant: 20 mV of offset on 20 uV of signal, from the very first sample."""
    rng = np.random.default_rng(SEED)
    x = (20 * rng.standard_normal((6000, 3)) + [0, 20_000, -300]).astype(dtype)
    out = Run(stage, StreamInfo.signal(rate, 3, dtype=dtype)).push(Block(x))
    wanted = sosfilt(scipys(rate), x)
    limit = np.abs(x).max(axis=0) * (1e-9 if dtype == "f8" else 2e-5)
    assert out.valid[-4000:].all()
    assert np.all(np.abs(out.data - wanted)[out.valid] < np.broadcast_to(limit, x.shape)[out.valid])


@pytest.mark.parametrize(("stage", "wanted"), [(Highpass(1), 0.0), (Notch(50, harmonics=2), 20_000.0)])
def test_a_constant_leaves_no_transient(stage, wanted):
    out = Run(stage, StreamInfo.signal(250, 3, dtype="f8")).push(Block(np.full((2000, 3), 20_000.0)))
    np.testing.assert_allclose(out.data[out.valid], wanted, atol=1e-6)


def test_an_invalid_stretch_is_a_fresh_start_of_that_channel_alone():
    rng = np.random.default_rng(SEED)
    x, ok = 20 * rng.standard_normal((900, 2)), np.ones((900, 2), bool)
    ok[300:400, 0] = False
    out = Run(Highpass(1), StreamInfo.signal(250, 2, dtype="f8")).push(Block(x, 0, ok))
    settle = Highpass(1).describe(StreamInfo.signal(250, 2)).settle
    assert not out.valid[300 : 400 + settle, 0].any()
    assert out.valid[400 + settle :, 0].all()
    again = sosfilt(Highpass(1).sections(250), x[400:])
    np.testing.assert_allclose(out.data[400 + settle :, 0], again[settle:, 0], atol=1e-9)
    np.testing.assert_allclose(out.data[settle:, 1], sosfilt(Highpass(1).sections(250), x)[settle:, 1], atol=1e-9)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Bandpass(8, 300), "Bandpass needs 0 < low < high < rate/2; got low=8 Hz, high=300 Hz, rate=250 Hz"),
        (Bandpass(30, 8), "0 < low < high"),
        (Bandpass(8, 30, 0), "order"),
        (Highpass(0), "0 < low < 125 Hz; got low=0 Hz"),
        (Lowpass(125), "high < 125 Hz; got high=125 Hz"),
        (Notch(130), "frequency < 125 Hz"),
        (Notch(50, quality=0), "quality"),
        (Notch(50, harmonics=0), "harmonics >= 1; got 0"),
    ],
)
def test_what_cannot_be_is_refused(stage, words):
    with pytest.raises(ContractError) as e:
        stage.describe(StreamInfo.signal(250, 2))
    assert words in str(e.value)
