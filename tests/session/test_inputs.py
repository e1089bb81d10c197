"""Several sources, markers, a loop that was too slow: whatever entered the graph enters it again in a replay."""

import socket
import threading

import numpy as np
import pytest

from ranvier import denoise, features, record
from ranvier.acquire import Mark, UDPMarkers
from ranvier.errors import DeviceError, FormatError
from ranvier.session import Replay, Session, _session, replay
from ranvier.stage import EVENTS, SIGNAL, Align, Graph, Node, Run
from ranvier.stream import Block
from tests.session.scripted import Script, noise, outputs, packets

BAND = denoise.Bandpass(8, 30)


def joined(patience=1.0):
    return Align(names=("brain", "arm"), offsets=(0.0, 0.0), patience=patience) | denoise.Highpass(1.0)


def two(brain, arm):
    """Two devices: 500 Hz and 100 Hz, in real time."""
    device = {"paced": True, "real": True}
    return {
        "brain": Script(brain, rate=500, channels=3, name="brain", **device),
        "arm": Script(arm, rate=100, channels=2, name="arm", **device),
    }


# several sources ---------------------------------------------------------------------------------------
def test_two_sources_are_joined_and_replayed(tmp_path):
    kept = []
    sources = two(packets(noise(1000, 3, seed=1)), packets(noise(200, 2, seed=2)))
    with Session(sources, joined(), record=tmp_path / "a.rvr", look=lambda out, said: kept.append(out.copy())) as s:
        s.run(seconds=60)
    x = np.concatenate([b.data for b in kept])
    assert x.shape[1] == 5
    assert len(x) > 900
    assert not list(record.open(tmp_path / "a.rvr", stream="brain").log("control"))
    verdict = replay(tmp_path / "a.rvr").check()
    assert verdict.identical
    assert verdict.decisions == len(x)


def test_a_stream_that_falls_silent_is_given_up_and_taken_back(tmp_path):
    """The second device is away for a while: the first goes on with its cells invalid, by Controls that replay."""
    arm = packets(noise(400, 2, seed=2))
    steps = [*arm[:10], DeviceError("unplugged"), *arm[:20]]
    sources = two(packets(noise(1500, 3, seed=1)), steps)
    sources["arm"].opens = [None, DeviceError("gone"), DeviceError("gone"), None]
    kept = []
    with Session(sources, joined(), record=tmp_path / "a.rvr", look=lambda out, said: kept.append(out.copy())) as s:
        s.run(seconds=60)
    valid = np.concatenate([b.valid for b in kept])
    controls = [n.payload["kind"] for n in record.open(tmp_path / "a.rvr", stream="brain").log("control")]
    assert controls[:2] == ["timeout", "resume"]
    assert valid[-400:, :3].all()
    assert not valid[:, 3:].all()
    verdict = replay(tmp_path / "a.rvr").check()
    assert verdict.identical
    assert verdict.decisions == sum(b.n for b in kept)


def test_a_first_stream_that_falls_silent_is_waited_for(tmp_path):
    brain = packets(noise(1500, 3, seed=1))
    sources = two([*brain[:40], DeviceError("unplugged"), *brain[:60]], packets(noise(600, 2, seed=2)))
    sources["brain"].opens = [None, *[DeviceError("gone")] * 3, None]
    sources["brain"]._due = lambda step: (
        sources["brain"]._began + round(((step[0] + len(step[1])) if isinstance(step, tuple) else 0) * 1e9 / 500)
    )
    with Session(sources, joined(), record=tmp_path / "a.rvr") as s:
        s.run(seconds=60)
    assert s.report.ended == "source"
    assert s.report.sources["brain"]["reconnected"] == 1
    verdict = replay(tmp_path / "a.rvr").check()
    assert verdict.identical
    assert verdict.decisions > 900


