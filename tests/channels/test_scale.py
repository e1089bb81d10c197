"""Scale: one multiplication, rounded once, in the precision that comes out."""

import numpy as np
import pytest

from ranvier.channels import Scale
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo


def test_counts_become_microvolts_rounded_once():
    x = np.arange(-32768, 32768, dtype="i2").reshape(-1, 4)
    info = StreamInfo.signal(30_000, Channels.of(4, "spikes", "count"), dtype="i2")
    run = Run(Scale(0.195), info)
    out = run.push(Block(x))
    assert run.info.channels.units == ("uV",) * 4
    np.testing.assert_array_equal(out.data, x.astype("f4") * np.float32(0.195))
    np.testing.assert_allclose(out.data, x * 0.195, rtol=1.2e-7)


def test_one_gain_a_channel():
    x = np.random.default_rng(3).standard_normal((7, 3))
    info = StreamInfo.signal(250, 3, dtype="f8")
    out = Run(Scale((1e-3, 2.0, -1.0), "mV"), info).push(Block(x))
    np.testing.assert_array_equal(out.data, x * [1e-3, 2.0, -1.0])


@pytest.mark.parametrize(("gain", "words"), [((1.0, 2.0), "got 2"), (0.0, "got 0"), (float("nan"), "got nan")])
def test_gains_that_cannot_be_are_refused(gain, words):
    with pytest.raises(ContractError, match=f"Scale needs.*{words}"):
        Scale(gain).describe(StreamInfo.signal(250, 3))


def test_a_unit_is_needed():
    with pytest.raises(ContractError, match="unit"):
        Scale(1.0, "").describe(StreamInfo.signal(250, 3))
