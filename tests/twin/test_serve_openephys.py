"""OpenEphys against OpenEphysServer over loopback: no error in any number, faults with stated outcomes."""

import json
import threading
import time

import numpy as np
import pytest

from ranvier.acquire import Mark, OpenEphys, Packet
from ranvier.errors import ContractError, DeviceError
from ranvier.testing import check_source
from ranvier.twin import OpenEphysServer
from tests.acquire.recordings import amplifiers

zmq = pytest.importorskip("zmq", reason="pyzmq is not installed")

RATE = 2000


def gather(source, n, limit=20.0):
    """Read until `n` samples are there."""
    out, end = [], time.monotonic() + limit
    while sum(len(p.samples) for p in out if isinstance(p, Packet)) < n:
        assert time.monotonic() < end
        out += source.read(0.5)
    return [p for p in out if isinstance(p, Packet)], [m for m in out if isinstance(m, Mark)]


def served(n, n_channels, seed, speed=4.0, **more):
    _, recording = amplifiers(
        n, n_channels, seed, rate=RATE, **{k: v for k, v in more.items() if k in ("samples", "codes", "labels")}
    )
    rest = {k: v for k, v in more.items() if k not in ("samples", "codes", "labels")}
    return recording, OpenEphysServer(recording, port=0, speed=speed, loop=True, **rest)


def places(packets):
    """Return where in the recording's time the samples of each packet lie: the plugin's own count."""
    return np.concatenate([round(p.device * RATE) + np.arange(len(p.samples)) for p in packets])


def test_every_number_comes_through():
    recording, server = served(8000, 12, seed=41)
    with server, OpenEphys("127.0.0.1", server.port) as source:
        assert source.info.channels.names == recording.info.channels.names
        assert source.info.rate == RATE
        assert source.info.name == "held"
        packets, _ = gather(source, 4000)
        assert server.clients == {"Ranvier"}
    got, at = np.concatenate([p.samples for p in packets]), places(packets)
    assert np.array_equal(got, recording.data[at % 8000])
    assert packets[0].start == 0
    assert np.array_equal(np.diff(at), np.ones(len(at) - 1))
    told = source.counters
    assert (told.packets, told.samples) == (len(packets), len(got))
    assert (told.gaps, told.damaged, told.missed, told.incomplete) == (0, 0, 0, 0)


def test_events_come_with_their_sample():
    _, server = served(2000, 2, seed=42, samples=[500, 1500], codes=[1, 2], labels={1: "left", 2: "right"})
    with server, OpenEphys("127.0.0.1", server.port) as source:
        packets, marks = gather(source, 4000)
    zero = int(places(packets)[0])
    texts = [(int(m.sample) + zero) % 2000 for m in marks if m.label == "left"]
    lines = [(int(m.sample) + zero) % 2000 for m in marks if m.label == "line 1 on"]
    assert set(texts) == {500}
    assert set(lines) == {1500}
    assert {m.label for m in marks} == {"left", "right", "line 0 on", "line 0 off", "line 1 on", "line 1 off"}


def test_lost_messages_are_told_and_cost_their_channel_alone():
    recording, server = served(8000, 4, seed=43, drop=0.02)
    with server, OpenEphys("127.0.0.1", server.port) as source:
        packets, _ = gather(source, 8000)
    got, at = np.concatenate([p.samples for p in packets]), places(packets)
    lost = np.isnan(got)
    assert np.array_equal(got[~lost], recording.data[at % 8000][~lost])
    told = source.counters
    assert told.missed > 0
    assert 20 * told.missed >= lost.sum() + 4 * told.lost > 0  # a buffer has 20 samples
    assert told.incomplete == sum(np.isnan(p.samples).any() for p in packets)


def test_cable_out_and_back():
    recording, server = served(2000, 2, seed=44)
    with server:
        source = OpenEphys("127.0.0.1", server.port, timeout=0.5)
        source.open()
        source.start()
        packets, _ = gather(source, 200)
        server.plugged = False
        with pytest.raises(DeviceError, match=r"got none for 0\.5 s"):
            gather(source, 10**9)
        source.close()
        server.plugged = True
        source.open()
        source.start()
        again, _ = gather(source, 200)
        source.close()
    zero = places(packets)[0]
    assert again[0].start == places(again)[0] - zero  # the GUI went on: the index is exact
    assert again[0].start > packets[-1].start
    got = np.concatenate([p.samples for p in again])
    assert np.array_equal(got, recording.data[places(again) % 2000])


def test_nobody_there():
    with pytest.raises(DeviceError, match="start acquisition"):
        OpenEphys("127.0.0.1", 1, timeout=0.2).open()


