"""Window against plain slicing."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.errors import ContractError
from ranvier.features import Covariance, Window
from ranvier.stage import Run
from ranvier.stream import Block, EventInfo, Origin

from .helpers import in_cuts, noise, signal, whole


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 90), st.lists(st.integers(0, 40), max_size=8))
def test_window_k_is_the_slice_from_k_hops_on(length, hop, start, cuts):
    x, info = noise(1, 150, 3), signal(100, 3)
    valid = np.random.default_rng(2).random(x.shape) > 0.1
    out = in_cuts(Window(length / 100, hop / 100), info, x, cuts, start, valid)
    first = -(-start // hop)
    wanted = [k for k in range(first, 400) if k * hop + length <= start + len(x)]
    assert out.start == first
    assert out.n == len(wanted)
    for got, ok, k in zip(out.data, out.valid, wanted, strict=True):
        place = slice(k * hop - start, k * hop - start + length)
        np.testing.assert_array_equal(ok, valid[place])
        np.testing.assert_array_equal(got, np.where(valid[place], x[place], 0))


def test_origin_is_composed_through_decimated_streams():
    info = signal(250, 2)
    slow = info.but(
        rate=Fraction(50),
        origin=Origin(source="signal", rate=info.rate, step=Fraction(5), offset=Fraction(3), span=7),
        support=40,
        settle=20,
    )
    out = Window(0.2, 0.1).describe(slow)
    assert (out.shape, out.rate) == ((10, 2), 10)
    # window k ends with sample 5k + 9 of the slow stream, which sees source sample 5 * (5k + 9) + 3
    assert [out.origin.newest(k) for k in range(3)] == [5 * (5 * k + 9) + 3 for k in range(3)]
    assert out.origin.span == 7 + 9 * 5
    assert (out.support, out.settle) == (40 + 45, 20 + 45)


def test_lengths_in_seconds_are_rounded_to_samples():
    out = Window(0.1, 0.05).describe(signal(256, 1))
    assert out.shape == (26, 1)
    assert out.origin.step == 13


def test_a_jump_of_the_index_begins_anew():
    x, info = noise(3, 60, 2), signal(100, 2)
    run = Run(Window(0.1, 0.05), info)
    run.push(Block(x[:33], 0))
    out = run.push(Block(x, 1003))
    fresh = whole(Window(0.1, 0.05), info, x, 1003)
    assert out.start == fresh.start == 201
    np.testing.assert_array_equal(out.data, fresh.data)


@pytest.mark.parametrize(
    ("length", "hop"), [(0.0, 0.1), (-1, 0.1), (0.001, 0.1), (1, 0), (float("nan"), 0.1), (1, float("inf"))]
)
def test_lengths_below_a_sample_are_refused(length, hop):
    with pytest.raises(ContractError, match=r"needs .* got .* s\."):
        Window(length, hop).describe(signal(250, 2))


def test_windows_of_windows_and_of_events_are_refused():
    info = signal(250, 2)
    with pytest.raises(ContractError, match="needs a signal"):
        Window(1, 0.5).describe(Window(1, 0.5).describe(info))
    with pytest.raises(ContractError, match="needs a signal"):
        Window(1, 0.5).describe(EventInfo.of(info, {}))


def test_views_of_long_windows_take_no_memory_of_their_own():
    info = signal(1000, 4)
    x = noise(4, 20_000, 4)
    out = Run(Window(1.0, 0.001), info).step(Block(x))
    assert out.n == 19_001
    assert out.data.strides[0] == x.strides[0]
    assert Covariance().describe(Window(1.0, 0.001).describe(info)).shape == (4, 4)
