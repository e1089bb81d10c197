"""Deskew against sines whose true value is known, and for what it is there: a common mode that a mean takes away."""

import numpy as np
import pytest

from ranvier.channels import CommonReference, Deskew
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo

RATE, CYCLES = 30_000, 13
ORDER = tuple(k % CYCLES for k in range(26))
INFO = StreamInfo.signal(RATE, Channels.of(26, "spikes"), dtype="f8")
LATE = np.array(ORDER) / CYCLES  # samples


def sine(f, n=600, late=LATE):
    """Return a sine at `f` Hz, each channel sampled `late` samples after the sample's time."""
    return np.sin(2 * np.pi * f / RATE * (np.arange(n)[:, None] + late[None]) + 0.4)


@pytest.mark.parametrize("f", [0.0, 300.0, 1000.0, 3000.0, 6000.0, 10_000.0])
def test_a_sine_is_brought_to_one_instant(f):
    stage = Deskew.mux(ORDER, CYCLES, RATE)
    out = Run(stage, INFO).push(Block(sine(f)))
    assert not out.valid[:31].any()
    assert out.valid[31:].all()
    wanted = sine(f, late=np.zeros(26))[31 - 15 : -15]
    assert np.abs(out.data[31:] - wanted).max() < 1e-4  # -80 dB
    plain = np.abs(sine(f)[31 - 15 : -15] - wanted).max()
    assert f == 0 or plain > 0.03  # negative control: the skew itself is no small matter


def test_a_common_mode_goes_only_after_it():
    x = sine(6000.0)
    worse = Run(CommonReference(), INFO).push(Block(x)).data[31:]
    better = Run(Deskew.mux(ORDER, CYCLES, RATE) | CommonReference(), INFO).push(Block(x)).data[31:]
    assert np.abs(better).max() < 1e-4 < 0.3 < np.abs(worse).max()


def test_a_channel_without_delay_is_passed_on_to_the_bit():
    x = np.random.default_rng(5302).standard_normal((200, 26)).astype("f4")
    out = Run(Deskew.mux(ORDER, CYCLES, RATE), INFO.but(dtype=np.dtype("f4"))).push(Block(x))
    np.testing.assert_array_equal(out.data[31:, [0, 13]], x[16:-15, [0, 13]])
    assert Deskew.mux(ORDER, CYCLES, RATE).describe(INFO).delay * RATE == 15


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Deskew((0.0,) * 3).describe(INFO), "3 for 26 channels"),
        (lambda: Deskew((1.0,) * 26).describe(INFO), "below one sample"),
        (lambda: Deskew((0.0,) * 26, taps=7).describe(INFO), "even number"),
        (lambda: Deskew.mux((0, 13), 13, RATE), "from 0 to cycles - 1"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ContractError) as e:
        make()
    assert words in str(e.value)


@pytest.mark.parametrize(("model", "turns"), [("NP1000", 13), ("NP2000", 16)])
def test_delays_of_a_neuropixels_probe(model, turns):
    """Published: 13 turns a sample with a slow band (1.0), 16 without (2.0); two neighbours are read together."""
    tools = pytest.importorskip("probeinterface.neuropixels_tools")
    probe = tools.build_neuropixels_probe(model).get_slice(np.arange(384))
    with pytest.raises(ContractError, match="no num_channels_per_adc, adc_sample_order"):
        Deskew.of_probe(probe)
    tools._annotate_probe_with_adc_sampling_info(probe, probe.annotations["adc_sampling_table"])
    delays = np.array(Deskew.of_probe(probe).delays) * 30_000 * turns
    np.testing.assert_allclose(delays[:8], [0, 0, 1, 1, 2, 2, 3, 3], atol=1e-9)
    assert len(delays) == 384
    peer = pytest.importorskip("spikeinterface.extractors.neuropixels_utils")
    np.testing.assert_allclose(delays / turns, peer.get_neuropixels_sample_shifts_from_probe(probe), atol=1e-12)
