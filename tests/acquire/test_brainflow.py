"""BrainFlow's own boards through ours: made up, played back, and its counter unwrapped."""

import time

import numpy as np
import pytest

from ranvier.acquire import BrainFlow, Counters, Mark, Packet
from ranvier.acquire._unwrap import Unwrap
from ranvier.errors import ConfigError, DeviceError
from ranvier.testing import check_source

RATE = 250.0


def library():
    try:
        from brainflow import board_shim
    except ImportError as e:
        pytest.skip(f"BrainFlow is not there: {e} (Python 3.11 needs setuptools<80)")
    return board_shim


def gather(source, n, limit=20.0):
    out, end = [], time.monotonic() + limit
    while sum(len(p.samples) for p in out if isinstance(p, Packet)) < n:
        assert time.monotonic() < end
        out += source.read(0.2)
    return [p for p in out if isinstance(p, Packet)], [m for m in out if isinstance(m, Mark)]


def test_synthetic_board():
    library()
    with BrainFlow("synthetic", rows="all") as source:
        assert source.info.rate == 250
        assert source.info.dtype == np.float64
        assert source.info.channels.names[:3] == ("Fz", "C3", "Cz")
        assert source.info.channels.kinds[-1] == "motion"
        assert source.info.channels.units[16] == "g"
        assert source.settings["counter"] == "0 to 255 by 1"
        source._shim.insert_marker(7.0)
        packets, marks = gather(source, 300)
    starts = [p.start for p in packets]
    assert starts == [starts[0] + sum(len(q.samples) for q in packets[:k]) for k in range(len(packets))]
    assert source.counters.wraps >= 1
    assert source.counters.lost == 0
    assert [m.label for m in marks] == ["7"]


def test_playback_board_gives_the_numbers_of_its_file(tmp_path):
    flow = library()
    shim = flow.BoardShim
    rows = shim.get_num_rows(flow.BoardIds.SYNTHETIC_BOARD)
    table = np.random.default_rng(0).standard_normal((rows, 120)) * 50
    table[shim.get_package_num_channel(flow.BoardIds.SYNTHETIC_BOARD)] = np.arange(200, 320) % 256
    table[shim.get_timestamp_channel(flow.BoardIds.SYNTHETIC_BOARD)] = 1e9 + np.arange(120) / 250
    table[shim.get_marker_channel(flow.BoardIds.SYNTHETIC_BOARD)] = 0
    file = tmp_path / "played.csv"
    from brainflow.data_filter import DataFilter

    DataFilter.write_file(table, str(file), "w")
    played = DataFilter.read_file(str(file))
    exg = shim.get_exg_channels(flow.BoardIds.SYNTHETIC_BOARD)
    with BrainFlow("playback_file", file=str(file), master_board="synthetic", counter=256) as source:
        packets, _ = gather(source, 100)
    got = np.concatenate([p.samples for p in packets])
    first = packets[0].start
    assert np.array_equal(got, played[exg].T[first - 200 : first - 200 + len(got)])
    assert source.counters.lost == 0


def test_conformance():
    library()
    check_source(lambda: BrainFlow("synthetic"))


def test_unknown_boards_and_ports_are_told():
    library()
    with pytest.raises(ConfigError, match=r"needs a board that it knows: .*synthetic.*; got 'toaster'"):
        BrainFlow("toaster").open()
    with pytest.raises(DeviceError, match="cannot reach 'cyton'"):
        BrainFlow("cyton", serial_port="/dev/nowhere").open()


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_wall_clock_that_is_set_moves_no_index(jump):
    source = BrainFlow("synthetic")
    source._rows = {"data": [1, 2], "number": 0, "time": 3, "marker": -1}
    unwrap = Unwrap(256, 1, RATE)
    table = np.zeros((4, 600))
    table[0], table[3] = np.arange(600) % 256, 1e9 + np.arange(600) / RATE
    table[3, 300:] += jump
    found = []
    for k in range(0, 600, 50):
        found += source._packets(table[:, k : k + 50], unwrap, int((k + 50) / RATE * 1e9))
    assert [p.start for p in found] == list(range(0, 600, 50))
    assert source.counters.lost == 0


@pytest.mark.parametrize(("modulus", "step"), [(256, 1), (256, 2), (128, 1)])
def test_unwrap_counts_on_over_wraps_losses_and_silences(modulus, step):
    rng = np.random.default_rng(1)
    sent = np.cumsum(rng.choice([1, 1, 1, 1, 2, 5, 40, 300, 1000], 500)) - 1
    sent -= sent[0]
    counters, unwrap = Counters(), Unwrap(modulus, step, RATE)
    index, kept = unwrap.take(sent * step % modulus, sent / RATE + rng.uniform(0, 0.05, 500), counters)
    assert kept.all()
    assert np.array_equal(index, sent)
    assert counters.lost == int(np.sum(np.diff(sent) - 1))
    assert counters.gaps == int(np.sum(np.diff(sent) > 1))


def test_unwrap_throws_away_what_comes_twice_or_late():
    counters = Counters()
    index, kept = Unwrap(256, 1, RATE).take(np.array([254, 255, 255, 1, 0, 2]), np.zeros(6), counters)
    assert index.tolist() == [254, 255, 257, 258]
    assert kept.tolist() == [True, True, False, True, False, True]
    assert (counters.duplicates, counters.reordered, counters.lost, counters.wraps) == (1, 1, 1, 1)
