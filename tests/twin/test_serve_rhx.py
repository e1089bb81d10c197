"""IntanRHX against RhxServer over loopback: no error in any count, faults with stated outcomes."""

import time

import numpy as np
import pytest

from ranvier.acquire import IntanRHX, Mark, Packet
from ranvier.acquire._rhx_commands import Remote
from ranvier.errors import ContractError, DeviceError
from ranvier.stage import Run
from ranvier.stream import Block, Channels
from ranvier.testing import check_source
from ranvier.twin import RhxServer
from tests.acquire.recordings import Held, amplifiers

SPEED = 20.0


def client(server, **more):
    return IntanRHX("127.0.0.1", server.port, **more)


def gather(source, n, limit=20.0):
    """Read until `n` samples are there."""
    out, end = [], time.monotonic() + limit
    while sum(len(p.samples) for p in out if isinstance(p, Packet)) < n:
        assert time.monotonic() < end
        out += source.read(0.5)
    return [p for p in out if isinstance(p, Packet)], [m for m in out if isinstance(m, Mark)]


def test_every_count_comes_through():
    counts, recording = amplifiers(30_000, 40, seed=1)
    with (
        RhxServer(recording, speed=SPEED, port=0) as server,
        client(server, channels="A-000..A-031,A-039,A-036") as source,
    ):
        assert source.info.rate == 30_000
        assert source.info.dtype == np.int16
        assert source.info.channels.names[-2:] == ("A-036", "A-039")
        assert source.info.channels.groups[0] == "A"
        assert source.settings["controller"] == "ControllerRecordUSB3"
        packets, _ = gather(source, 234 * 128)
    got = np.concatenate([p.samples for p in packets])
    assert np.array_equal(got, counts[: len(got), [*range(32), 36, 39]])
    assert [p.start for p in packets] == list(range(0, 234 * 128, 128))
    assert packets[9].device == 9 * 128 / 30_000
    assert source.counters.as_dict() == {
        **dict.fromkeys(source.counters.as_dict(), 0),
        "packets": 234,
        "samples": len(got),
    }


def test_the_entrance_gives_microvolts_and_marks_rails():
    counts, recording = amplifiers(1280, 3, seed=2)
    with (
        RhxServer(recording, speed=SPEED, port=0) as server,
        client(server, channels="A-000..A-002") as source,
    ):
        packets, _ = gather(source, 1280)
        run = Run(source.entrance, source.info)
    out = [run.push(Block(p.samples, p.start)) for p in packets]
    data, valid = np.concatenate([b.data for b in out]), np.concatenate([b.valid for b in out])
    assert np.array_equal(valid, np.abs(counts.astype(int)) < 32767)
    assert np.array_equal(data[valid], (counts.astype(np.float32) * np.float32(0.195))[valid])


def test_analog_and_digital_inputs():
    rng = np.random.default_rng(3)
    counts = rng.integers(-32768, 32768, (1280, 3)).astype(np.int16)
    lines = np.repeat(rng.integers(0, 65536, 10), 128)
    data = np.c_[counts * np.array([0.195, 0.195, 312.5]), lines].astype(np.float32)
    channels = Channels.of(["a", "b", "in", "t"], ["ecog", "ecog", "misc", "trigger"], ["uV", "uV", "uV", "1"])
    with (
        RhxServer(Held(data, channels, 2000), speed=SPEED, port=0) as server,
        client(server, channels="A-000,A-001,ANALOG-IN-1,DIGITAL-IN-03", kind="ecog") as source,
    ):
        assert source.info.channels.kinds == ("ecog", "ecog", "misc", "trigger")
        assert source.entrance.describe(source.info).channels.units == ("uV", "uV", "uV", "1")
        packets, marks = gather(source, 1280)
        run = Run(source.entrance, source.info)
    scaled = np.concatenate([run.push(Block(p.samples, p.start)).data for p in packets])
    assert np.array_equal(scaled[:, 2], counts[:, 2].astype(np.float32) * np.float32(312.5))
    got = np.concatenate([p.samples for p in packets])
    assert np.array_equal(got[:, :3], counts)
    assert np.array_equal(got[:, 3].view(np.uint16), lines)
    state = lines[:1].copy()
    for mark in marks:  # the marks alone give the lines back
        line, word = int(mark.label.split()[1]) - 1, mark.label.split()[2]
        assert mark.value == (word == "on")
        state = np.r_[state, np.full(int(mark.sample) - len(state) + 1, state[-1])]
        state[-1] ^= 1 << line
    assert np.array_equal(np.r_[state, np.full(1280 - len(state), state[-1])], lines)


