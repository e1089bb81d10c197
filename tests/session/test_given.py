"""What a session is given is refused when it is given, not when a loop stumbles on it."""

import threading

import numpy as np
import pytest

from ranvier import record
from ranvier.denoise import Integrity
from ranvier.errors import ConfigError, ContractError, DeviceError, StateError
from ranvier.session import Replay, Session
from ranvier.stream import Device

REC = record.from_array(np.zeros((500, 2), "f4"), rate=250)


def replay(speed=0.0):
    return Replay(REC, speed=speed)


@pytest.mark.parametrize("source", [None, "replay:x", 5, [replay()], {"a": 1}, {5: replay()}, {"a": None}])
def test_sources_that_are_none(source):
    with pytest.raises(ContractError, match="Session needs a Source"):
        Session(source, Integrity())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"budget": 0.1}, "budget"), ({"host": 5}, "host"), ({"look": 5}, "look"), ({"labels": [1]}, "labels"),
        ({"markers": {"a": 1}}, "MarkerSource"), ({"markers": [1]}, "MarkerSource"),
        ({"actuator": 5, "guard": 5}, "actuator"),
        ({"head": {"x": object()}}, "head"), ({"head": {"x": float("nan")}}, "head"),
    ],
)  # fmt: skip
def test_what_is_of_another_kind(given, said):
    with pytest.raises(ContractError, match=f"Session needs .*{said}"):
        Session(replay(), Integrity(), **given)


def test_a_path_that_is_none():
    with pytest.raises(ConfigError, match="path to record to; got 5"):
        Session(replay(), record=5)


def test_one_label_is_one_label():
    assert Session(replay(), Integrity(), labels="go").labels == ("go",)


@pytest.mark.parametrize(
    "length",
    [
        {"seconds": -1}, {"seconds": float("nan")}, {"seconds": float("inf")}, {"seconds": "x"}, {"minutes": 1e300},
        {"samples": -1}, {"samples": 1.5}, {"samples": float("nan")}, {"samples": True}, {"minutes": None},
    ],
)  # fmt: skip
def test_lengths_that_are_none(length):
    with Session(replay(), Integrity()) as s:
        with pytest.raises(ContractError, match=r"Session needs a (length|whole number)"):
            s.run(**length)
        assert s.run().counts["samples"] == 500


def test_a_viewer_of_nothing():
    with Session(replay(), Integrity()) as s, pytest.raises(ContractError, match=r"one of its sources \(signal\)"):
        s.viewer("nope")


def test_one_loop_at_a_time():
    met, said = threading.Event(), []

    def look(out, _):
        if not met.is_set():
            met.set()
            thread.join(10)

    def second():
        met.wait(10)
        try:
            s.run()
        except StateError as e:
            said.append(str(e))

    with Session(replay(), Integrity(), look=look) as s:
        thread = threading.Thread(target=second)
        thread.start()
        assert s.run().counts["samples"] == 500
        thread.join(10)
    assert said == ["Session.run needs a session whose loop does not run; it runs already. Wait for its end."]


class Breaks(Device):
    """Raises at one verb what a driver may raise."""

    def __init__(self, at):
        self._told, self.done = at, []  # a name that a device may have, too

    def _do(self, verb):
        self.done.append(verb)
        if verb == self._told:
            raise ValueError("of its driver")

    def _open(self):
        self._do("opened")

    def _start(self):
        self._do("started")

    def _stop(self):
        self._do("stopped")

    def _close(self):
        self._do("closed")


@pytest.mark.parametrize("verb", ["opened", "started", "stopped", "closed"])
def test_what_a_driver_raises_names_the_device(verb):
    device = Breaks(verb)
    said = f"Breaks cannot be {verb}: ValueError: of its driver"
    with pytest.raises(DeviceError, match=said), device:
        pass
    assert device.phase == "closed"
    assert device.done[-1] == "closed"
    assert ("started" in device.done) <= ("stopped" in device.done)