# a loop that was too slow -------------------------------------------------------------------------------
@pytest.mark.parametrize(("keeps", "away"), [(1.5, 2.2), (0.4, 0.7)], ids=["a segment ends", "a gap is filled"])
def test_what_the_loop_has_not_seen_is_recorded_and_left_out_in_a_replay(tmp_path, monkeypatch, keeps, away):
    """Overtaken once between two blocks, and once in the midst of one."""
    monkeypatch.setattr(_session, "KEPT", keeps)
    source = Script(packets(noise(7000)), paced=True, real=True, rate=1000)
    s = Session(source, BAND, record=tmp_path / "a.rvr")
    never = threading.Event()
    slow = {700: "look", 3000: "step"}

    def look(out, said):
        if slow and min(slow) == 700 and out.stop > 700:
            slow.pop(700)
            never.wait(away)

    s.look = look
    with s:
        kept = s._loop.run.step

        def step(block):
            if slow and min(slow) == 3000 and block.start > 3000:
                slow.pop(3000)
                never.wait(away)
            return kept(block)

        s._loop.run.step = step
        s.run(seconds=60)
    assert s.report.counts["restarts"] == 1
    assert s.report.sources["signal"]["overrun_samples"] > 100
    found = record.open(tmp_path / "a.rvr")
    assert found.raw("signal").stretches == [(0, 7000)]
    controls = [n.payload for n in found.log("control")]
    assert [c["kind"] for c in controls][:2] == ["unseen", "restart"]
    verdict = replay(tmp_path / "a.rvr").check()
    assert verdict.identical
    assert verdict.decisions == s.report.counts["decisions"] < 7000


# markers -----------------------------------------------------------------------------------------------
def epochs():
    nodes = Node("band", BAND, ("signal",)), Node("epoch", features.Epoch(0.0, 0.2), ("band", "events"))
    return Graph((SIGNAL, EVENTS), nodes, ("epoch",))


def test_markers_enter_the_graph_late_ones_are_kept_aside(tmp_path):
    """Datagrams while it runs, two labels that enter, one that does not, one that comes too late; device marks too."""
    markers = UDPMarkers("127.0.0.1:0", watermark=0.2)
    steps = packets(noise(4000))
    steps.insert(115, Mark(1150.25, "left", 3.0, 0))
    source = Script(steps, paced=True, real=True, rate=1000)
    kept, sent = [], iter([
        (600, b"left"), (900, b"right"), (1000, b"pause"), (2000, b'{"label": "left", "age": 1.0}'), (2500, b"right"),
    ])  # fmt: skip
    due = [next(sent)]
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s = Session(
        source, epochs(), record=tmp_path / "a.rvr", markers={"cues": markers}, labels=("left", "right"),
        look=lambda out, said: kept.append(out.copy()),
    )  # fmt: skip

    def told():
        if due and s._loop._stops[0] >= due[0][0]:
            out.sendto(due.pop()[1], markers.address)
            due.extend([w for w in [next(sent, None)] if w])
        return False

    with out, s:
        s.run(seconds=60, stop=told)
    found = record.open(tmp_path / "a.rvr")
    said = [(n.payload["label"], n.payload.get("aside", ""), n.payload["source"], n.sample) for n in found.log("event")]
    assert sorted(v[:3] for v in said) == [
        ("left", "", "cues"), ("left", "", "device"), ("left", "late", "cues"), ("pause", "unknown", "cues"),
        ("right", "", "cues"), ("right", "", "cues"),
    ]  # fmt: skip
    assert ("left", "", "device", 1150) in said
    at = np.concatenate([b.at for b in kept])
    assert len(at) == 4
    entered = sorted(v[3] for v in said if not v[1])
    assert {int(a) - e for a, e in zip(sorted(at), entered, strict=True)} <= {199, 200}
    verdict = replay(tmp_path / "a.rvr").check()
    assert verdict.identical
    assert verdict.decisions == 4
    assert found.event_info is not None


# recordings as sources -----------------------------------------------------------------------------------
def test_recordings_of_every_kind_are_sources(tmp_path, shared):
    """An array, an EDF, a recorded session: what comes out is what the recording says, with its events."""
    edf = next(iter(sorted((shared / "eegmmidb_s001").glob("*R04.edf"))), None)
    if edf is None:
        pytest.skip("no EDF there")
    front, x = denoise.Highpass(0.1), noise(3000, 5)
    for given, recording in ((record.from_array(x, rate=1000), None), (str(edf), record.open(edf))):
        rows = [b.data for b in (recording or given).blocks(1000, 0, 3000)]
        index, got, _, s = outputs(Replay(given, speed=0), front, samples=3000)
        source = Replay(given)
        source.open()
        want = Run(front, source.entrance.describe(source.info)).push(Block(np.concatenate(rows), 0))
        source.close()
        assert s.report.ended == "samples"
        assert index[2999] == 2999
        assert got[:3000].tobytes() == want.data.tobytes()


def test_a_recording_that_is_not_there():
    with pytest.raises(FormatError, match="does not exist"):
        Session(Replay("nothing.edf"), BAND).start()
