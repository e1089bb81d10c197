"""check_actuator passes what is right and catches what is broken; every actuator of the room passes it."""

import os
import socket
import tty
from threading import Event, Thread

import pytest

from ranvier.act import UDP, Cursor, Log, LSLMarkers, Serial, Watchdog
from ranvier.errors import DeviceError
from ranvier.testing import ConformanceError, check_actuator

from .fakes import Lags, Memory, Miscounts, NeverStops, Raises, TakesAnything, Waits
from .helpers import approved


def still(actuator):
    return not actuator.moving


def test_a_right_one_passes():
    check_actuator(Memory, is_safe=still)


@pytest.mark.parametrize(("broken", "match"), [
    (NeverStops, "not in its safe state"), (TakesAnything, "not refused"), (Waits, "ms in the median"),
    (Miscounts, "dropped"), (Lags, "not in its safe state"),
])  # fmt: skip
def test_broken_ones_are_caught(broken, match):
    with pytest.raises(ConformanceError, match=match):
        check_actuator(broken, is_safe=still)


def test_a_send_does_not_wait_for_a_stop_that_takes_its_time():
    stopping, go_on = Event(), Event()

    class Slow(Memory):
        def _stop(self):
            stopping.set()
            go_on.wait(20)

    class StillRunning(Slow):  # the phase as a send has read it just before the stop began
        @property
        def _phase(self):
            return "running"

        @_phase.setter
        def _phase(self, phase):
            pass

    slow = StillRunning()
    stop = Thread(target=slow.stop, daemon=True)
    stop.start()
    assert stopping.wait(20)
    try:
        assert slow.send(approved()) is False
        assert slow.dropped == 1
    finally:
        go_on.set()
        stop.join(20)


def test_a_stop_that_raises_is_not_hidden():
    with pytest.raises(DeviceError, match="the device is gone"):
        check_actuator(Raises)


def test_log(tmp_path):
    path = tmp_path / "log"
    check_actuator(lambda: Log(str(path)))
    assert path.read_text().endswith('"safe":true}\n')


def test_cursor():
    def stands(cursor):
        return cursor.position(10**18) == cursor.position(2 * 10**18) == cursor.position()

    check_actuator(Cursor, is_safe=stands)


@pytest.fixture
def deaf():
    """A socket that nobody reads."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{s.getsockname()[1]}"


def test_udp(deaf):
    check_actuator(lambda: UDP(deaf))


def test_watchdog(deaf):
    check_actuator(lambda: Watchdog(f"udp:{deaf}", silence=0.2),
                   is_safe=lambda w: w.pid is None or w.status()["state"] == "safe")  # fmt: skip


def test_serial_with_a_peer_that_does_not_read():
    pytest.importorskip("serial", reason="pyserial is not installed")
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        check_actuator(lambda: Serial(os.ttyname(slave), "{vx:.3f},{vy:.3f}\n", "stop\n"))
    finally:
        os.close(master)
        os.close(slave)


def test_lsl_markers():
    pytest.importorskip("pylsl", reason="pylsl is not installed")
    check_actuator(lambda: LSLMarkers("ranvier-check"))
