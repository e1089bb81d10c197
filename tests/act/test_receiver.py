"""The other end of UDP: what is late, doubled, damaged or foreign does nothing; silence is safe."""

import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.act import UDP, Guard, Limits, Receiver
from ranvier.act._dead_man import DeadMan
from ranvier.act._receiver import Link
from ranvier.act._wire import STOP, encode, encode_stop
from ranvier.errors import ConfigError, DeviceError

from .fakes import Memory
from .helpers import MS, NAMES, UNITS, S, approved, command

PATIENCE = 20.0


class Desk:
    """A link, a dead-man and an actuator whose clock is set by hand."""

    def __init__(self, silence=0.5, latch=False, guard=None):
        self.memory, self.now = Memory(), 0
        self.memory.open()
        self.dead_man = DeadMan(self.memory, silence, latch, guard or Guard(), lambda: self.now)
        self.link = Link(NAMES, UNITS, self.renew)

    def renew(self):
        self.dead_man.guard = Guard()

    def hear(self, data, now):
        """Return why a datagram was refused, "" where it acts."""
        self.now = now
        self.dead_man.tick(now)
        frame = self.link.feed(data, now, self.dead_man.safe)
        if frame is None:
            return "not for us"
        if frame.kind == STOP:
            self.memory.stop()
            return "stop"
        refused = self.dead_man.take(frame.command(NAMES, UNITS, shift=self.link.shift), now)
        return refused.reason if refused else ""


def datagram(sequence, at, session=1, lifetime=200 * MS, **more):
    return encode(approved((1.0, 2.0), sequence, made=at, lifetime=lifetime, **more), session, at)


def test_clocks_that_differ_by_days_do_not_matter_but_a_detour_does():
    desk, far = Desk(), 10**15
    assert desk.hear(datagram(1, 0), far) == ""
    assert desk.hear(datagram(2, 100 * MS), far + 150 * MS) == ""
    assert desk.hear(datagram(3, 200 * MS), far + 200 * MS + 250 * MS) == "expired"
    assert desk.hear(datagram(4, 500 * MS), far + 500 * MS - 3 * MS) == ""  # a quicker way is the new measure
    assert desk.hear(datagram(5, 600 * MS), far + 600 * MS - 3 * MS + 199 * MS) == ""
    assert desk.hear(datagram(6, 900 * MS), far + 900 * MS - 3 * MS + 201 * MS) == "expired"


@pytest.mark.parametrize("drift", [-150e-6, 150e-6])
def test_clocks_that_drift_for_hours_stay_usable_and_late_frames_are_still_refused(drift):
    desk = Desk()
    for k in range(1, 3600 * 3, 7):
        at = k * S
        assert desk.hear(datagram(k, at), round(at * (1 + drift))) == ""
    at += S
    assert desk.hear(datagram(k + 1, at), round(at * (1 + drift)) + 210 * MS) == "expired"


def test_a_backlog_after_an_outage_is_refused_whole():
    desk = Desk()
    assert desk.hear(datagram(1, 0), 5) == ""
    came = 20 * S
    verdicts = {desk.hear(datagram(k, k * 100 * MS), came + k) for k in range(2, 190)}
    assert verdicts == {"expired"}
    assert desk.memory.did.qsize() == 4  # open, start, one command, stop


@pytest.mark.parametrize("latch", [False, True])
def test_commands_keep_it_going_and_one_that_comes_after_the_silence_meets_a_safe_actuator(latch):
    memory = Memory()
    memory.open()
    dead_man = DeadMan(memory, 0.5, latch, Guard(), lambda: 0)
    for k in range(1, 6):
        assert dead_man.take(command((float(k), 0.0), k, k * 400 * MS), k * 400 * MS) is None
        assert dead_man.wait(k * 400 * MS + 100 * MS) == pytest.approx(0.4)
    assert dead_man.trips == 0
    late = dead_man.take(command((9.0, 0.0), 6, 9 * S), 9 * S)  # nobody ticked meanwhile: the process was suspended
    assert dead_man.trips == 1
    deeds = ["open", "start", *[(float(k), 0.0) for k in range(1, 6)], "stop"]
    assert memory.so_far() == (deeds if latch else [*deeds, "start", (9.0, 0.0)])
    assert (late.reason if late else "") == ("stopped" if latch else "")
    assert dead_man.safe == latch


def test_doubles_and_what_comes_out_of_order_are_refused():
    desk = Desk()
    assert [desk.hear(datagram(k, k * MS), k * MS) for k in (1, 3, 2, 3, 4)] == ["", "", "sequence", "sequence", ""]


