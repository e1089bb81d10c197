"""Channels of several units: a recording opens in those that were live, to the bit, and says when it began."""

import time
from datetime import datetime

import numpy as np

from ranvier import record
from ranvier.acquire import IntanRHX
from ranvier.session import Replay, Session
from ranvier.session._head import stored_of
from ranvier.stage import Run
from ranvier.stream import Block
from ranvier.twin import RhxServer


def test_amplifiers_and_digital_inputs_keep_their_units(tmp_path):
    rng = np.random.default_rng(3)
    counts = np.c_[rng.normal(0, 300, (30_000, 2)), rng.integers(0, 4, 30_000)].astype(np.int16)
    kinds, units = ["spikes", "spikes", "trigger"], ["uV", "uV", "1"]
    rec = record.from_array(counts, 30_000, ["a", "b", "t"], kind=kinds, unit=units, scale=[0.195, 0.195, 1.0])
    source = IntanRHX(channels="A-000..A-001,DIGITAL-IN-01")
    began = time.time()
    with RhxServer(rec, port=0) as server:
        source.port = server.port
        with Session(source, record=tmp_path / "x.rvr") as session:
            session.run(samples=12_800)

    live = Run(source.entrance, source.info)
    found = record.open(tmp_path / "x.rvr")
    assert began <= datetime.fromisoformat(found.entities.start).timestamp() <= time.time()
    assert found.info.channels == live.info.channels
    assert found.info.channels.units == ("uV", "uV", "1")
    raw = np.concatenate([d.samples for d in found.signal.blocks()])
    assert np.array_equal(raw[:, :2], counts[: len(raw), :2])
    seen = live.push(Block(raw, 0))
    assert found.read(0, len(raw)).data.tobytes() == seen.data.tobytes()
    again = Replay(tmp_path / "x.rvr")
    again.open()
    assert stored_of(again.entrance) == {"gain": found.signal.gain, "unit": found.signal.unit}
    again.close()
