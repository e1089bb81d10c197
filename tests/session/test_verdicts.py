"""A live session whose electrodes fail in the middle: what was judged, when and why is in the recording."""

import uuid

import numpy as np
import pytest

from ranvier import record
from ranvier.acquire import LSL
from ranvier.channels import BadChannels, ChannelVerdicts, CommonReference
from ranvier.session import Session, replay
from ranvier.stage import SIGNAL, Graph, Node, Run
from ranvier.stream import Block
from ranvier.twin import LSLServer
from tests.channels.planted import eeg

RATE, SPEED, SECONDS, N = 250, 16, 16, 16
JUDGE = {  # a second of EEG takes a sixteenth of one: so do hops, and frequencies are as much higher
    "hop": 1 / SPEED, "band": (1.0 * SPEED, 40.0 * SPEED), "noise": 50.0 * SPEED, "mains": 0.0,
    "patience": 2, "recovery": 3,
}  # fmt: skip
DEAD, RAILED, GONE = 3, 7, 11
FROM, TO = 6, 10  # s


def scene():
    """Return samples of which three electrodes die, rail and go to NaN from 6 s to 10 s."""
    x = eeg(SECONDS, RATE, 61, n=N).astype("f4")
    a, b = FROM * RATE, TO * RATE
    x[a:b, DEAD], x[a:b, RAILED], x[a:b, GONE] = x[a, DEAD], 187_500.0, np.nan
    return x


def test_verdicts_are_recorded_with_reason_and_time_and_replay_to_the_bit(tmp_path):
    pytest.importorskip("pylsl", reason="needs the extra acquire (pylsl)")
    x, name, seen = scene(), f"rv-{uuid.uuid4().hex[:8]}", []
    graph = Graph(
        (SIGNAL,),
        (
            Node("judged", BadChannels(**JUDGE, rail=187_500.0), ("signal",)),
            Node("verdicts", ChannelVerdicts(**JUDGE, rail=187_500.0), ("signal",)),
            Node("decided", CommonReference(), ("judged",)),
        ),
        ("decided", "verdicts"),
    )
    served = record.from_array(x, RATE, [f"E{i}" for i in range(N)])
    with LSLServer(served, name=name, speed=SPEED):
        live = Session(
            LSL(name=name, address="127.0.0.1"), graph, record=tmp_path / "x.rvr",
            look=lambda out, said: seen.append(out.copy()),
        )  # fmt: skip
        with live:
            live.run(seconds=30, samples=len(x))
    assert live.report.counts["samples"] == len(x)

    found = record.open(tmp_path / "x.rvr")
    raw = np.concatenate([d.samples for d in found.signal.blocks()])
    assert np.array_equal(raw, x, equal_nan=True)  # nothing lost
    assert record.verify(tmp_path / "x.rvr").clean

    names = [found.event_info.sources[s] for s in found.events.table["source"]]
    labels = [found.event_info.labels[int(c)] for c in found.events.table["code"]]
    told = list(zip(((found.events.table["sample"] + 1) / RATE).tolist(), names, labels, strict=True))
    for channel, first, reason in ((DEAD, FROM + 1, "flat"), (RAILED, FROM + 1, "saturated"), (GONE, FROM + 2, "lost")):
        mine = [(t, label) for t, who, label in told if who == f"E{channel}"]
        assert (first, f"bad:{reason}") in mine
        assert mine[-1][1] == "good"
        assert TO + 3 <= mine[-1][0] <= TO + 5
    assert {who for _, who, label in told if label.startswith("bad")} == {f"E{c}" for c in (DEAD, RAILED, GONE)}

    valid = np.concatenate([b.valid for b in seen])
    lost = np.flatnonzero(~valid.all(1))
    assert set(np.flatnonzero(~valid.all(0))) == {DEAD, RAILED, GONE}
    assert FROM * RATE <= lost[0] < lost[-1] <= (TO + 5) * RATE

    run = Run(live.sources["signal"].entrance | ChannelVerdicts(**JUDGE, rail=187_500.0), found.raw("signal").info)
    again = run.push(Block(raw)).table  # judged once more, as a whole, from what was recorded
    assert [(int(e["sample"]), run.info.labels[int(e["code"])], float(e["value"])) for e in again] == list(
        zip(found.events.table["sample"].tolist(), labels, found.events.table["value"].tolist(), strict=True)
    )
    assert replay(tmp_path / "x.rvr").check([None, 7, 500]).identical
