"""Reref against plain subtraction."""

import numpy as np
import pytest

from ranvier.channels import Reref
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo

SEED = 8202
GRID = [(0.01 * i, 0.01 * j, 0.0) for i in range(5) for j in range(5)]


def test_pairs_become_channels_of_their_own():
    x = np.random.default_rng(SEED).standard_normal((9, 4)).astype("f4")
    ok = np.random.default_rng(SEED).random((9, 4)) < 0.8
    channels = Channels.of(["C3", "Cz", "C4", "T"], ["eeg", "eeg", "eeg", "trigger"], positions=[*GRID[:3], None])
    run = Run(Reref("bipolar", pairs=(("C4", "Cz"), ("C3", "Cz"))), StreamInfo.signal(250, channels))
    out = run.push(Block(x, 0, ok))
    assert run.info.channels.names == ("C4-Cz", "C3-Cz")
    assert run.info.channels.positions == ((0.0, 0.015, 0.0), (0.0, 0.005, 0.0))
    np.testing.assert_array_equal(out.valid, np.stack([ok[:, 2] & ok[:, 1], ok[:, 0] & ok[:, 1]], axis=1))
    wanted = np.stack([x[:, 2] - x[:, 1], x[:, 0] - x[:, 1]], axis=1)
    np.testing.assert_array_equal(out.data, np.where(out.valid, wanted, 0))


def test_the_mean_of_named_channels_is_taken_from_every_electrode():
    x = np.random.default_rng(SEED).standard_normal((9, 5))
    info = StreamInfo.signal(250, Channels.of(["C3", "C4", "M1", "M2", "T"], ["eeg"] * 4 + ["trigger"]), dtype="f8")
    out = Run(Reref("channel", reference=("M1", "M2")), info).push(Block(x))
    np.testing.assert_allclose(out.data[:, :4], x[:, :4] - x[:, 2:4].mean(1, keepdims=True), rtol=0, atol=1e-15)
    np.testing.assert_array_equal(out.data[:, 4], x[:, 4])
    ok = np.ones((9, 5), bool)
    ok[3, 2] = False
    out = Run(Reref("channel", reference=("M?",)), info).push(Block(x, 0, ok))
    np.testing.assert_array_equal(~out.valid, np.outer(np.arange(9) == 3, [1, 1, 1, 1, 0]).astype(bool))


def test_one_reference_channel_is_plain_subtraction_to_the_bit():
    x = np.random.default_rng(SEED).standard_normal((9, 3)).astype("f4")
    out = Run(Reref("channel", reference=("ch001",)), StreamInfo.signal(250, 3)).push(Block(x))
    np.testing.assert_array_equal(out.data, x - x[:, 1:2])


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Reref("bipolar"), "needs pairs"),
        (Reref("bipolar", pairs=(("C3", "Cy"),)), "Did you mean"),
        (Reref("bipolar", pairs=(("C3", "C3"),)), "two different channels"),
        (Reref("bipolar", pairs=(("C3", "C*"),)), "two different channels"),
        (Reref("bipolar", pairs=(("C3", "T"),)), "one unit"),
        (Reref("channel"), "needs a reference"),
        (Reref("channel", reference=("A1",)), "got 'A1'"),
        (Reref("best"), "'bipolar' or 'channel'"),
    ],
)
def test_what_cannot_be_is_refused(stage, words):
    info = StreamInfo.signal(250, Channels.of(["C3", "Cz", "C4", "T"], ["eeg"] * 3 + ["trigger"], ["uV"] * 3 + ["1"]))
    with pytest.raises(ContractError) as e:
        stage.describe(info)
    assert words in str(e.value)
