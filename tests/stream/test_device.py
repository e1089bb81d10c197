"""The life cycle of devices, in any order and from any phase."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.errors import DeviceError, StateError
from ranvier.stream import Device

NEXT = {("open", "closed"): "open", ("start", "open"): "running", ("stop", "running"): "open"}
INSIDE = {("close", "open"): ["_close"], ("close", "running"): ["_stop", "_close"]}


class Lamp(Device):
    def __init__(self, broken=""):
        self.broken, self.did = broken, []

    def _do(self, what):
        self.did.append(what)
        if what == self.broken:
            raise OSError(what)

    def _open(self):
        self._do("_open")

    def _start(self):
        self._do("_start")

    def _stop(self):
        self._do("_stop")

    def _close(self):
        self._do("_close")


@given(st.lists(st.sampled_from(["open", "start", "stop", "close"]), max_size=12))
def test_any_order_reaches_the_described_phase_and_stop_and_close_never_raise(verbs):
    lamp, phase, did = Lamp(), "closed", []
    for verb in verbs:
        after = NEXT.get((verb, phase), "closed" if verb == "close" else phase)
        if verb in ("open", "start") and (verb, phase) not in NEXT:
            with pytest.raises(StateError, match="order is open, start, stop, close"):
                getattr(lamp, verb)()
        else:
            getattr(lamp, verb)()
            did += INSIDE.get((verb, phase), [f"_{verb}"] if (verb, phase) in NEXT else [])
        phase = after
        assert lamp.phase == phase
        assert lamp.did == did


def test_what_fails_half_way_is_made_safe():
    lamp = Lamp("_open")
    with pytest.raises(DeviceError, match="_open"):
        lamp.open()
    assert (lamp.phase, lamp.did) == ("closed", ["_open", "_close"])
    lamp = Lamp("_start")
    with pytest.raises(DeviceError, match="_start"), lamp:
        pass
    assert (lamp.phase, lamp.did) == ("closed", ["_open", "_start", "_stop", "_close"])


def test_a_failing_stop_still_closes():
    lamp = Lamp("_stop")
    with pytest.raises(DeviceError, match="_stop"), lamp:
        pass
    assert (lamp.phase, lamp.did) == ("closed", ["_open", "_start", "_stop", "_close"])
