"""Each actuator by itself, and by name."""

import json
import os
import select
import socket
import sys
import tty

import pytest

from ranvier.act import UDP, Cursor, Guard, Limits, Log, LSLMarkers, Serial, actuator, actuators, guard_from
from ranvier.act._wire import COMMAND, STOP, contract_of, decode
from ranvier.errors import ConfigError, ContractError, DeviceError, MissingExtraError, SafetyError, StateError
from ranvier.stream import Channels

from .helpers import MS, NAMES, UNITS, S, approved, command


def now(at):
    return lambda: at


def test_a_log_has_every_command_wanted_and_given(tmp_path):
    path = tmp_path / "log.jsonl"
    log = Log(str(path))
    log.open()
    log.start(now(5 * MS))
    for i in range(100):
        assert log.send(approved((i / 4, 0.0), i, confidence=float("nan")))
    log.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 101
    assert lines[3]["wanted"] == lines[3]["given"] == [0.75, 0.0]
    assert lines[3]["sequence"] == 3
    assert lines[3]["confidence"] is None
    assert lines[-1] == {"at": 5 * MS, "safe": True}
    assert (log.sent, log.dropped) == (100, 0)


def test_a_log_says_why_it_cannot_write(tmp_path):
    with pytest.raises(DeviceError, match="Log cannot write"):
        Log(str(tmp_path / "none" / "log")).open()


@pytest.fixture
def peer():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.settimeout(20)
        yield s


def where(peer):
    return f"127.0.0.1:{peer.getsockname()[1]}"


def test_udp_carries_what_is_given_and_says_goodbye(peer):
    udp = UDP(where(peer))
    udp.open()
    udp.start(now(2 * MS))
    sent = approved((1.5, -2.5), 42, made=MS)
    assert udp.send(sent)
    frame = decode(peer.recv(2000))
    assert (frame.kind, frame.sequence, frame.sample, frame.values) == (COMMAND, 42, 100, (1.5, -2.5))
    assert (frame.made, frame.sent, frame.expires) == (MS, 2 * MS, MS + S)
    assert (frame.age, frame.confidence, frame.contract) == (0.01, 0.9, contract_of(NAMES, UNITS))
    assert frame.command(NAMES, UNITS, shift=4 * MS) == command((1.5, -2.5), 42, made=5 * MS)
    udp.stop()
    stop = decode(peer.recv(2000))
    assert (stop.kind, stop.session, stop.sequence, stop.values) == (STOP, frame.session, 42, ())
    udp.close()


def test_udp_does_not_send_what_has_expired(peer):
    udp = UDP(where(peer))
    udp.open()
    udp.start(now(2 * S))
    assert not udp.send(approved(lifetime=S))
    udp.close()
    assert decode(peer.recv(2000)).kind == STOP
    assert (udp.sent, udp.dropped) == (0, 1)


def test_udp_goes_on_where_nobody_listens(peer):
    udp = UDP(where(peer))
    peer.close()
    with udp:
        for i in range(50):
            made = udp._clock()
            udp.send(Guard().approve(command(sequence=i, made=made), made))
    assert udp.sent + udp.dropped == 50


@pytest.mark.parametrize("to", ["", "localhost", ":5005", "h:99999", "h:-1", "h:x"])
def test_addresses_are_checked(to):
    with pytest.raises(ConfigError, match="HOST:PORT"):
        UDP(to)


def test_only_what_is_approved_is_sent_and_only_while_it_runs(peer):
    udp = UDP(where(peer))
    with pytest.raises(StateError, match="it is closed"):
        udp.send(approved())
    with udp:
        for thing in (command(), None, (1.0, 2.0), object.__new__(type(approved()))):
            with pytest.raises(SafetyError, match="needs an Approved"):
                udp.send(thing)
        assert not udp.safe
    assert udp.safe


