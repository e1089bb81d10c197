"""EphysSocket against EphysSocketServer over loopback."""

import time

import numpy as np
import pytest

from ranvier.acquire import EphysSocket, source
from ranvier.errors import DeviceError
from ranvier.testing import check_source
from ranvier.twin import EphysSocketServer
from tests.acquire.recordings import amplifiers


def test_every_count_comes_through():
    counts, recording = amplifiers(8000, 5, seed=71, rate=2000)
    with EphysSocketServer(recording, port=0, speed=2.0) as server, source(server.source_text) as client:
        assert client.info.dtype == np.int16
        assert client.info.rate == 2000
        packets, end = [], time.monotonic() + 20
        while sum(len(p.samples) for p in packets) < 3000 and time.monotonic() < end:
            packets += client.read(0.5)
    got = np.concatenate([p.samples for p in packets])
    places = [i for i in range(8000 - len(got)) if np.array_equal(counts[i : i + 3], got[:3])]
    assert len(places) == 1  # the protocol has no count: where it begins is seen from the samples alone
    assert np.array_equal(got, counts[places[0] : places[0] + len(got)])
    assert [p.start for p in packets] == np.cumsum([0] + [len(p.samples) for p in packets])[:-1].tolist()


def test_it_keeps_the_rules_of_sources():
    _, recording = amplifiers(8000, 2, seed=72, rate=2000)
    server = EphysSocketServer(recording, port=0, loop=True, speed=2.0)
    server.open()
    server.start()

    def plug():
        server.open()
        server.start()

    try:
        check_source(
            lambda: EphysSocket("127.0.0.1", server.port, rate=2000.0), samples=300, pull=server.close, plug=plug
        )
    finally:
        server.close()


def test_nobody_there():
    with pytest.raises(DeviceError, match="needs a sender"):
        EphysSocket("127.0.0.1", 1).open()
