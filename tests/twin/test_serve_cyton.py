"""Cyton against CytonServer over a pseudo terminal, and BrainFlow's own driver against the same: no count is wrong."""

import time

import numpy as np
import pytest

from ranvier.acquire import CYTON_NAMES, Cyton, Packet, cyton_gain
from ranvier.errors import ConfigError, DeviceError, StateError
from ranvier.stage import Run
from ranvier.stream import Block, Channels
from ranvier.testing import check_source
from ranvier.twin import CytonServer
from tests.acquire.cyton_bytes import samples_of, told
from tests.acquire.recordings import Held

pytest.importorskip("serial", reason="needs the extra acquire (pyserial)")
pytest.importorskip("termios", reason="needs pseudo terminals")


def board(n, daisy=False, seed=0, gain=24, most=2**23 - 2, **more):
    """Return counts of a board, and the recording of them in uV (float64: every count comes back)."""
    channels = 16 if daisy else 8
    counts = np.random.default_rng(seed).integers(-most, most, (n, channels)).astype(np.int32)
    names = Channels.of(CYTON_NAMES[:channels], "eeg")
    return counts, Held(counts * cyton_gain(gain), names, 2000 // channels, **more)


def gather(source, n, limit=20.0):
    out, end = [], time.monotonic() + limit
    while sum(len(p.samples) for p in out if isinstance(p, Packet)) < n:
        assert time.monotonic() < end
        out += source.read(0.2)
    return out


@pytest.mark.parametrize("daisy", [False, True])
def test_every_count_comes_through(daisy):
    counts, recording = board(1500, daisy)
    with CytonServer(recording, daisy=daisy, speed=20.0) as server, Cyton(server.where) as source:
        assert source.info.rate == (125 if daisy else 250)
        assert source.info.dtype == np.int32
        assert source.info.channels.names == CYTON_NAMES[: 16 if daisy else 8]
        assert source.settings["firmware"] == "v3.1.2"
        assert source.settings["daisy"] == str(daisy).lower()
        found = gather(source, 1500)
        entrance = Run(source.entrance, source.info)
    index, samples = samples_of(found)
    assert np.array_equal(index, np.arange(1500))
    assert np.array_equal(samples, counts)
    assert set(told(source.counters)) == {"packets", "samples", "wraps"}
    out = entrance.push(Block(samples.astype(np.int32), 0))
    assert np.array_equal(out.data, counts.astype("f4") * np.float32(cyton_gain(24)))


def test_gains_are_set_and_found_in_the_numbers():
    _, recording = board(300)
    gains = (1, 2, 4, 6, 8, 12, 24, 24)
    with CytonServer(recording, speed=20.0) as server, Cyton(server.where, gain=gains) as source:
        assert source.settings["gain"] == ",".join(map(str, gains))
        _, samples = samples_of(gather(source, 300))
        entrance = Run(source.entrance, source.info)
    assert np.array_equal(samples, server.counts(Block(recording.data)))
    out = entrance.push(Block(samples.astype(np.int32), 0))
    error = np.abs(out.data - recording.data)
    assert np.all(error <= [cyton_gain(g) / 2 + 0.02 for g in gains])  # half a step, and float32 at 187 mV


def test_rails_are_invalid_behind_the_entrance():
    _, recording = board(60)
    recording.data[20, 3], recording.data[30, 4] = 1e9, np.nan
    with CytonServer(recording, speed=20.0) as server, Cyton(server.where) as source:
        _, samples = samples_of(gather(source, 60))
        out = Run(source.entrance, source.info).push(Block(samples.astype(np.int32), 0))
    assert np.argwhere(~out.valid).tolist() == [[20, 3], [30, 4]]


def test_gaps_of_a_recording_are_jumps_of_the_counter():
    counts, recording = board(400, pieces=[(0, 0, 100), (150, 100, 300)])
    with CytonServer(recording, speed=20.0) as server, Cyton(server.where) as source:
        index, samples = samples_of(gather(source, 400))
    assert index.tolist() == [*range(100), *range(150, 450)]
    assert np.array_equal(samples, counts)
    assert (source.counters.gaps, source.counters.lost) == (1, 50)


def test_faults_of_the_link_are_told_and_move_nothing():
    counts, recording = board(2000, seed=6)
    server = CytonServer(recording, speed=20.0, drop=0.02, duplicate=0.02, swap=0.02, seed=7)
    with server, Cyton(server.where) as source:
        found, end = [], time.monotonic() + 20
        while not server.ended and time.monotonic() < end:
            found += source.read(0.2)
        while more := source.read(0.5):  # what was under way
            found += more
    index, samples = samples_of(found)
    assert np.array_equal(samples, counts[index])
    done = [what for _, what in server.faults]
    dropped = {n for n, what in server.faults if what == "drop"}
    assert not dropped & set(index.tolist())
    assert min(done.count(w) for w in ("drop", "duplicate", "swap")) > 20
    lost = set(range(1995)) - set(index.tolist())
    swapped = {n + k for n, what in server.faults if what == "swap" for k in (-1, 0, 1)}
    assert lost <= dropped | swapped
    assert source.counters.lost >= len(lost) - 5
    assert source.counters.reordered + source.counters.duplicates > 20


@pytest.mark.parametrize("drift", [-0.005, 0.005])
def test_drift_of_the_device_is_in_the_arrivals_alone(drift):
    _, recording = board(2000)
    now = [0]
    server = CytonServer(recording, drift=drift)
    server.threaded = False
    server.open()
    try:
        server.start(lambda: now[0])
        server.begin()
        due = []
        while not server.ended:
            now[0] += 100_000_000
            server.pump()
            due.append((now[0], server.sent))
    finally:
        server.close()
    inside = np.array([d for d in due if d[1] < 2000])
    assert np.all(np.abs(inside[:, 1] - inside[:, 0] * 1e-9 * 250 * (1 + drift)) <= 1)


def test_another_rate_is_resampled():
    _, recording = board(800)
    recording.info = recording.info.but(rate=160, dtype=np.dtype("f4"))
    recording.data = np.tile(np.sin(2 * np.pi * 10 * np.arange(800) / 160)[:, None] * 50, (1, 8)).astype("f4")
    with CytonServer(recording, speed=20.0) as server, Cyton(server.where) as source:
        _, samples = samples_of(gather(source, 1000))
    x = samples[300:900, 0] * cyton_gain(24)
    t = np.arange(600) / 250
    basis = np.c_[np.sin(20 * np.pi * t), np.cos(20 * np.pi * t)]
    fit, *_ = np.linalg.lstsq(basis, x, rcond=None)
    assert np.hypot(*fit) == pytest.approx(50, rel=2e-3)
    assert np.abs(x - basis @ fit).max() < 0.2


def test_conformance_with_the_cable_pulled(tmp_path):
    _, recording = board(2000)
    link = str(tmp_path / "cyton")
    server = CytonServer(recording, link=link, loop=True, speed=4.0)
    server.open()
    server.start()

    def plug():
        server.open()
        server.start()

    try:
        check_source(lambda: Cyton(link, timeout=1.0), pull=server.close, plug=plug)
    finally:
        server.close()


def test_a_source_is_served_like_a_recording():
    counts, recording = board(500, most=2**20)  # what float32 of uV holds, to the count
    with CytonServer(recording, speed=10.0) as first:
        second = CytonServer(Cyton(first.where))
        with second, Cyton(second.where) as source:
            index, samples = samples_of(gather(source, 300))
    assert np.array_equal(samples[:100], counts[index[:100]])


def test_wrong_ports_and_parameters_are_told():
    with pytest.raises(DeviceError, match="needs a serial port that opens"):
        Cyton("/dev/nowhere").open()
    with pytest.raises(ConfigError, match="gains of 1, 2, 4"):
        Cyton("x", gain=(3,))
    _, recording = board(10)
    with CytonServer(recording) as server:
        with pytest.raises(DeviceError, match="needs a Daisy"):
            Cyton(server.where, daisy=True).open()
        with pytest.raises(ConfigError, match="needs 8 names; got 2"):
            Cyton(server.where, names=("a", "b")).open()
        with pytest.raises(StateError):
            Cyton(server.where).read(0)
    with pytest.raises(ConfigError, match="at most 8 channels that the recording has; got Nowhere"):
        CytonServer(recording, channels=("Nowhere",)).open()


@pytest.mark.parametrize("daisy", [False, True])
def test_brainflows_own_driver_reads_the_server_without_error(daisy):
    try:
        from brainflow.board_shim import BoardIds, BoardShim, BrainFlowInputParams
    except ImportError as e:
        pytest.skip(f"BrainFlow is not there: {e} (Python 3.11 needs setuptools<80)")
    counts, recording = board(1000, daisy, seed=8)
    which = BoardIds.CYTON_DAISY_BOARD if daisy else BoardIds.CYTON_BOARD
    BoardShim.disable_board_logger()
    with CytonServer(recording, daisy=daisy, speed=8.0) as server:
        given = BrainFlowInputParams()
        given.serial_port = server.where
        shim = BoardShim(which, given)
        shim.prepare_session()
        try:
            shim.start_stream()
            end = time.monotonic() + 20
            while shim.get_board_data_count() < 1000 and time.monotonic() < end:
                server.wait(0.05)
            table = shim.get_board_data()
            shim.stop_stream()
        finally:
            shim.release_session()
    got = table[BoardShim.get_eeg_channels(which)].T
    assert np.array_equal(np.round(got / cyton_gain(24)).astype(int), counts)
    assert np.array_equal(got, counts * cyton_gain(24))  # their scale is ours, to the bit
