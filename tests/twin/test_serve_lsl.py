"""LSL against LSLServer, and pylsl's own inlet against the same: no error in any number, names and marks alike."""

import re
import time
import uuid

import numpy as np
import pytest

from ranvier.acquire import LSL, Packet
from ranvier.errors import ConfigError, DeviceError
from ranvier.stage import Run
from ranvier.stream import Block, Channels
from ranvier.testing import check_source
from ranvier.twin import LSLServer
from tests.acquire.cyton_bytes import samples_of
from tests.acquire.recordings import Held

pylsl = pytest.importorskip("pylsl", reason="needs the extra acquire (pylsl)")

NAMES = Channels.of(["C3", "C4", "VEOG", "x"], ["eeg", "eeg", "eog", "misc"], ["uV", "uV", "uV", "1"])


def recording(n=800, seed=0, **more):
    data = np.random.default_rng(seed).standard_normal((n, 4)).astype("f4") * 100
    return Held(data, NAMES, 250, samples=(100, 101, 600), codes=(0, 1, 0), labels={0: "left", 1: "right"}, **more)


def name():
    return f"rv-{uuid.uuid4().hex[:8]}"


def gather(source, n, limit=20.0):
    out, end = [], time.monotonic() + limit
    while sum(len(p.samples) for p in out if isinstance(p, Packet)) < n:
        assert time.monotonic() < end
        out += source.read(0.2)
    return out


def port_of(stream):
    return re.search(r"<v4data_port>(\d+)", pylsl.resolve_byprop("name", stream, 1, 5)[0].as_xml())[1]


@pytest.mark.parametrize("how", ["name", "source_id", "name and type", "address and name", "address with port"])
def test_every_number_comes_through_however_it_is_found(how):
    rec, stream = recording(), name()
    with LSLServer(rec, name=stream, speed=4.0) as server:
        asked = {
            "name": {"name": stream},
            "source_id": {"source_id": f"ranvier-{stream}"},
            "name and type": {"name": stream, "type": "EEG"},
            "address and name": {"address": "127.0.0.1", "name": stream},
            "address with port": {"address": "127.0.0.1"},
        }[how]
        if how == "address with port":
            asked["address"] += ":" + port_of(stream)
        with LSL(**asked) as source:
            assert source.info.rate == 1000
            assert source.info.channels == NAMES
            assert source.info.dtype == np.float32
            assert source.settings["unit"] == "stated"
            found = gather(source, 800)
    index, samples = samples_of(found)
    assert np.array_equal(index, np.arange(800))
    assert np.array_equal(samples, rec.data)
    assert (source.counters.samples, source.counters.gaps) == (800, 0)
    assert all(abs(p.arrival * 1e-9 - p.device) < 2 for p in found)  # LSL time is the host's monotonic clock
    assert server.error is None


def test_pylsl_reads_the_server_and_its_markers():
    rec, stream = recording(), name()
    with LSLServer(rec, name=stream, speed=4.0):
        marks = pylsl.StreamInlet(pylsl.resolve_byprop("name", f"{stream} markers", 1, 5)[0])
        marks.open_stream(5)
        inlet = pylsl.StreamInlet(pylsl.resolve_byprop("name", stream, 1, 5)[0])
        info = inlet.info(5)
        assert info.get_channel_labels() == list(NAMES.names)
        assert info.get_channel_units() == ["microvolts"] * 3 + ["1"]
        samples, stamps = [], []
        end = time.monotonic() + 20
        while len(stamps) < 800 and time.monotonic() < end:
            x, t = inlet.pull_chunk(0.2)
            samples += x
            stamps += t
        labels, at = [], []
        while len(labels) < 3 and time.monotonic() < end:
            x, t = marks.pull_sample(0.5)
            labels += x or []
            at += [t]
        marks.close_stream()
        inlet.close_stream()
    assert np.array_equal(np.array(samples, "f4"), rec.data)
    assert np.allclose(np.diff(stamps), 1 / 1000, atol=1e-9)
    assert labels == ["left", "right", "left"]
    assert np.allclose(at, np.array(stamps)[[100, 101, 600]], atol=1e-9)


def test_gaps_of_a_recording_are_found_in_the_time_stamps():
    rec = recording(pieces=[(0, 0, 300), (500, 300, 500)])
    stream = name()
    with LSLServer(rec, name=stream, speed=4.0), LSL(stream) as source:
        index, samples = samples_of(gather(source, 800))
    assert index.tolist() == [*range(300), *range(500, 1000)]
    assert np.array_equal(samples, rec.data)
    assert (source.counters.gaps, source.counters.lost) == (1, 200)


def test_volts_become_microvolts_and_int16_stays():
    stream = name()
    info = pylsl.StreamInfo(stream, "EEG", 2, 100, "int16", stream)
    info.set_channel_labels(["a", "b"])
    info.set_channel_units(["millivolts", "microvolts"])
    outlet = pylsl.StreamOutlet(info)
    with LSL(stream) as source:
        outlet.wait_for_consumers(5)
        outlet.push_chunk(np.array([[1, 2], [3, -4]], np.int16))
        packets = gather(source, 2)
        out = Run(source.entrance, source.info).push(Block(np.concatenate([p.samples for p in packets])))
        assert source.info.dtype == np.int16
        assert source.info.channels.units == ("millivolts", "uV")
    assert out.data.tolist() == [[1000, 2], [3000, -4]]
    del outlet


def test_conformance_with_the_sender_gone_and_back():
    rec, stream = recording(), name()
    server = LSLServer(rec, name=stream, loop=True, speed=4.0)
    server.open()
    server.start()

    def plug():
        server.open()
        server.start()

    try:
        check_source(lambda: LSL(stream, timeout=2.0), pull=server.close, plug=plug)
    finally:
        server.close()


def test_what_is_not_there_or_not_alone_is_told():
    with pytest.raises(DeviceError, match=r"needs one stream of samples with name=nobody.*found 0"):
        LSL("nobody", timeout=0.3).open()
    with pytest.raises(DeviceError, match=r"address=127\.0\.0\.1:1; within 0\.3 s it found 0"):
        LSL(address="127.0.0.1:1", timeout=0.3).open()
    with pytest.raises(ConfigError, match="without an apostrophe"):
        LSL("it's").open()
    with pytest.raises(ConfigError, match="HOST or HOST:PORT"):
        LSL(address="127.0.0.1:x").open()
    a, b = name(), name()
    rec = recording()
    kind = uuid.uuid4().hex
    outlets = [pylsl.StreamOutlet(pylsl.StreamInfo(n, kind, 1, 100, "float32", n)) for n in (a, b)]
    with pytest.raises(DeviceError, match=r"found 2: .*Name one by source_id"):
        LSL(type=kind, address="127.0.0.1", timeout=3).open()
    del outlets
    with pytest.raises(ConfigError, match="seen machine or network"):
        LSLServer(rec, seen="everywhere")


def test_a_real_recording_comes_through_to_the_bit(shared):
    from ranvier import record

    file = shared / "eegmmidb_s001" / "S001R04.edf"
    if not file.is_file():
        pytest.skip("EEGMMIDB is not beside this checkout")
    rec, stream = record.open(file), name()
    with LSLServer(rec, name=stream, speed=20.0, seconds=20.0) as server, LSL(stream) as source:
        index, samples = samples_of(gather(source, 3200))
        assert source.info.channels.names == rec.info.channels.names
    assert np.array_equal(index, np.arange(3200))
    assert np.array_equal(samples, rec.read(0, 3200).data)
    assert server.ended
