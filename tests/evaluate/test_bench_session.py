"""Bench session, its peers: they deliver as many blocks as were sent, and figures add up. No time is asserted."""

import json

import numpy as np
import pytest

from ranvier.evaluate.bench import Options
from ranvier.evaluate.bench import _session as session_bench
from ranvier.evaluate.bench import _session_peers as peers_bench
from ranvier.evaluate.bench._machine import versions
from ranvier.evaluate.bench._running_load import Load

SEED = 5
SECONDS = 0.2


def need(peer):
    missing = [p for p in peers_bench.PEERS[peer] if not versions(p)]
    if missing:
        pytest.skip(f"{peer} needs {', '.join(missing)} (benchmarks/peers.txt)")


@pytest.fixture(scope="module")
def load():
    return Load.of(64, 30, SEED)


def whole(row):
    assert row["blocks"] + row["lost"] // 30 == round(1000 * SECONDS)
    assert 0 < row["done_p50"] <= row["done_p99"] <= row["done_p999"]
    assert row["percent"] > 0


@pytest.mark.parametrize("peer", ["pylsl", "redis"])
def test_transport_alone(load, peer):
    need(peer)
    (row,) = peers_bench.beside(load, [peer], SECONDS, lambda _: None)
    assert row["session"] == peer
    whole(row)


def test_ezmsg_in_one_process_and_in_three(load, monkeypatch):
    need("ezmsg")
    monkeypatch.setattr(peers_bench, "GRAPHS", ((3, True), (1, False)))  # (1, True): test_bench_running
    rows = list(peers_bench.beside(load, ["ezmsg"], SECONDS, lambda _: None))
    assert [r["session"] for r in rows] == ["ezmsg, 3 processes", "ezmsg, 1 process, passing on"]
    for row in rows:
        whole(row)
        assert row["lost"] == 0  # who sends waits for who hears


def test_peers_stand_beside_the_first_session_and_only_where_asked(monkeypatch):
    ours = {f"done_{k}": v for k, v in (("p50", 2.0), ("p99", 4.0), ("p999", 8.0))} | {"lost": 0}
    theirs = {k: 3 * v for k, v in ours.items()} | {"session": "redis"}
    monkeypatch.setattr(session_bench, "_one", lambda *_: dict(ours))
    monkeypatch.setattr(session_bench, "beside", lambda *_: iter([dict(theirs)]))
    options = {"channels": 64, "seconds": SECONDS, "seed": SEED}
    alone = json.loads(json.dumps(session_bench.session(Options(**options))))
    assert all(r["session"] != "redis" for r in alone["rows"])
    assert alone["rows"][0]["times_ours_p50"] == 1
    need("redis")
    found = json.loads(json.dumps(session_bench.session(Options(**options, peers=("redis",)))))
    assert found["rows"][0]["times_ours_p99"] == 1
    assert found["rows"][-1]["session"] == "redis"
    assert np.allclose([found["rows"][-1][f"times_ours_{k}"] for k in ("p50", "p99", "p999")], 3)
    assert any(note.startswith("redis: ") for note in found["notes"])
    assert "redis" in found["machine"]