def test_another_stream_is_named():
    _, server = served(2000, 2, seed=45)
    with server, pytest.raises(DeviceError, match="streams there: held"):
        OpenEphys("127.0.0.1", server.port, stream="probe", timeout=0.5).open()


def test_stop_and_close_in_any_order():
    _, server = served(2000, 1, seed=46)
    with server:
        source = OpenEphys("127.0.0.1", server.port)
        source.stop()
        source.close()
        source.open()
        source.close()
        source.open()
        source.start()
        packets, _ = gather(source, 40)
        source.stop()
        source.stop()
        source.start()
        again, _ = gather(source, 40)
        assert again[0].start > packets[-1].start
        source.close()
        source.close()


def test_what_is_said_to_the_heartbeat_port():
    _, server = served(2000, 1, seed=47)
    context = zmq.Context()
    with server:
        asker = context.socket(zmq.REQ)
        asker.connect(f"tcp://127.0.0.1:{server.port + 1}")
        for said, answer in [(b"{", b"JSON message could not be read"), (b"3", b"JSON message could not be read")]:
            asker.send(said)
            assert asker.poll(5000)
            assert asker.recv() == answer
        assert not server.streaming
        asker.send(json.dumps({"application": "me", "uuid": "1", "type": "heartbeat"}).encode())
        assert asker.poll(5000)
        assert asker.recv() == b"heartbeat received"
        asker.close(0)
        assert server.error is None
    context.term()
    assert server.clients == {"me"}


def test_the_server_refuses_a_buffer_of_no_length():
    with pytest.raises(ContractError, match="buffer"):
        served(100, 1, seed=48, buffer=0.0)


def test_python_oephys_reads_our_server():
    interface = pytest.importorskip("pyoephys.interface._zmq_client", reason="python-oephys is not installed")
    recording, server = served(8000, 3, seed=49, speed=1.0)
    with server:
        client = interface.ZMQClient(data_port=str(server.port), expected_channel_count=3, buffer_seconds=5.0)
        client.start()
        try:
            end = time.monotonic() + 20
            while len(client.buffers[2]) < 1000 and time.monotonic() < end:
                server.wait(0.02)
        finally:
            client.stop()
            client._teardown()
        theirs = [np.array(client.buffers[i], np.float32) for i in range(3)]
        first = [client._last_header_index[i] for i in range(3)]
    assert client.fs == RATE
    for i in range(3):  # the last buffer of each channel begins at the sample that its header named
        n = min(len(theirs[i]), 1000)
        stop = first[i] + 20
        assert np.array_equal(theirs[i][-n:], recording.data[np.arange(stop - n, stop) % 8000, i])


def test_open_ephys_python_tools_hear_our_events(capsys):
    streaming = pytest.importorskip("open_ephys.streaming", reason="open-ephys-python-tools is not installed")
    _, server = served(2000, 2, seed=50, samples=[500, 1500], codes=[1, 2], labels={1: "left", 2: "right"}, broadcast=0)
    heard = []
    with server:
        listener = streaming.EventListener(port=server.broadcast)

        def hear(told):
            heard.append((told["line"], told["state"], told["sample_number"] % 2000))
            if len(heard) == 12:
                listener.stop()

        ear = threading.Thread(target=listener.start, kwargs={"ttl_callback": hear})
        ear.start()
        with OpenEphys("127.0.0.1", server.port) as source:
            gather(source, 4000)
            end = time.monotonic() + 10
            while ear.is_alive() and time.monotonic() < end:
                source.read(0.1)
        listener.stop()
        ear.join(5)
        listener.socket.close(0)
        listener.context.term()
    assert set(heard) == {(0, 1, 500), (0, 0, 510), (1, 1, 1500), (1, 0, 1510)}


def test_it_keeps_the_rules_of_sources():
    _, server = served(8000, 3, seed=51, samples=range(100, 8000, 300), codes=1, labels={1: "go"})
    server.open()
    server.start()

    def plug():
        server.open()
        server.start()

    try:
        check_source(
            lambda: OpenEphys("127.0.0.1", server.port, timeout=2.0), samples=300, pull=server.close, plug=plug
        )
    finally:
        server.close()


def test_a_gui_on_this_machine_is_found(monkeypatch):
    _, server = served(8000, 1, seed=52, patient=False)
    with server:
        monkeypatch.setattr(OpenEphys, "port", server.port)
        (found,) = OpenEphys.nearby(5.0)
    assert found == ("openephys:127.0.0.1?stream=held", "held", "Open Ephys GUI, 2000 Hz")
    assert OpenEphys.nearby(0.05) == []