def test_a_cursor_integrates_until_the_command_expires_and_stays_in_its_box():
    at = 0
    cursor = Cursor((-1.0, -1.0), (1.0, 3.0))
    cursor.open()
    cursor.start(lambda: at)
    assert cursor.position(0) == (0.0, 1.0)
    cursor.send(Guard().approve(command((0.5, -2.0), 1, 0, lifetime=2 * S), 0))
    assert cursor.position(S // 2) == (0.25, 0.0)
    assert cursor.position(S) == (0.5, -1.0)
    assert cursor.position(2 * S) == cursor.position(9 * S) == (1.0, -1.0)
    cursor.send(Guard().approve(command((-1.0, 1.0), 2, S, lifetime=2 * S), S))
    assert cursor.position(2 * S) == (-0.5, 0.0)
    at = 2 * S
    cursor.stop()
    assert cursor.position(3 * S) == (-0.5, 0.0)
    cursor.close()
    with pytest.raises(ContractError, match="'vx'; got a"):
        cursor.check(Channels.of(["a"], "command", "1"))
    with pytest.raises(ConfigError, match="low < high"):
        Cursor((1.0,), (0.0,), ("vx",))


@pytest.fixture
def pty():
    pytest.importorskip("serial", reason="pyserial is not installed")
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(master)
    os.close(slave)


def read_until(fd, end):
    got = b""
    while not got.endswith(end):
        assert select.select([fd], [], [], 20)[0], got
        got += os.read(fd, 1000)
    return got


def test_serial_writes_text_and_its_safe_text(pty):
    master, path = pty
    serial = Serial(path, "{vx:.1f} {vy:.2f}\n", "safe\n")
    serial.check(Channels.of(NAMES, "command", UNITS))
    with serial:
        now = serial._clock()
        serial.send(Guard().approve(command((1.0, -2.5), 1, now), now))
        assert read_until(master, b"\n") == b"1.0 -2.50\n"
    assert read_until(master, b"safe\n") == b"safe\n"


def test_what_expires_while_it_waits_for_the_port_is_left_out(pty):
    master, path = pty
    with Serial(path, "{vx:.1f}\n", "safe\n") as serial:
        now = serial._clock()
        serial.send(Guard().approve(command((1.0, 0.0), 1, now, lifetime=1), now))
        serial.send(Guard().approve(command((2.0, 0.0), 2, now), now))
        assert read_until(master, b"\n") == b"2.0\n"


def test_a_serial_port_that_takes_nothing_fails_and_says_so(pty):
    _, path = pty
    serial = Serial(path, "{vx:" + "9" * 5 + ".1f}\n", "safe\n")
    with serial:
        for k in range(1, 100_000):
            now = serial._clock()
            try:
                serial.send(Guard().approve(command((1.0, 2.0), k, now), now))
            except DeviceError as e:
                error = str(e)
                break
    assert "takes nothing" in error
    assert serial.dropped > 0


@pytest.mark.parametrize("text", ["{0}", "{}", "{vx", "{vx.real}", "{vx:q}", "{vx[0]}"])
def test_texts_are_checked(text):
    with pytest.raises(ConfigError, match="Serial needs text"):
        Serial("port", text, "0\n")
    with pytest.raises(ContractError, match="'vz' for its text; got vx"):
        Serial("port", "{vz}", "0").check(Channels.of(NAMES, "command", UNITS))


def test_lsl_markers_are_read_by_pylsl():
    pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed")
    name = f"ranvier-test-{os.getpid()}"
    markers = LSLMarkers(name)
    markers.open()
    try:
        found = pylsl.resolve_byprop("name", name, timeout=10)
        if not found:
            pytest.skip("LSL finds nothing here: no multicast")
        inlet = pylsl.StreamInlet(found[0])
        inlet.open_stream(timeout=10)
        markers.start()
        markers.send(approved((1.5, 0.0), 7))
        assert json.loads(inlet.pull_sample(timeout=10)[0][0]) == {"sequence": 7, "values": {"vx": 1.5, "vy": 0.0}}
        markers.stop()
        assert json.loads(inlet.pull_sample(timeout=10)[0][0]) == {"safe": True}
        inlet.close_stream()
    finally:
        markers.close()


@pytest.mark.parametrize(("cls", "module", "args"), [
    (Serial, "serial", ("port", "{vx}", "0")), (LSLMarkers, "pylsl", ()),
])  # fmt: skip
def test_missing_libraries_are_named_with_their_pip_line(cls, module, args, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ranvier\[act\]'"):
        cls(*args).open()


def test_actuators_are_made_of_texts_and_tables(tmp_path):
    made = {name: cls.__name__ for name, cls in actuators().items()}
    assert made == {"udp": "UDP", "log": "Log", "serial": "Serial", "lsl": "LSLMarkers", "cursor": "Cursor",
                    "watchdog": "Watchdog"}  # fmt: skip
    assert actuator("udp:127.0.0.1:5005").to == "127.0.0.1:5005"
    assert actuator(f"log:{tmp_path}/x").path == f"{tmp_path}/x"
    assert actuator("cursor:low=-2,-3").low == (-2.0, -3.0)
    table = {"use": "act.Serial", "port": "/dev/x", "text": "{v}&?\n", "safe_text": "0", "baud": 9600}
    assert actuator(table).text == "{v}&?\n"
    dog = actuator({"use": "act.Watchdog", "actuator": table, "silence": 0.1})
    assert (dog._inner.baud, dog.silence) == (9600, 0.1)
    assert actuator("watchdog:udp:127.0.0.1:5005?silence=0.3").actuator == "udp:127.0.0.1:5005"


@pytest.mark.parametrize(("wrong", "match"), [
    ("usb:1", "one of act.Cursor.*got 'usb'"), ({"use": "os.system"}, "actuator.use needs"), ({}, "actuator.use"),
    (3, "a text or a table"), ({"use": "act.UDP", "ot": "h:1"}, "actuator.ot is not known"),
    ({"use": "act.UDP", "to": 3}, "actuator.to needs str"), ("udp:h:1?x=1", "x=1"),
])  # fmt: skip
def test_wrong_texts_and_tables_are_refused(wrong, match):
    with pytest.raises(ConfigError, match=match):
        actuator(wrong)


def test_guards_are_made_of_tables():
    guard = guard_from({"max_age": 1, "min_confidence": 0.5, "limits": [{"name": "v", "unit": "1", "high": 2}]})
    assert (guard.max_age, guard.min_confidence) == (1.0, 0.5)
    assert guard.limits == (Limits(name="v", unit="1", high=2.0),)
    for wrong, match in [({"max_aeg": 1}, "max_aeg is not known"), ({"max_age": "1"}, "max_age needs a number"),
                         ({"limits": {}}, "list of tables"), ({"limits": [{"nam": "v"}]}, r"limits\[0\].nam"),
                         ({"limits": [{"name": "v", "unit": "1", "beyond": "x"}]}, "beyond"),
                         (3, "a table")]:  # fmt: skip
        with pytest.raises(ConfigError, match=match):
            guard_from(wrong)