def test_a_second_sender_waits_for_the_silence_of_the_first_which_then_is_past():
    desk = Desk()
    assert desk.hear(datagram(50, 0, session=1), 0) == ""
    assert desk.hear(datagram(1, 100 * MS, session=2), 100 * MS) == "not for us"
    assert desk.hear(datagram(1, 700 * MS, session=2), 700 * MS) == ""
    assert desk.hear(datagram(51, 1500 * MS, session=1), 1500 * MS) == "not for us"
    assert desk.hear(datagram(2, 1600 * MS, session=2), 1600 * MS) == ""
    assert desk.link.foreign == 2


def test_stops_are_heard_from_the_sender_alone():
    desk = Desk()
    assert desk.hear(encode_stop(9, 0, 0), 0) == "not for us"
    desk.hear(datagram(1, 0), 0)
    assert desk.hear(encode_stop(9, 5, MS), MS) == "not for us"
    assert desk.memory.moving
    assert desk.hear(encode_stop(1, 5, MS), MS) == "stop"
    assert not desk.memory.moving
    assert desk.hear(datagram(2, 2 * MS), 2 * MS) == ""


def test_other_values_and_damage_are_refused():
    desk = Desk()
    assert desk.hear(datagram(1, 0, units=("m/s", "m/s")), 0) == "not for us"
    good = datagram(1, 0)
    assert desk.hear(good[:-1], 0) == "not for us"
    assert desk.hear(good[:50] + bytes([good[50] ^ 1]) + good[51:], 0) == "not for us"
    assert (desk.link.damaged, desk.link.foreign) == (2, 1)
    assert desk.hear(good, 0) == ""


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 400), st.integers(0, 400), st.booleans()), max_size=40),
       st.booleans())  # fmt: skip
def test_whatever_comes_silence_is_safe_and_nothing_late_acts(steps, latch):
    """Random frames (number, wait before it, way [ms], stop): moving only within the silence of a good command."""
    desk, now, last, quickest, highest = Desk(0.3, latch), 0, None, None, -1
    for sequence, wait, way, is_stop in steps:
        now += wait * MS
        sent = now - way * MS
        said = desk.hear(encode_stop(1, 0, sent) if is_stop else datagram(sequence, sent), now)
        if said == "":
            quickest = way if quickest is None else min(quickest, way)
            assert way - quickest < 201  # lifetime, and the 200 us/s that the least way may grow
            assert sequence > highest
            highest, last = sequence, now
        desk.dead_man.tick(now)
        assert not desk.memory.moving or now - last < 300 * MS
        if said == "stop":
            assert not desk.memory.moving
    desk.dead_man.tick(now + 300 * MS)
    assert not desk.memory.moving


@pytest.fixture
def receiver():
    with Receiver("127.0.0.1:0", Memory(), NAMES, UNITS, silence=0.2,
                  guard=Guard(Limits(name="vx", unit="cm/s", high=5.0))) as receiver:  # fmt: skip
        receiver.actuator.did.get(timeout=PATIENCE)  # open
        yield receiver


def next_deed(receiver):
    return receiver.actuator.did.get(timeout=PATIENCE)


def send(udp, sequence, values=(1.0, 2.0)):
    now = time.monotonic_ns()
    assert udp.send(Guard().approve(command(values, sequence, now), now))


def test_commands_go_from_udp_to_the_actuator_and_silence_ends_them(receiver):
    with UDP(receiver.where) as udp:
        send(udp, 1)
        assert [next_deed(receiver) for _ in range(2)] == ["start", (1.0, 2.0)]
        began = time.monotonic()
        assert next_deed(receiver) == "stop"
        assert time.monotonic() - began < 0.4
        send(udp, 2, (9.0, 0.0))
        send(udp, 3, (3.0, 0.0))
        assert [next_deed(receiver) for _ in range(2)] == ["start", (3.0, 0.0)]
        assert receiver.counts["refused_range"] == 1
    assert next_deed(receiver) == "stop"
    assert receiver.error is None


def test_random_bytes_harm_nothing(receiver):
    host, port = receiver.where.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, UDP(receiver.where) as udp:
        for data in (b"", b"RVA1", bytes(3000), bytes(76)):
            s.sendto(data, (host, int(port)))
        send(udp, 1)
        assert [next_deed(receiver) for _ in range(2)] == ["start", (1.0, 2.0)]
        assert receiver.counts["damaged"] == 4


def test_a_receiver_can_be_stopped_and_started_and_closed_at_any_time():
    receiver = Receiver("127.0.0.1:0", Memory(), NAMES, UNITS)
    receiver.stop()
    receiver.open()
    receiver.start()
    receiver.stop()
    receiver.start()
    receiver.close()
    receiver.close()
    assert receiver.actuator.so_far() == ["open", "close"]


def test_addresses_in_use_are_named(receiver):
    with pytest.raises(DeviceError, match="cannot listen at 127"):
        Receiver(receiver.where, Memory(), NAMES, UNITS).open()
    with pytest.raises(ConfigError, match="HOST:PORT"):
        Receiver("5005", Memory(), NAMES, UNITS)
