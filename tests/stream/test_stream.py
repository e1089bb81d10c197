"""What flows: descriptions, blocks, events, clocks and trials behave as the design says."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.errors import ContractError, StateError
from ranvier.stream import (
    Block,
    Channels,
    Clock,
    ClockFit,
    EventInfo,
    Events,
    StreamInfo,
    Targets,
    Trials,
    all_valid,
    codes_of,
    concatenate,
    is_all_valid,
    merge_events,
)  # fmt: skip

INFO = StreamInfo.signal(250, Channels.of(["C3", "C4", "EOG"], kind=["eeg", "eeg", "eog"]))


def test_channels_are_found_by_name_kind_glob_and_index():
    c = INFO.channels
    assert c.find("C4") == [1]
    assert c.find("eeg") == [0, 1]
    assert c.find("C*") == [0, 1]
    assert c.find(2) == [2]
    assert c.find("Pz") == c.find(7) == []
    assert c.take([2, 0]).names == ("EOG", "C3")


def test_channels_refuse_double_names_and_missing_units():
    with pytest.raises(ContractError, match="'C3' more than once"):
        Channels.of(["C3", "C3"])
    with pytest.raises(ContractError, match="units"):
        Channels.of(["C3", "C4"], unit=["uV"])


def test_rate_is_exact():
    assert StreamInfo.signal("1000/3", 1).rate == Fraction(1000, 3)
    assert StreamInfo.signal(512.5, 1).rate == Fraction(1025, 2)


@pytest.mark.parametrize(("change", "text"), [({"rate": -1}, "rate >= 0"), ({"shape": (0,)}, "positive"),
                                             ({"shape": (5,)}, "one channel for each")])  # fmt: skip
def test_stream_info_refuses_nonsense(change, text):
    with pytest.raises(ContractError, match=text):
        INFO.but(**change)


def test_all_valid_takes_no_memory_and_is_recognised():
    mask = all_valid((1000, 64))
    assert mask.strides == (0, 0)
    assert is_all_valid(mask)
    assert not is_all_valid(np.ones((3, 2), bool))
    assert not is_all_valid(np.broadcast_to(np.zeros((), bool), (3, 2)))


def test_block_broadcasts_its_mask_and_refuses_others():
    data = np.zeros((4, 3))
    assert Block(data, 0, np.ones((4, 1), bool)).valid.shape == (4, 3)
    with pytest.raises(ContractError, match="broadcasts"):
        Block(data, 0, np.ones((2, 3), bool))
    with pytest.raises(ContractError, match="uint8"):
        Block(data, 0, np.ones((4, 3), np.uint8))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(0, 1000))
def test_blocks_cut_and_join_to_themselves(lengths, start):
    rng = np.random.default_rng(sum(lengths))
    data = rng.standard_normal((sum(lengths), 2))
    valid = rng.random(data.shape) > 0.2
    whole = Block(data, start, valid)
    ends = np.cumsum([0, *lengths])
    parts = [whole.cut(a, b) for a, b in pairwise(ends)]
    joined = concatenate(parts)
    assert joined.start == start
    assert np.array_equal(joined.data, data)
    assert np.array_equal(joined.valid, valid)


@given(st.lists(st.integers(0, 99), max_size=20), st.lists(st.integers(0, 100), min_size=1, max_size=5))
def test_events_cut_and_join_to_themselves(samples, edges):
    events = Events.at(samples, start=0, stop=100)
    edges = [0, *sorted(edges), 100]
    parts = [events.cut(a, b) for a, b in pairwise(edges)]
    joined = merge_events(parts)
    assert (joined.start, joined.stop) == (0, 100)
    assert joined.table["sample"].tolist() == sorted(samples)


def test_codes_are_found_by_glob():
    info = EventInfo.of(INFO, {1: "cue/left", 2: "cue/right", 3: "rest"})
    assert codes_of(info, "cue/*") == [1, 2]
    assert codes_of(info, ["rest", "cue/left"]) == [1, 3]


def test_clock_never_changes_an_earlier_answer():
    clock = Clock(ClockFit(since=0, index=0, time=10.0, period=0.004, uncertainty=1e-4))
    before = [clock.time_of(i) for i in range(0, 1000, 100)]
    clock.add(ClockFit(since=1000, index=1000, time=14.01, period=0.00401, uncertainty=1e-5))
    assert [clock.time_of(i) for i in range(0, 1000, 100)] == before
    assert clock.time_of(1100) == pytest.approx(14.01 + 0.401, abs=1e-12)
    assert clock.index_of(clock.time_of(1500)) == pytest.approx(1500, abs=1e-6)
    assert clock.index_of(clock.time_of(500)) == pytest.approx(500, abs=1e-6)
    with pytest.raises(StateError, match="in order"):
        clock.add(ClockFit(since=1000, index=0, time=0, period=1, uncertainty=0))


def trials(n=6, group="r1"):
    info = EventInfo.of(INFO, {1: "left", 2: "right", 3: "rest"})
    events = Events.at([100 * i for i in range(n)], [1 + i % 3 for i in range(n)])
    return Trials.from_events(events, info, {"left": "L", "r*t": "R"}, tmin=0.5, tmax=1.5, group=group)


def test_trials_come_from_labels_and_know_their_samples():
    t = trials()
    assert t.label.tolist() == ["L", "R", "R", "L", "R", "R"]
    assert t.begin.tolist() == [125 + 100 * i for i in range(6)]
    assert (t.end - t.begin).tolist() == [250] * 6
    assert t.classes == ("L", "R")
    both = Trials.concatenate([t, t[:2]])
    assert both.recording.tolist() == [0] * 6 + [1] * 2


def test_trials_refuse_unknown_labels_and_unlike_cuts():
    info = EventInfo.of(INFO, {1: "left"})
    with pytest.raises(ContractError, match="'left'"):
        Trials.from_events(Events.at([1], [1]), info, "right", tmin=0, tmax=1)
    with pytest.raises(ContractError, match="tmin < tmax"):
        Trials.from_events(Events.at([1], [1]), info, "left", tmin=1, tmax=1)
    a = trials()
    with pytest.raises(ContractError, match="one tmin"):
        Trials.concatenate([a, Trials.from_events(Events.at([1], [1]), info, "left", tmin=0, tmax=1)])


def test_targets_are_cut_by_source_sample():
    t = Targets(names=("x",), units=("cm",), values=np.arange(10.0)[:, None], start=5)
    part = t.cut(8, 100)
    assert (part.start, part.stop) == (8, 15)
    assert part.values[0, 0] == 3.0
