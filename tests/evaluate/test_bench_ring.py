"""Bench ring: every carrier delivers what was sent before it is timed, and figures add up. No time is asserted."""

import json
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import pytest

from ranvier.errors import ConfigError, RanvierError
from ranvier.evaluate.bench import Options, markdown, ring
from ranvier.evaluate.bench import _carriers as carriers
from ranvier.evaluate.bench import _ring as ring_bench

SHAPE = (6, 16)


def need(peer):
    module = {"pyzmq": "zmq", "pylsl": "pylsl"}.get(peer)
    if module is not None and find_spec(module) is None:
        pytest.skip(f"{peer} is not installed (benchmarks/peers.txt)")


@pytest.mark.parametrize(
    ("peer", "between"), [(p, b) for p, (_, betweens, _) in carriers.CARRIERS.items() for b in betweens]
)
def test_every_carrier_delivers(peer, between):
    need(peer)
    message = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    with ring_bench._line(peer, between, SHAPE) as line:
        line.check(message)
        found = line.run(message, 300, 0.0)
    assert found["received"] == 300
    assert len(found["waited_us"]) == 300
    assert min(found["waited_us"]) > 0
    assert found["bytes"] == 300 * message.nbytes


def test_a_carrier_that_delivers_something_else_is_not_timed(monkeypatch):
    class Wrong(carriers.RingCarrier):
        @staticmethod
        @contextmanager
        def receiver(ticket, shape):
            with carriers.RingCarrier.receiver(ticket, shape) as receive:
                yield lambda: receive() + 1

    monkeypatch.setitem(carriers.CARRIERS, "ranvier", ((), ("threads",), Wrong))
    with ring_bench._line("ranvier", "threads", SHAPE) as line, pytest.raises(RanvierError, match="delivered others"):
        line.check(np.zeros(SHAPE, np.int16))


def test_ring_from_end_to_end():
    options = Options(channels=16, seconds=0.1, turns=2, block_ms=(1.0,), peers=("pipe",))
    told: list[str] = []
    found = json.loads(json.dumps(ring(options, told.append)))
    assert [(r["who"], r["between"]) for r in found["rows"]] == [
        ("ranvier", "threads"), ("ranvier", "processes"), ("pipe", "processes")
    ]  # fmt: skip
    assert all(r["lost"] == 0 and r["messages"] == 100 and r["gbytes"] > 0 for r in found["rows"])
    assert "| processes | pipe |" in markdown(found)
    assert any("comparing" in t for t in told)


def test_messages_too_small_for_a_number_are_refused():
    with pytest.raises(ConfigError, match="multiple of 4"):
        ring(Options(channels=6))
