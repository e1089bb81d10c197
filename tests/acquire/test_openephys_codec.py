"""OpenEphysCodec against messages written by hand from the documentation, a naive decoder, and hostile headers."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.acquire import Mark, OpenEphysCodec, Packet
from ranvier.acquire._openephys_codec import LONGEST, OpenEphysCounters, decode

N = 5  # samples of a buffer


def message(number, kind, inner, payload=b"", envelope=b"DATA"):
    head = {"message_num": number, "type": kind, "spike" if kind == "spike" else "content": inner}
    return [envelope, json.dumps(head).encode(), payload]


def piece(number, channel, sample, values, stream="probe", **more):
    inner = {
        "stream": stream,
        "channel_num": channel,
        "num_samples": len(values),
        "sample_num": sample,
        "sample_rate": 30000.0,
    }
    return message(number, "data", inner | more, struct.pack(f"<{len(values)}f", *values))


def stream(n_buffers, channels, seed, first=1000):
    """Return data ``(n, channels)`` and the messages of all buffers, channel after channel."""
    data = np.random.default_rng(seed).standard_normal((n_buffers * N, len(channels))).astype(np.float32)
    out = []
    for k in range(n_buffers):
        part = data[k * N : (k + 1) * N]
        out += [piece(len(out) + i, c, first + k * N, part[:, i]) for i, c in enumerate(channels)]
    return data, out


def fed(codec, messages):
    return [thing for frames in messages for thing in codec.feed(frames)]


def naive(messages):
    """Put together what belongs together: a dictionary of dictionaries of tuples."""
    found = {}
    for _, head, payload in messages:
        inner = json.loads(head)["content"]
        n = inner["num_samples"]
        found.setdefault(inner["sample_num"], {})[inner["channel_num"]] = struct.unpack(f"<{n}f", payload)
    return found


def test_a_message_by_hand():
    head = (
        b'{"message_num":7,"type":"data","content":{"stream":"example_data","channel_num":0,"num_samples":2,'
        b'"sample_num":4096,"sample_rate":40000},"data_size":8,"timestamp":1700000000000}'
    )
    codec = OpenEphysCodec([0], "example_data", rate=40_000.0)
    (packet,) = codec.feed([b"DATA", head, bytes([0, 0, 128, 63, 0, 0, 0, 192])], arrival=5)  # 1.0 and -2.0
    assert packet.samples.tolist() == [[1.0], [-2.0]]
    assert packet.samples.dtype == np.float32
    assert (packet.start, packet.arrival, packet.device) == (0, 5, 4096 / 40_000)


@pytest.mark.parametrize("channels", [[0], [0, 1, 2], [3, 7, 100, 383]])
def test_equals_the_naive_decoder(channels):
    data, messages = stream(6, channels, seed=31)
    codec = OpenEphysCodec(channels, "probe")
    packets = fed(codec, messages)
    want = naive(messages)
    assert [p.start + 1000 for p in packets] == list(want)
    for p in packets:
        for i, c in enumerate(channels):
            assert tuple(p.samples[:, i].tolist()) == want[p.start + 1000][c]
    assert np.array_equal(np.concatenate([p.samples for p in packets]), data)
    assert codec.counters == OpenEphysCounters(packets=6, samples=6 * N)


def test_other_streams_and_channels_are_left_alone():
    data, messages = stream(3, [0, 1], seed=32)
    other = [piece(100 + i, 0, 5, [1.0], stream="other") for i in range(3)]
    codec = OpenEphysCodec([1], "probe")
    packets = fed(codec, [m for pair in zip(messages[:3], other, strict=True) for m in pair] + messages[3:])
    assert np.array_equal(np.concatenate([p.samples for p in packets])[:, 0], data[:, 1])
    assert codec.counters.damaged == 0


def test_events_texts_and_spikes_are_marks():
    _, messages = stream(2, [0], seed=33)
    ttl = {"stream": "probe", "source_node": 101, "type": 3, "sample_num": 1003}
    text = {"stream": "probe", "source_node": 101, "type": 5, "sample_num": 1004}
    spike = {
        "stream": "probe", "source_node": 102, "electrode": "Stereotrode 1", "sample_num": 1006, "num_channels": 2,
        "num_samples": 3, "sorted_id": 4, "threshold": [50.0, 50.0],
    }  # fmt: skip
    codec = OpenEphysCodec([0], "probe")
    early = codec.feed(message(0, "event", ttl, struct.pack("<BBQ", 3, 1, 8), b"EVENT"), 11)
    assert early == []  # before the first sample there is no index
    before = ttl | {"sample_num": 998}  # lies before the first sample
    assert codec.feed(message(0, "event", before, struct.pack("<BBQ", 3, 1, 8), b"EVENT")) == []
    out = fed(codec, messages[:1])
    out += codec.feed(message(2, "event", ttl, struct.pack("<BBQ", 3, 0, 0), b"EVENT"), 12)
    out += codec.feed(message(3, "event", text, b"go\x07 left", b"EVENT"), 13)
    out += codec.feed(message(4, "spike", spike, bytes(24), b"EVENT"), 14)
    assert out[1:] == [
        Mark(3.0, "line 3 on", 1.0, 11),
        Mark(3.0, "line 3 off", 0.0, 12),
        Mark(4.0, "go left", 0.0, 13),
    ]
    assert fed(codec, messages[1:])[1:] == [Mark(6.0, "spike Stereotrode 1", 4.0, 14)]  # behind its sample


# what is missing ------------------------------------------------------------------------------------


def test_a_lost_message_costs_one_channel_of_one_buffer():
    data, messages = stream(4, [0, 1, 2], seed=34)
    codec = OpenEphysCodec([0, 1, 2], "probe")
    packets = fed(codec, messages[:4] + messages[5:])  # channel 1 of buffer 1
    got = np.concatenate([p.samples for p in packets])
    lost = np.zeros(data.shape, bool)
    lost[N : 2 * N, 1] = True
    assert np.isnan(got[lost]).all()
    assert np.array_equal(got[~lost], data[~lost])
    assert codec.counters == OpenEphysCounters(packets=4, samples=4 * N, missed=1, incomplete=1)


def test_what_is_joined_in_the_middle_begins_with_the_next_buffer():
    data, messages = stream(3, [0, 1], seed=50)
    codec = OpenEphysCodec([0, 1], "probe")
    packets = fed(codec, messages[1:])
    assert np.array_equal(np.concatenate([p.samples for p in packets]), data[N:])
    assert packets[0].start == 0
    assert codec.counters == OpenEphysCounters(packets=2, samples=2 * N)


def test_lost_buffers_are_a_gap():
    _, messages = stream(6, [0, 1], seed=35)
    codec = OpenEphysCodec([0, 1], "probe")
    packets = fed(codec, messages[:4] + messages[8:])
    assert [p.start for p in packets] == [0, N, 4 * N, 5 * N]
    assert codec.counters == OpenEphysCounters(packets=4, samples=4 * N, gaps=1, lost=2 * N, missed=4)


def test_duplicates_and_late_buffers():
    data, messages = stream(5, [0, 1], seed=36)
    b = [messages[i : i + 2] for i in range(0, 10, 2)]
    codec = OpenEphysCodec([0, 1], "probe")
    packets = fed(codec, b[0] + b[0] + b[2] + b[1] + b[3] + [b[4][0], b[4][0], b[4][1]])
    assert [p.start // N for p in packets] == [0, 2, 3, 4]
    for p in packets:
        assert np.array_equal(p.samples, data[p.start : p.start + N])
    told = codec.counters
    assert (told.duplicates, told.reordered, told.gaps, told.lost) == (2 * N, N, 1, N)


def test_a_gui_that_begins_anew_is_noticed_and_taken_up_again():
    _, old = stream(2, [0], seed=37, first=10**6)
    _, new = stream(8, [0], seed=38, first=0)
    codec = OpenEphysCodec([0], "probe", rate=30.0)
    fed(codec, old)
    assert fed(codec, new) == []
    assert codec.restarted
    again = OpenEphysCodec([0], "probe", first=codec.first, floor=2 * N, anew=500)
    assert [p.start for p in fed(again, new[:2])] == [500, 500 + N]


def test_a_gui_that_went_on_keeps_its_index():
    _, messages = stream(9, [0], seed=39)
    codec = OpenEphysCodec([0], "probe")
    fed(codec, messages[:3])
    again = OpenEphysCodec([0], "probe", first=codec.first, floor=3 * N, anew=10**6)
    assert [p.start for p in fed(again, messages[7:])] == [7 * N, 8 * N]


# headers are not believed ---------------------------------------------------------------------------

GOOD = {"stream": "probe", "channel_num": 0, "num_samples": 2, "sample_num": 0, "sample_rate": 1000.0}


@pytest.mark.parametrize(
    "change",
    [
        {"num_samples": 3}, {"num_samples": 0}, {"num_samples": -1}, {"num_samples": True}, {"num_samples": "2"},
        {"num_samples": 10**12}, {"num_samples": 2.0}, {"num_samples": None}, {"channel_num": -1},
        {"channel_num": 10**9}, {"sample_num": -5}, {"sample_num": 2**63}, {"sample_rate": 0}, {"sample_rate": "fast"},
        {"sample_rate": 1e9}, {"sample_rate": False}, {"stream": 3}, {"stream": None}, {"channel_name": []},
    ],
)  # fmt: skip
def test_a_wrong_field_is_damage(change):
    codec = OpenEphysCodec([0], "probe")
    assert codec.feed(message(0, "data", GOOD | change, bytes(8))) == []
    assert codec.counters == OpenEphysCounters(damaged=1)


@pytest.mark.parametrize(
    "head",
    [
        b"", b"{", b"[]", b"null", b"3", b'"data"', b"\xff\xfe", b"[" * 60_000, b'{"a":' * 10_000, b"9" * 60_000,
        b'{"message_num":1e400}', b'{"message_num":NaN,"type":"data","content":{}}', b" " * (LONGEST + 1),
        b'{"type":"data","content":{}}', b'{"message_num":0,"type":"data"}',
        b'{"message_num":0,"type":"data","content":[]}',
        b'{"message_num":0,"type":["data"],"content":3}', b'{"message_num":-1,"type":"data","content":{}}',
    ],
)  # fmt: skip
def test_a_wrong_header_is_damage(head):
    codec = OpenEphysCodec([0], "probe")
    assert codec.feed([b"DATA", head, bytes(8)]) == []
    assert codec.counters == OpenEphysCounters(damaged=1)


def test_a_type_of_later_versions_is_left_alone():
    codec = OpenEphysCodec([0], "probe")
    assert codec.feed(message(0, "parameters", {"stream": "probe"})) == []
    assert codec.counters == OpenEphysCounters()


@pytest.mark.parametrize("frames", [[], [b""], [b"DATA"], [b"a", b"{}", b"", b""]])
def test_a_wrong_number_of_frames_is_damage(frames):
    assert decode(frames) is None


def test_every_truncation_and_every_bit_of_a_message():
    values = [1.0, -2.5, 3.25]
    good = piece(0, 0, 96, values)
    for part in (1, 2):
        for end in range(len(good[part])):
            frames = list(good)
            frames[part] = good[part][:end]
            assert decode(frames) is None
    told = kept = 0
    for bit in range(8 * len(good[1])):
        head = bytearray(good[1])
        head[bit // 8] ^= 1 << bit % 8
        codec = OpenEphysCodec([0], "probe")
        out = codec.feed([good[0], bytes(head), good[2]])
        told += codec.counters.damaged
        kept += len(out)
        assert all(isinstance(p, Packet) and p.samples[:, 0].tolist() == values for p in out)
    assert told > 8 * len(good[1]) / 2
    assert kept > 0  # a bit of a name that nobody reads, or of a number: JSON has no check


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
inners = st.fixed_dictionaries(
    {},
    optional={k: st.just(v) | values for k, v in GOOD.items()}
    | dict.fromkeys(("type", "source_node", "electrode", "num_channels", "sorted_id"), values),
)
heads = st.fixed_dictionaries(
    {},
    optional={
        "message_num": st.integers(-2, 10) | values,
        "type": st.sampled_from(["data", "event", "spike"]) | values,
        "content": inners | values,
        "spike": inners | values,
    },
)


@given(st.lists(st.tuples(heads | values, st.binary(max_size=24)), max_size=6))
def test_any_header_is_survived(messages):
    codec = OpenEphysCodec([0, 1], "probe")
    for head, payload in messages:
        for thing in codec.feed([b"DATA", json.dumps(head).encode(), payload]):
            assert isinstance(thing, Packet | Mark)
            assert not isinstance(thing, Packet) or thing.samples.shape[1] == 2


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_any_frames_are_survived(frames):
    assert OpenEphysCodec([0], "probe").feed(frames) == []
