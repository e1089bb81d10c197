"""Laplacian against the known one of a field, and a definition in numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.channels import Laplacian
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo

GRID = [(0.01 * i, 0.01 * j, 0.0) for i in range(5) for j in range(5)]
SQUARE = StreamInfo.signal(250, Channels.of(25, "ecog", positions=GRID), dtype="f8")


@pytest.mark.parametrize("weights", ["mean", "distance"])
def test_a_linear_field_has_no_laplacian_and_a_parabola_has_a_known_one(weights):
    place = np.array(GRID)
    inside = [i for i, p in enumerate(GRID) if all(0.005 < v < 0.035 for v in p[:2])]
    plane = 3 + place @ [200.0, -50.0, 0.0]
    bowl = 1e4 * (place[:, 0] ** 2 + place[:, 1] ** 2)
    out = Run(Laplacian(weights=weights, fade=0.0), SQUARE).push(Block(np.stack([plane, bowl]))).data[:, inside]
    np.testing.assert_allclose(out[0], 0, atol=1e-12)
    np.testing.assert_allclose(out[1], -1e4 * 0.01**2, rtol=1e-9)  # -h^2/4 of the field's Laplacian, 4e4


@given(st.integers(1, 8), st.sampled_from(["mean", "distance"]), st.integers(0, 2**32 - 1))
def test_invalid_neighbours_are_left_out_and_the_weights_brought_to_one(neighbours, weights, seed):
    rng = np.random.default_rng(seed)
    x, ok = rng.standard_normal((6, 25)), rng.random((6, 25)) < 0.5
    stage = Laplacian(neighbours, weights, fade=0.0)
    out = Run(stage, SQUARE).push(Block(x, 0, ok))
    place = np.array(GRID)
    for i in range(25):
        apart = np.round(np.linalg.norm(place - place[i], axis=1), 9)
        near = [j for j in sorted(range(25), key=lambda j: (apart[j], j)) if j != i][:neighbours]
        for t in range(6):
            those = [j for j in near if ok[t, j]]
            assert out.valid[t, i] == bool(ok[t, i] and those)
            if out.valid[t, i]:
                w = 1 / apart[those] if weights == "distance" else None
                assert out.data[t, i] == pytest.approx(x[t, i] - np.average(x[t, those], weights=w), abs=1e-12)


def test_a_missing_neighbour_does_not_let_a_constant_through():
    """Negative control of the weights: without bringing them to one, a quarter of an offset would remain."""
    x, ok = np.full((3, 25), 20_000.0), np.ones((3, 25), bool)
    ok[:, 7] = False
    out = Run(Laplacian(fade=0.0), SQUARE).push(Block(x, 0, ok))
    np.testing.assert_allclose(out.data, 0, atol=1e-9)
