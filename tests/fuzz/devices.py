"""What is fuzzed: bytes of the network into a codec, with what must hold whatever they are.

Run alone, under atheris: ``python -m tests.fuzz.devices rhx CORPUS -max_total_time=60``.
"""

import json
import struct
import sys

import numpy as np

from ranvier.acquire import EphysSocketCodec, Mark, OpenEphysCodec, Packet, RhxCodec
from ranvier.acquire._ephys_socket_codec import HEADER
from ranvier.acquire._rhx_codec import FRAMES, encode_block


def rhx(data):
    """Two ways to cut the same bytes give the same packets; little is held back."""
    words = 1 + (data[0] % 3 if data else 0)
    at = data[1] * len(data) // 256 if len(data) > 1 else 0
    data = data[2:]
    whole, cut = RhxCodec(words), RhxCodec(words)
    a = whole.feed(data)
    b = [p for piece in (data[:at], data[at : at + 3], data[at + 3 :]) for p in cut.feed(piece)]
    assert whole.counters == cut.counters
    assert len(whole._held) < whole.dtype.itemsize
    assert [p.start for p in a] == [p.start for p in b]
    ends = [p.start + len(p.samples) for p in a]
    assert all(p.start >= end for p, end in zip(a[1:], ends, strict=False))  # indices only go up
    assert all(p.samples.shape[1] == words and 0 < len(p.samples) <= FRAMES for p in a)
    assert whole.counters.samples == sum(len(p.samples) for p in a)


def openephys(data):
    """Messages are ``length, header, payload``: every result is a packet or a mark, in order."""
    codec, at, last = OpenEphysCodec([0, 1], "probe"), 0, -1
    while at + 3 <= len(data):
        head, body = struct.unpack_from("<HB", data, at)
        at += 3
        for thing in codec.feed([b"DATA", data[at : at + head], data[at + head : at + head + body]]):
            assert isinstance(thing, Packet | Mark)
            if isinstance(thing, Packet):
                assert thing.start > last
                assert thing.samples.shape[1] == 2
                assert thing.samples.dtype == np.float32
                last = thing.start + len(thing.samples) - 1
        at += head + body
    assert codec._samples is None or codec._samples.nbytes <= 8 << 20
    assert len(codec._waiting) <= 256


def ephys_socket(data):
    """Two ways to cut the same bytes give the same packets."""
    at = data[0] * len(data) // 256 if data else 0
    data = data[1:]
    whole, cut = EphysSocketCodec(32768), EphysSocketCodec(32768)
    a = whole.feed(data)
    b = [p for piece in (data[:at], data[at : at + 3], data[at + 3 :]) for p in cut.feed(piece)]
    assert whole.counters == cut.counters
    assert len(a) == len(b)
    assert all(p.samples.tobytes() == q.samples.tobytes() for p, q in zip(a, b, strict=True))
    assert len({p.samples.shape[1] for p in a}) <= 1
    assert whole.next == whole.counters.samples == sum(len(p.samples) for p in a)


TARGETS = {"rhx": rhx, "openephys": openephys, "ephys_socket": ephys_socket}


def seeds(name):
    """Return good inputs to begin with."""
    if name == "rhx":
        words = np.arange(4 * FRAMES, dtype=np.uint16)[:, None] * 7
        blocks = [encode_block(k, words[k : k + FRAMES]) for k in range(0, len(words), FRAMES)]
        return [bytes(2) + b"".join(blocks), bytes([0, 99]) + blocks[0] + blocks[3] + blocks[1] + blocks[1]]
    if name == "ephys_socket":
        good = HEADER.pack(0, 24, 2, 2, 3, 4) + bytes(range(24))
        return [bytes([7]) + good * 3, bytes([200]) + good + b"noise" + good, bytes(1) + HEADER.pack(0, 8, 6, 8, 1, 1)]
    out = []
    for kinds in (["data"] * 4, ["event", "data", "data", "spike"]):
        message = b""
        for i, kind in enumerate(kinds):
            payload = struct.pack("<4f", 1, 2, 3, 4)
            inner = {"stream": "probe", "channel_num": i % 2, "num_samples": 4, "sample_num": i // 2 * 4,
                     "sample_rate": 1000.0, "type": 3, "source_node": 1, "electrode": "e", "num_channels": 1,
                     "sorted_id": 0}  # fmt: skip
            head = {"message_num": i, "type": kind, "spike" if kind == "spike" else "content": inner}
            text = json.dumps(head).encode()
            message += struct.pack("<HB", len(text), len(payload)) + text + payload
        out.append(message)
    return out


if __name__ == "__main__":
    import atheris

    target = TARGETS[sys.argv.pop(1)]
    for function in (
        RhxCodec.feed,
        RhxCodec._search,
        RhxCodec._packet,
        OpenEphysCodec.feed,
        OpenEphysCodec._take,
        EphysSocketCodec.feed,
        EphysSocketCodec._search,
    ):
        atheris.instrument_func(function)
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
