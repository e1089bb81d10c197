"""Sources of markers: real sockets, a real terminal, a real LSL stream, each on this computer."""

import json
import os
import pty
import socket
import struct
import threading
import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.acquire import Keyboard, LSLMarkers, Marker, MarkerSource, UDPMarkers, _markers_udp, marker_source
from ranvier.acquire._markers_udp import LONGEST, STAMPS, Datagram, read_datagram
from ranvier.errors import ConfigError, DeviceError, StateError


def gather(source, n, seconds=5.0):
    """Read until there are `n` markers, or the time is over."""
    found, end = [], time.monotonic() + seconds
    while len(found) < n and time.monotonic() < end:
        found += source.read(0.2)
    return found


# datagrams -------------------------------------------------------------------------------------
@given(st.binary(max_size=LONGEST + 50))
def test_any_bytes_are_a_marker_or_none(raw):
    found = read_datagram(raw)
    assert found is None or (found.label and found.label.isprintable() and 0 <= found.age <= 60)


@given(st.text(min_size=1, max_size=200).filter(str.isprintable), st.floats(allow_nan=False, allow_infinity=False),
       st.floats(0, 60))  # fmt: skip
def test_a_datagram_says_what_was_sent(label, value, age):
    raw = json.dumps({"label": label, "value": value, "age": age}).encode()
    assert read_datagram(raw) == (Datagram(label, value, age) if len(raw) <= LONGEST else None)
    for k in range(0, len(raw), 7):
        assert read_datagram(raw[:k]) is None or not raw[:k].strip().startswith(b"{")


@pytest.mark.parametrize("raw", [
    b"", b"  ", b"\xff", b"a\x00b", b"{", b"{}", b'{"label": 3}', b'{"label": "a", "time": 3}',
    b'{"label": "a", "age": -1}', b'{"label": "a", "value": NaN}', b'{"label": "a", "value": true}',
    b'{"label": "a", "value": "3"}', b"x" * (LONGEST + 1),
    b'{"label": "a", "value": 1' + b"0" * 999 + b"}", b'{"label": ' + b"[" * 900,
])  # fmt: skip
def test_what_is_no_marker(raw):
    assert read_datagram(raw) is None


def test_markers_over_udp():
    source = UDPMarkers(where="127.0.0.1:0", latency=0.004)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        source.open()
        sender.sendto(b"before", source.address)  # what came before the start has no time
        source.start()
        before = time.monotonic_ns()
        for raw in (b"left", b"\xff\xff", b'{"label": "tone", "value": 440, "age": 0.5}'):
            sender.sendto(raw, source.address)
        found = gather(source, 2)
        after = time.monotonic_ns()
        assert [(m.label, m.value) for m in found] == [("left", 0.0), ("tone", 440.0)]
        assert source.damaged == 1
        assert all(before <= m.arrival_ns <= after for m in found)
        waited = [(m.arrival_ns - m.host_ns) * 1e-9 - known for m, known in zip(found, (0.004, 0.504), strict=True)]
        assert all(-1e-6 < w < (after - before) * 1e-9 + 1e-4 for w in waited)
        assert source.read(0.0) == []
        source.close()
        source.close()
    with pytest.raises(StateError, match="that runs"):
        source.read(0)


@pytest.mark.skipif(not STAMPS, reason="only Linux says when a datagram came")
def test_a_datagram_that_waited_keeps_its_time():
    """As in a process that was suspended: the reader comes 0.2 s later.

    The kernel begins to stamp a little after it is asked to (net_enable_timestamp leaves it to a work queue): it stamps
    what came before when it is read; so the first datagrams may not tell.
    """
    with UDPMarkers(where="127.0.0.1:0") as source, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(5):
            before = time.monotonic_ns()
            sender.sendto(b"left", source.address)
            sent = time.monotonic_ns()
            threading.Event().wait(0.2)
            (found,) = source.read(1.0)
            if found.arrival_ns - found.host_ns > 100_000_000:
                break
        assert before - 100_000 <= found.host_ns <= sent + 100_000
        assert found.arrival_ns - found.host_ns >= 199_000_000


def test_a_wall_clock_that_was_set_is_not_believed():
    stamp = [(socket.SOL_SOCKET, STAMPS, struct.pack("@qq", 10_000, 500_000_000))]
    for now, waited in ((10_001.5, 1.0), (10_000.0, 0.0), (13_600.5, 0.0), (6_400.5, 0.0)):
        assert _markers_udp._waited(stamp, round(now * 1e9)) == pytest.approx(waited)


def test_a_read_ends_when_another_thread_closes():
    source = UDPMarkers(where="127.0.0.1:0")
    source.open()
    source.start()
    found = []
    reader = threading.Thread(target=lambda: found.append(source.read(0.3)))
    reader.start()
    source.close()
    reader.join(5)
    assert not reader.is_alive()
    assert found in ([], [[]])