def test_recorded_events_are_lines():
    _, recording = amplifiers(
        2560, 1, seed=4, rate=1000, samples=[300, 700], codes=[1, 2], labels={1: "left", 2: "right"}
    )
    with (
        RhxServer(recording, speed=SPEED, port=0) as server,
        client(server, channels="A-000,DIGITAL-IN-01") as source,
    ):
        _, marks = gather(source, 2560)
    assert [(m.sample, m.label) for m in marks] == [
        (300.0, "line 1 on"), (305.0, "line 1 off"), (700.0, "line 2 on"), (705.0, "line 2 off"),
    ]  # fmt: skip


def test_what_is_on_is_found_by_asking():
    counts, recording = amplifiers(1280, 140, seed=5, rate=2000)
    with RhxServer(recording, speed=SPEED, port=0) as server:
        remote = Remote("127.0.0.1", server.port, 2.0)
        for name in ("a-000", "A-017", "b-011"):
            remote.put(f"{name}.tcpdataoutputenabled", "true")
        remote.put("a-017.tcpdataoutputenabledlow", "true")
        remote.close()
        with client(server) as source:
            assert source.info.channels.names == ("A-000", "A-017", "A-017|LOW", "B-011")
            packets, _ = gather(source, 1280)
    assert np.array_equal(np.concatenate([p.samples for p in packets]), counts[:, [0, 17, 17, 139]])


def test_dropped_and_damaged_blocks_are_told():
    counts, recording = amplifiers(25_600, 2, seed=6)
    with (
        RhxServer(recording, speed=SPEED, port=0, drop=0.1, corrupt=0.1, seed=9) as server,
        client(server, channels="A-000,A-001") as source,
    ):
        end = time.monotonic() + 20
        packets = []
        while not server.ended and time.monotonic() < end:
            packets += source.read(0.2)
        packets += source.read(0.2)
    draws = np.random.default_rng(9).random((200, 2)) < 0.1
    whole = np.flatnonzero(~draws.any(1))
    assert [p.start // 128 for p in packets] == whole.tolist()
    for p in packets:
        assert np.array_equal(p.samples, counts[p.start : p.start + 128])
    told = source.counters
    assert told.samples == 128 * len(whole)
    assert told.lost == 128 * (whole[-1] + 1 - len(whole))
    assert 0 < told.damaged <= (draws[:, 1] & ~draws[:, 0]).sum()  # those in a row are one


def test_cable_cut_and_back():
    counts, recording = amplifiers(128 * 40, 1, seed=7, rate=2000)
    with RhxServer(recording, speed=SPEED, port=0) as server:
        source = client(server, channels="A-000")
        source.open()
        source.start()
        packets, _ = gather(source, 256)
        server.cut()
        with pytest.raises(DeviceError, match=r"IntanRHX lost the waveform port at 127\.0\.0\.1"):
            gather(source, 10**9)
        end, last = source._end, source._last
        source.close()
        source.open()
        source.start()
        again, _ = gather(source, 256)
        passed = time.monotonic() - last
        source.close()
    assert end >= packets[-1].start + 128
    assert end < again[0].start <= end + passed * 2000 + 1
    assert np.array_equal(np.concatenate([p.samples for p in again[:2]])[:, 0], counts[:256, 0])


def test_silence_is_an_error():
    _, recording = amplifiers(256, 1, seed=8, rate=2000)
    with (
        RhxServer(recording, speed=SPEED, port=0) as server,
        client(server, channels="A-000", timeout=0.2) as source,
    ):
        gather(source, 256)
        with pytest.raises(DeviceError, match=r"got none for 0\.2 s"):
            gather(source, 10**9)


def test_stop_and_close_in_any_order():
    _, recording = amplifiers(1280, 1, seed=9, rate=2000)
    with RhxServer(recording, speed=SPEED, loop=True, port=0) as server:
        source = client(server, channels="A-000")
        source.stop()
        source.close()
        source.open()
        source.close()
        source.open()
        source.start()
        gather(source, 128)
        source.stop()
        source.stop()
        source.start()
        assert gather(source, 128)[0][0].start >= 128
        source.close()
        source.close()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"channels": "A-000,A-077"}, "needs a-077.tcpdataoutputenabled"),
        ({"channels": "Z-000"}, "got Z-000"),
        ({"channels": "A-000", "bands": "wide,deep"}, "got 'deep'"),
        ({}, "none are switched on"),
        ({"channels": "A-000,A-AUX1,B-001"}, "from one port only"),
    ],
)
def test_refusals(more, said):
    _, recording = amplifiers(256, 2, seed=10)
    with RhxServer(recording, port=0) as server:
        source = client(server, **more)
        if "B-001" in more.get("channels", ""):
            server._names |= {"A-AUX1": 0, "B-001": 1}
        with pytest.raises(DeviceError, match=said):
            source.open()
        assert source.phase == "closed"


