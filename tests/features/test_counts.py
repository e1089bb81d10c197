"""BinnedCounts against numpy's histogram."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.errors import ContractError
from ranvier.features import BinnedCounts
from ranvier.stage import Run
from ranvier.stream import EVENT, EventInfo, Events, Origin, StreamInfo, concatenate

INFO = EventInfo.of(StreamInfo.signal(1000, 3), {0: "spike"}, sources=("a", "b", "c"))


def events(seed, start, stop, n):
    rng = np.random.default_rng(seed)
    table = np.zeros(n, EVENT)
    table["sample"] = np.sort(rng.integers(start, stop, n))
    table["source"] = rng.integers(0, 3, n)
    return Events(start, stop, table)


def wanted(e, bin_length):
    first, last = -(-e.start // bin_length), e.stop // bin_length
    t = e.table
    edges = np.arange(first, last + 2) * bin_length  # one more: numpy closes the last bin
    return first, np.stack([np.histogram(t["sample"][t["source"] == s], edges)[0][:-1] for s in range(3)], axis=1)


@given(st.integers(0, 90), st.integers(100, 400), st.integers(0, 120), st.lists(st.integers(0, 70), max_size=9))
def test_equals_a_histogram_in_every_cut(start, length, n, cuts):
    e = events(61, start, start + length, n)
    first, counts = wanted(e, 20)
    run, out, at = Run(BinnedCounts(0.02), INFO), [], start
    for k in [*cuts, length]:
        out.append(run.push(e.cut(at, min(at + k, e.stop))))
        at = min(at + k, e.stop)
    joined = concatenate(out)
    assert joined.start == first
    np.testing.assert_array_equal(joined.data, counts)


def test_time_passes_without_events():
    run = Run(BinnedCounts(0.02), INFO)
    run.push(Events.at([3], stop=5))
    out = run.push(Events(5, 70))
    assert out.start == 0
    np.testing.assert_array_equal(out.data, [[1, 0, 0], [0, 0, 0], [0, 0, 0]])


def test_a_bin_comes_out_with_its_last_sample():
    run = Run(BinnedCounts(0.02), INFO)
    assert run.push(Events(0, 19)).n == 0
    assert run.push(Events(19, 20)).n == 1


def test_a_jump_drops_the_bin_that_was_begun():
    run = Run(BinnedCounts(0.02), INFO)
    run.push(Events.at([21, 25], stop=30))
    e = events(62, 1007, 1100, 50)
    out = run.push(e)
    first, counts = wanted(e, 20)
    assert out.start == first == 51
    np.testing.assert_array_equal(out.data, counts)


def test_origin_of_bins_of_spikes_in_a_decimated_stream():
    slow = INFO.but(
        rate=Fraction(250),
        origin=Origin(source="signal", rate=Fraction(1000), step=Fraction(4), offset=Fraction(3), span=4),
    )
    out = BinnedCounts(0.02).describe(slow)
    assert (out.rate, out.origin.step, out.origin.offset, out.origin.span) == (50, 20, 19, 20)
    assert out.channels.names == ("a", "b", "c")
    assert out.channels.units == ("1",) * 3


LOSS = INFO.but(labels={0: "spike", 1: "lost", 2: "back"})


@given(st.integers(0, 90), st.integers(100, 400), st.integers(0, 30), st.lists(st.integers(0, 70), max_size=9))
def test_bins_are_valid_where_each_sample_was_heard(start, length, n, cuts):
    e = events(63, start, start + length, n)
    e.table["code"] = np.random.default_rng(64).integers(0, 3, n)
    first, last = -(-e.start // 20), e.stop // 20
    heard = np.zeros((length, 3), bool)
    for row in e.table:  # each change holds from its sample on
        if row["code"]:
            heard[row["sample"] - start :, row["source"]] = row["code"] == 2
    spikes = Events(e.start, e.stop, e.table[e.table["code"] == 0])
    run, out, at = Run(BinnedCounts(0.02), LOSS), [], start
    for k in [*cuts, length]:
        out.append(run.push(e.cut(at, min(at + k, e.stop))))
        at = min(at + k, e.stop)
    joined = concatenate(out)
    np.testing.assert_array_equal(joined.data, wanted(spikes, 20)[1])
    whole = [heard[b * 20 - start : (b + 1) * 20 - start].all(axis=0) for b in range(first, last)]
    np.testing.assert_array_equal(joined.valid, np.reshape(whole, (-1, 3)))


def test_a_channel_can_be_lost_without_ever_having_been_back():
    run = Run(BinnedCounts(0.02), INFO.but(labels={0: "spike", 7: "lost"}))
    out = run.push(Events.at([3, 40], codes=[0, 7], stop=60))
    assert out.valid.tolist() == [[True] * 3, [True] * 3, [False, True, True]]
    assert out.data[0].tolist() == [1, 0, 0]


def test_other_labels_are_all_counted_and_valid():
    run = Run(BinnedCounts(0.02), INFO.but(labels={0: "left", 1: "lost"}))
    out = run.push(Events.at([3, 4], codes=[0, 1], stop=20))
    assert out.data.tolist() == [[2, 0, 0]]
    assert out.valid.all()


def test_bins_below_a_sample_and_signals_are_refused():
    with pytest.raises(ContractError, match="BinnedCounts needs length of at least 1 sample"):
        BinnedCounts(0.0001).describe(INFO)
    with pytest.raises(ContractError, match="needs events; got the signal"):
        BinnedCounts(0.02).describe(StreamInfo.signal(1000, 3))