def test_a_port_that_is_taken():
    with UDPMarkers(where="127.0.0.1:0") as first, pytest.raises(DeviceError, match="free port"):
        UDPMarkers(where=f"127.0.0.1:{first.address[1]}").open()
    with pytest.raises(DeviceError, match="before it is open"):
        first.address  # noqa: B018


# keys ------------------------------------------------------------------------------------------
def test_keys_of_a_terminal():
    ours, theirs = pty.openpty()
    try:
        before = os.ttyname(theirs)
        with Keyboard(where=before) as keys:
            os.write(ours, b"a")
            (first,) = gather(keys, 1)
            os.write(ours, b"\x1b[A")
            (up,) = gather(keys, 1)
            os.write(ours, b" \n")
            rest = gather(keys, 2)
        assert [m.label for m in (first, up, *rest)] == ["a", "up", "space", "enter"]
        assert first.arrival_ns - first.host_ns == 10_000_000
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_keyboard_needs_a_terminal(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for where in (tmp_path / "file", tmp_path / "nothing"):
        with pytest.raises(DeviceError, match="needs a terminal"):
            Keyboard(where=str(where)).open()


# LSL -------------------------------------------------------------------------------------------
def test_markers_of_an_lsl_stream():
    """Stamped a quarter of a second ago by its sender: that is when it happened."""
    pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed (extra acquire)")
    name = f"ranvier-test-{os.getpid()}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0, "string", name))
    try:
        with LSLMarkers(name=name, type="", latency=0.02) as source:
            assert outlet.wait_for_consumers(5.0)
            now, theirs = time.monotonic_ns(), pylsl.local_clock()
            outlet.push_sample(["left"], theirs - 0.25)
            outlet.push_sample(["right"], theirs)
            found = gather(source, 2)
            source._asked = 0  # long ago: the offset of the sender's clock is asked for again
            outlet.push_sample(["rest"])
            assert [m.label for m in gather(source, 1)] == ["rest"]
            assert source._asked > now
        assert [m.label for m in found] == ["left", "right"]
        assert [(m.host_ns - now) * 1e-9 for m in found] == pytest.approx([-0.27, -0.02], abs=0.005)
        assert all(m.arrival_ns > now for m in found)
    finally:
        del outlet


def test_a_marker_stream_that_ends_is_a_device_that_is_gone():
    pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed (extra acquire)")

    class Lost:
        def pull_sample(self, timeout):
            raise pylsl.util.LostError("the stream has been lost.")

        def time_correction(self, timeout):
            raise pylsl.util.TimeoutError("the operation failed due to a timeout.")

    source = LSLMarkers(name="x")
    source._lsl, source._inlet, source._asked, source._offset = pylsl, Lost(), 0, 0.0
    with pytest.raises(DeviceError, match="is gone"):
        source._read(0.0)


def test_an_lsl_stream_that_is_not_there():
    pytest.importorskip("pylsl", reason="pylsl is not installed (extra acquire)")
    with pytest.raises(DeviceError, match="Start its sender"):
        LSLMarkers(name=f"nobody-{os.getpid()}", wait=0.2).open()


# all -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", [
    lambda: UDPMarkers(where="5006"), lambda: UDPMarkers(where="host:70000"), lambda: LSLMarkers(type=""),
    lambda: LSLMarkers(name="it's"), lambda: Keyboard(watermark=0.0), lambda: UDPMarkers(latency=0.5),
    lambda: UDPMarkers(jitter=-1.0), lambda: UDPMarkers(watermark=100.0),
])  # fmt: skip
def test_bad_parameters_are_refused(make):
    with pytest.raises(ConfigError, match="needs"):
        make()


def test_a_source_of_ones_own():
    @dataclass(eq=False)
    class Clicks(MarkerSource):
        latency: float = 0.0
        jitter: float = 0.0
        watermark: float = 0.1

        def _open(self): ...
        def _start(self): ...
        def _stop(self): ...
        def _close(self): ...
        def _read(self, timeout):
            return [self._stamped("click", 2.0)]

    source = Clicks(latency=0.001)
    source.open()
    source.start(lambda: 5_000_000)
    assert source.read(0) == [Marker(4_000_000, "click", 2.0, 5_000_000)]


def test_sources_by_text_and_table():
    udp = marker_source("udp:127.0.0.1:0?latency=0.01&watermark=0.2")
    assert (type(udp), udp.where, udp.latency, udp.watermark) == (UDPMarkers, "127.0.0.1:0", 0.01, 0.2)
    assert marker_source("lsl:name=Cues&type=").name == "Cues"
    assert marker_source({"use": "keyboard", "where": "/dev/tty9"}).where == "/dev/tty9"
    for wrong in ("usb:1", {"use": 3}, {}, "udp:127.0.0.1:5006?speed=3"):
        with pytest.raises(ConfigError):
            marker_source(wrong)