def test_nobody_there():
    _, recording = amplifiers(256, 1, seed=11)
    with RhxServer(recording, port=0) as server:
        port = server.port
    with pytest.raises(DeviceError, match="needs the command port"):
        IntanRHX("127.0.0.1", port, timeout=0.5).open()


def test_the_server_refuses_what_rhx_cannot_have():
    data = np.zeros((10, 9), np.float32)
    with pytest.raises(ContractError, match="at most 1024 channels"):
        RhxServer(Held(data, Channels.of(9, "misc"), 1000), port=0).open()


def test_answers_are_those_of_intans_example_client():
    _, recording = amplifiers(256, 11, seed=12)
    server = RhxServer(recording, port=0)
    server.open()
    assert server.answer("get runmode") == "Return: RunMode Stop"
    assert server.answer("get sampleratehertz") == "Return: SampleRateHertz 30000"
    assert server.answer("get type") == "Return: Type ControllerRecordUSB3"
    assert server.answer("execute clearalldataoutputs") == ""
    assert server.answer("set a-010.tcpdataoutputenabled true") == ""
    assert server.answer("get A-010.TCPDataOutputEnabled") == "Return: A-010.TCPDataOutputEnabled True"
    assert server.answer("set a-011.tcpdataoutputenabled true").startswith("Error")
    assert server.answer("jump").startswith("Error")
    server.close()


def test_python_intan_reads_our_server(capsys):
    interface = pytest.importorskip("intan.interface._rhx_device", reason="python-intan is not installed")
    counts, recording = amplifiers(128 * 100, 4, seed=13, rate=4000)
    with RhxServer(recording, speed=4.0, port=0) as server:
        device = interface.IntanRHXDevice(command_port=server.port, data_port=server.port + 1, num_channels=4)
        try:
            assert device.sample_rate == 4000
            device.enable_wide_channel(range(4))
            theirs = device.record(duration_sec=1.0, verbose=False)
            assert device.get_run_mode() == "Stop"
        finally:
            device.close(stop_after_disconnect=False)
    assert np.array_equal(np.rint(theirs.T / 0.195), counts[:4000])


def test_it_keeps_the_rules_of_sources():
    _, recording = amplifiers(8000, 4, seed=14, rate=2000, samples=range(100, 8000, 300), codes=1, labels={1: "go"})
    server = RhxServer(recording, port=0, loop=True, speed=2.0)
    server.open()
    server.start()

    def plug():
        server.open()
        server.start()

    try:
        check_source(
            lambda: client(server, channels="A-000..A-003,DIGITAL-IN-01"), samples=300, pull=server.close, plug=plug
        )
    finally:
        server.close()


def test_a_source_is_served_like_a_recording():
    counts, recording = amplifiers(12_800, 2, seed=15, rate=2000)
    with RhxServer(recording, port=0, speed=4.0) as first:
        inner = client(first, channels="A-000,A-001")
        with (
            RhxServer(inner, port=0) as second,
            client(second, channels="A-001,A-000", timeout=15.0) as source,
        ):  # its entrance is compiled
            packets, _ = gather(source, 1280)
    start, got = packets[0].start, np.concatenate([p.samples for p in packets])
    at = np.concatenate([p.start + np.arange(128) for p in packets])
    unclipped = np.abs(counts[at].astype(int)).max(1) < 32767
    assert np.array_equal(got[unclipped], counts[at][unclipped])
    assert start % 128 == 0
