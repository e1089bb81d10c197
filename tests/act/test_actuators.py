"""Log and UDP."""

import json
import socket

import pytest

from ranvier.act import UDP, Guard, Log
from ranvier.act._wire import COMMAND, STOP, contract_of, decode
from ranvier.errors import ConfigError, DeviceError, SafetyError, StateError

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
    assert frame.command(NAMES, UNITS, arrival=9 * MS, held=3 * MS) == command((1.5, -2.5), 42, made=5 * MS)
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
