"""Reref against plain subtraction, a matrix, and the Laplacian of a known field."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.channels import Reref
from ranvier.errors import ContractError
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo

SEED = 8202
GRID = [(0.01 * i, 0.01 * j, 0.0) for i in range(5) for j in range(5)]
SQUARE = StreamInfo.signal(250, Channels.of(25, "ecog", positions=GRID), dtype="f8")


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


@pytest.mark.parametrize("weights", ["mean", "distance"])
def test_a_linear_field_has_no_laplacian_and_a_parabola_has_a_known_one(weights):
    place = np.array(GRID)
    inside = [i for i, p in enumerate(GRID) if all(0.005 < v < 0.035 for v in p[:2])]
    plane = 3 + place @ [200.0, -50.0, 0.0]
    bowl = 1e4 * (place[:, 0] ** 2 + place[:, 1] ** 2)
    out = Run(Reref("laplacian", weights=weights), SQUARE).push(Block(np.stack([plane, bowl]))).data[:, inside]
    np.testing.assert_allclose(out[0], 0, atol=1e-12)
    np.testing.assert_allclose(out[1], -1e4 * 0.01**2, rtol=1e-9)  # -h^2/4 of the field's Laplacian, 4e4


@given(st.integers(1, 8), st.sampled_from(["mean", "distance"]), st.integers(0, 2**32 - 1))
def test_invalid_neighbours_are_left_out_and_the_weights_brought_to_one(neighbours, weights, seed):
    rng = np.random.default_rng(seed)
    x, ok = rng.standard_normal((20, 25)), rng.random((20, 25)) < 0.5
    stage = Reref("laplacian", neighbours=neighbours, weights=weights)
    out = Run(stage, SQUARE).push(Block(x, 0, ok))
    place = np.array(GRID)
    for i in range(25):
        apart = np.round(np.linalg.norm(place - place[i], axis=1), 7)
        near = [j for j in sorted(range(25), key=lambda j: (apart[j], j)) if j != i][:neighbours]
        for t in range(20):
            those = [j for j in near if ok[t, j]]
            assert out.valid[t, i] == bool(ok[t, i] and those)
            if out.valid[t, i]:
                w = 1 / apart[those] if weights == "distance" else None
                assert out.data[t, i] == pytest.approx(x[t, i] - np.average(x[t, those], weights=w), abs=1e-12)


def test_a_missing_neighbour_does_not_let_a_constant_through():
    """Negative control of the weights: without bringing them to one, a quarter of an offset would remain."""
    x, ok = np.full((3, 25), 20_000.0), np.ones((3, 25), bool)
    ok[:, 7] = False
    out = Run(Reref("laplacian"), SQUARE).push(Block(x, 0, ok))
    np.testing.assert_allclose(out.data, 0, atol=1e-9)


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
        (Reref("laplacian", neighbours=2), "needs positions"),
        (Reref("best"), "'bipolar', 'channel' or 'laplacian'"),
    ],
)
def test_what_cannot_be_is_refused(stage, words):
    info = StreamInfo.signal(250, Channels.of(["C3", "Cz", "C4", "T"], ["eeg"] * 3 + ["trigger"], ["uV"] * 3 + ["1"]))
    with pytest.raises(ContractError) as e:
        stage.describe(info)
    assert words in str(e.value)


def test_laplacians_need_enough_electrodes_at_different_places():
    with pytest.raises(ContractError, match=r"neighbours < 25 .*got 25"):
        Reref("laplacian", neighbours=25).describe(SQUARE)
    twice = Channels.of(3, positions=[GRID[0], GRID[0], GRID[1]])
    with pytest.raises(ContractError, match="different places"):
        Reref("laplacian", neighbours=2, weights="distance").describe(StreamInfo.signal(250, twice))
    with pytest.raises(ContractError, match="needs electrodes"):
        Reref("laplacian").describe(StreamInfo.signal(250, Channels.of(3, "trigger")))
