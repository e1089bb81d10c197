"""A session's actuator is safe at once: after a stop in the middle of a start, an error, and a miss that stops."""

import dataclasses
import threading

import numpy as np
import pytest

from ranvier import record
from ranvier.act import Guard, Limits, Map, guard_from
from ranvier.denoise import Bandpass, Integrity
from ranvier.errors import ContractError, StateError
from ranvier.session import Budget, Replay, Session
from tests.act.fakes import Memory

RECORDING = record.from_array(np.random.default_rng(7).normal(size=(500, 2)).astype("f4"), rate=250)
GRAPH = Bandpass(8, 30) | Map()


@dataclasses.dataclass(eq=False)
class Slow(Replay):
    """Says that it is being opened, and goes on when it may."""

    opening: threading.Event = dataclasses.field(default_factory=threading.Event)
    may: threading.Event = dataclasses.field(default_factory=threading.Event)

    def _open(self):
        self.opening.set()
        assert self.may.wait(20)
        super()._open()


def acting(source=None, **more):
    actuator = Memory()
    source = Replay(RECORDING, speed=0) if source is None else source
    return Session(source, GRAPH, actuator=actuator, guard=Guard(), **more), actuator


def test_a_stop_while_it_starts_leaves_nothing_that_acts():
    session, actuator = acting(slow := Slow(RECORDING, speed=0))
    failed = []

    def start():
        try:
            session.start()
        except StateError as e:
            failed.append(str(e))

    starter = threading.Thread(target=start)
    starter.start()
    assert slow.opening.wait(20)
    stopper = threading.Thread(target=session.stop, args=("emergency",))
    stopper.start()
    while not session._stopped:  # the stop is under way, and waits for the start
        threading.Event().wait(0.001)
    slow.may.set()
    starter.join(20)
    stopper.join(20)
    assert not starter.is_alive()
    assert not stopper.is_alive()
    assert "emergency" in failed[0]
    assert (actuator.phase, slow.phase) == ("closed", "closed")
    assert "start" not in actuator.so_far()
    with pytest.raises(StateError):
        session.run()


def test_a_stop_by_a_signal_in_the_middle_of_a_start_leaves_nothing_that_acts():
    session, actuator = acting()

    class Starts(Memory):
        def _start(self):
            super()._start()
            session.stop("signal")

    session.actuator = actuator = Starts()
    with pytest.raises(StateError):
        session.start()
    assert (actuator.phase, actuator.moving) == ("closed", False)


def test_a_miss_that_stops_makes_safe_before_the_context_ends():
    session, actuator = acting(Replay(RECORDING, speed=20), budget=Budget(age=1e-9, miss="stop"))
    with session:
        report = session.run()
        assert (actuator.phase, actuator.sent) == ("closed", 0)
        assert "does not allow" in report.ended
        assert session.run().ended == report.ended


def test_an_error_in_the_loop_makes_safe_before_anybody_handles_it():
    def look(out, said):
        raise ZeroDivisionError

    session, actuator = acting(look=look)
    session.start()
    with pytest.raises(ZeroDivisionError):
        session.run()
    assert actuator.phase == "closed"
    session.stop()


def test_a_source_without_a_pace_takes_no_markers():
    from ranvier.acquire import UDPMarkers

    session = Session(Replay(RECORDING, speed=0), GRAPH, markers={"cues": UDPMarkers("127.0.0.1:0")})
    with pytest.raises(ContractError, match="pace"):
        session.start()


@dataclasses.dataclass(eq=False)
class Railed(Replay):
    def _open(self):
        super()._open()
        self._entrance = Integrity(rail=100.0)


@pytest.mark.parametrize(
    ("source", "labels", "what"), [(Railed, ("a", "b"), "entrance"), (Replay, ("b", "a"), "labels")]
)
def test_a_recording_is_not_gone_on_with_by_what_would_replay_otherwise(tmp_path, source, labels, what):
    given = {"graph": Bandpass(8, 30), "record": tmp_path / "x.rvr"}
    with Session(Replay(RECORDING, speed=50), labels=("a", "b"), **given) as session:
        session.run(samples=100)
    with pytest.raises(StateError, match=what):
        Session(source(RECORDING, speed=50), labels=labels, resume=True, **given).start()


def test_a_recorded_command_says_what_it_was_and_what_became_of_it(tmp_path):
    limit = Limits(name="ch000", unit="uV", high=0.0, beyond="refuse")
    actuator = Memory()
    with Session(
        Replay(RECORDING, speed=20), GRAPH, actuator=actuator, guard=Guard(limit), record=tmp_path / "x.rvr"
    ) as session:
        session.run()
    recording = record.open(tmp_path / "x.rvr")
    commands = [n.payload for n in recording.log("command")]
    given = [c for c in commands if "given" in c]
    assert [tuple(c["given"]) for c in given] == [did for did in actuator.so_far() if isinstance(did, tuple)]
    assert {c["name"] for c in commands if c.get("refused") == "range"} == {"ch000"}
    counts = session.report.counts
    assert len(given) + sum("refused" in c for c in commands) == len(commands)
    assert len(commands) == counts["decisions"] - counts["invalid"] > 300
    assert {(*c["names"], *c["units"], c["model"]) for c in commands} == {
        ("ch000", "ch001", "uV", "uV", session.graph.id)
    }
    assert guard_from(recording.head["session"]["guard"]).limits == (limit,)
