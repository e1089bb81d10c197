"""Bench ring: every carrier delivers what was sent before it is timed, and figures add up. No time is asserted."""

import json
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from ranvier.errors import ConfigError, RanvierError
from ranvier.evaluate.bench import Options, markdown, ring
from ranvier.evaluate.bench import _carrier_redis as redis_bench
from ranvier.evaluate.bench import _carriers as carriers
from ranvier.evaluate.bench import _ring as ring_bench
from ranvier.evaluate.bench._machine import versions

SHAPE = (6, 16)


def need(peer):
    missing = [p for p in carriers.CARRIERS[peer][0] if not versions(p)]
    if missing:
        pytest.skip(f"{peer} needs {', '.join(missing)} (benchmarks/peers.txt)")


@pytest.mark.parametrize(
    ("peer", "between"), [(p, b) for p, (_, betweens, _) in carriers.CARRIERS.items() for b in betweens]
)
def test_every_carrier_delivers(peer, between):
    need(peer)
    message = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    with ring_bench.line_of(peer, between, SHAPE) as line:
        line.check(message)
        found = line.run(message, 300, 0.0)
    assert found["received"] == 300
    assert len(found["waited_us"]) == 300
    assert min(found["waited_us"]) > 0
    assert found["bytes"] == 300 * message.nbytes


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="CPU of other processes is read from /proc")
def test_redis_s_server_is_counted_and_ends_with_its_carrier():
    need("redis")
    message = np.zeros(SHAPE, np.int16)
    with ring_bench.line_of("redis", "processes", SHAPE) as line:
        server, folder = line.carrier.server, Path(line.carrier.ticket).parent
        before = ring_bench._spent(line.carrier)
        line.run(message, 100, 0.0)
        assert ring_bench._spent(line.carrier) > before > 0
        assert folder.exists()
    assert not folder.exists()
    assert not Path(f"/proc/{server}").exists()


def test_what_a_stream_no_longer_has_is_counted_as_lost(monkeypatch):
    need("redis")
    kept, sent = 8, 50
    monkeypatch.setattr(redis_bench, "KEPT", kept)
    carrier = redis_bench.RedisCarrier(SHAPE, "processes")
    try:
        message = np.zeros(SHAPE, np.int16)
        first, last = ring_bench._stamps(message)
        for number in range(sent):  # nobody reads yet
            first[0], first[1], last[0] = 1, number, number
            carrier.send(message)
        there = carrier._redis.xlen(redis_bench.STREAM)
        with redis_bench.RedisCarrier.receiver(carrier.ticket, SHAPE) as receive:
            found = ring_bench._listen(receive, sent, time.process_time_ns, message.nbytes)
    finally:
        carrier.close()
    assert found["received"] == there
    assert kept <= there < sent


def test_a_carrier_that_delivers_something_else_is_not_timed(monkeypatch):
    class Wrong(carriers.RingCarrier):
        @staticmethod
        @contextmanager
        def receiver(ticket, shape):
            with carriers.RingCarrier.receiver(ticket, shape) as receive:
                yield lambda: receive() + 1

    monkeypatch.setitem(carriers.CARRIERS, "ranvier", ((), ("threads",), Wrong))
    with ring_bench.line_of("ranvier", "threads", SHAPE) as line, pytest.raises(RanvierError, match="delivered others"):
        line.check(np.zeros(SHAPE, np.int16))


def test_ring_from_end_to_end():
    options = Options(channels=16, seconds=0.1, turns=2, block_ms=(1.0,), peers=("pipe",))
    told: list[str] = []
    found = json.loads(json.dumps(ring(options, told.append)))
    assert [(r["who"], r["between"]) for r in found["rows"]] == [
        ("ranvier", "threads"), ("ranvier", "processes"), ("ranvier awake", "processes"), ("pipe", "processes")
    ]  # fmt: skip
    assert all(r["lost"] == 0 and r["messages"] == 100 and r["gbytes"] > 0 for r in found["rows"])
    ours, pipe = found["rows"][1], found["rows"][-1]
    assert ours["times_ours_p50"] == 1
    assert pipe["times_ours_p99"] == pytest.approx(pipe["p99_us"] / ours["p99_us"])
    assert "| processes | pipe |" in markdown(found)
    assert any("comparing" in t for t in told)


def test_messages_too_small_for_a_number_are_refused():
    with pytest.raises(ConfigError, match="multiple of 4"):
        ring(Options(channels=6))
