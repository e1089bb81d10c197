"""Cues: markers enter the graph or are set aside, and a source that is gone is told."""

import dataclasses
import queue
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest

from ranvier import record
from ranvier.acquire import Marker, MarkerSource
from ranvier.errors import ContractError, DeviceError
from ranvier.features import Epoch
from ranvier.session import Replay, Session, replay
from ranvier.session._cues import Cues
from ranvier.stream import ClockFit, StreamInfo

RATE = 250
SIGNAL = np.random.default_rng(11).normal(size=(2000, 2)).astype("f4")
RECORDING = record.from_array(SIGNAL, rate=RATE, events=[(300, "a"), (900, "b"), (900, "b"), (1500, "other")])


@dataclasses.dataclass(eq=False)
class Handed(MarkerSource):
    """Markers that a test hands over; None takes the device away."""

    latency: float = 0.0
    jitter: float = 0.0
    watermark: float = 0.1
    given: queue.SimpleQueue = dataclasses.field(default_factory=queue.SimpleQueue)

    def _open(self):
        pass

    _start = _stop = _close = _open

    def _read(self, timeout):
        try:
            label = self.given.get(timeout=timeout)
        except queue.Empty:
            return []
        if label is None:
            raise DeviceError("the cable was pulled")
        return [self._stamped(label, 1.0)]


def test_a_marker_found_while_the_loop_asks_is_not_late():
    cues = Cues(StreamInfo.signal(RATE, 2), {"box": Handed()}, ["go"])
    fit = ClockFit(since=0, index=0.0, time=0.0, period=1 / RATE, uncertainty=0.001)
    intake = SimpleNamespace(fits=deque([fit]), marks=deque())
    (box,) = cues._followed
    box.heard = 10**9
    cues.hear(intake, 0, 500)
    # meanwhile its thread reads twice: a marker of 1.05 s that is there at once, then nothing up to 2 s
    box.found.append(Marker(1_050_000_000, "go", 1.0, 1_050_000_000))
    box.heard = 2 * 10**9
    first, said = cues.take()
    assert (first.n, said) == (0, [])
    assert first.stop == round(0.9 * RATE)  # what may still come within the watermark comes later
    cues.hear(intake, 500, 501)
    events, said = cues.take()
    assert events.table["sample"].tolist() == [262]
    assert "aside" not in said[0][1]


def test_a_source_of_markers_that_is_gone_is_written_down(tmp_path):
    box = Handed()
    box.given.put(None)
    with Session(Replay(RECORDING, speed=4), record=tmp_path / "x.rvr", markers={"box": box}) as session:
        session.run()
    gaps = [n.payload for n in record.open(tmp_path / "x.rvr").log("gap")]
    assert [(g["source"], g["error"]) for g in gaps if g["reason"] == "markers lost"] == [
        ("box", "DeviceError: the cable was pulled")
    ]


def epochs_of(speed, **more):
    found = []
    look = lambda out, said: found.extend(out.at.tolist())  # noqa: E731
    with Session(Replay(RECORDING, speed=speed), Epoch(0.0, 0.4), labels=("a", "b"), look=look, **more) as session:
        session.run()
    return found


def test_events_of_a_file_enter_the_graph_at_any_speed_and_two_at_one_instant_replay(tmp_path):
    wanted = [399, 999, 999]  # 100 samples from each event on
    assert epochs_of(0) == wanted
    assert epochs_of(20, record=tmp_path / "x.rvr") == wanted
    verdict = replay(tmp_path / "x.rvr").check()
    assert verdict.identical
    assert verdict.decisions == 3


@pytest.mark.parametrize(("patience", "good"), [(0.05, False), (0.15, False), (0.2, True)])
def test_markers_that_come_after_epoch_has_given_up_are_refused_before_the_start(patience, good):
    session = Session(
        Replay(RECORDING), Epoch(0.0, 0.4, patience=patience), labels=("a", "b"), markers={"box": Handed()}
    )
    if good:
        with session:
            assert session.events.labels == {0: "a", 1: "b"}
    else:
        with pytest.raises(ContractError, match="patience"):
            session.start()
