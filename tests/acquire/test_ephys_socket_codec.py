"""EphysSocketCodec against bytes written by hand from the documentation, a naive decoder, and damage."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.acquire import Counters, EphysSocketCodec
from ranvier.testing import check_codec

TYPES = {0: "u1", 1: "i1", 2: "u2", 3: "i2", 4: "i4", 5: "f4", 6: "f8"}  # U8 S8 U16 S16 S32 F32 F64


def matrix(values, depth=2):
    """Return a packet: ``values`` is ``(channels, samples)``."""
    values = np.asarray(values, "<" + TYPES[depth])
    size = values.itemsize
    head = struct.pack("<i", 0) + struct.pack("<i", values.size * size) + struct.pack("<h", depth)
    head += struct.pack("<i", size) + struct.pack("<i", values.shape[0]) + struct.pack("<i", values.shape[1])
    assert len(head) == 22
    return head + values.tobytes()


def stream(n, seed, channels=3, samples=4):
    raw = np.random.default_rng(seed).integers(0, 65536, (n, channels, samples))
    return raw, [matrix(m) for m in raw]


def fed(codec, pieces):
    return [p for piece in pieces for p in codec.feed(piece)]


def test_bytes_by_hand():
    data = bytes([0, 0, 0, 0, 8, 0, 0, 0, 2, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0])  # 2 channels of 2 samples, U16
    data += bytes([0, 128, 1, 128, 255, 255, 0, 0])  # channel 1: 32768, 32769; channel 2: 65535, 0
    (packet,) = EphysSocketCodec(32768, rate=100.0).feed(data, 9)
    assert packet.samples.tolist() == [[0, 32767], [1, -32768]]
    assert packet.samples.dtype == np.int16
    assert (packet.start, packet.arrival, packet.device) == (0, 9, 0.0)


@pytest.mark.parametrize("depth", TYPES)
@pytest.mark.parametrize("zero", [0, 32768])
def test_every_type_comes_through(depth, zero):
    kind = np.dtype(TYPES[depth])
    rng = np.random.default_rng(61)
    limit = np.iinfo(kind) if kind.kind != "f" else None
    values = rng.standard_normal((2, 50)) if limit is None else rng.integers(limit.min, limit.max, (2, 50))
    codec = EphysSocketCodec(zero)
    (packet,) = codec.feed(matrix(values, depth))
    want = values.astype(kind).T if limit is None else values.T - zero
    assert np.array_equal(packet.samples, want)
    assert packet.samples.dtype == codec.dtype
    assert codec.dtype.itemsize >= 2


def test_any_cut_and_damage():
    _, packets = stream(5, 62)
    check_codec(lambda: EphysSocketCodec(32768), b"".join(packets), [[5, 21, 22, 23]])
    check_codec(lambda: EphysSocketCodec(32768), packets[0] + b"noise" + packets[1] + packets[2][7:] + packets[3])


def test_damage_is_told_and_the_next_matrix_is_found():
    raw, packets = stream(4, 63)
    codec = EphysSocketCodec()
    got = fed(codec, [packets[0], b"noise", packets[1], packets[2][5:], packets[3]])
    assert np.array_equal(np.concatenate([p.samples for p in got]), np.concatenate([raw[i].T for i in (0, 1, 3)]))
    assert codec.counters == Counters(packets=3, samples=12, damaged=2, skipped=5 + len(packets[2]) - 5)


def test_a_flipped_bit_of_a_header_costs_one_matrix():
    raw, packets = stream(3, 64)
    for bit in range(22 * 8):
        head = bytearray(packets[1])
        head[bit // 8] ^= 1 << bit % 8
        codec = EphysSocketCodec()
        got = fed(codec, [packets[0], bytes(head), packets[2]])
        assert [p.samples.tolist() for p in got] == [raw[0].T.tolist(), raw[2].T.tolist()]
        assert codec.counters.damaged == 1


@pytest.mark.parametrize("place", [4, 8, 10, 14, 18])
@pytest.mark.parametrize("value", [b"\xff\xff", b"\x00\x00", b"\xff\x7f"])
def test_a_first_header_that_lies_is_left(place, value):
    _, packets = stream(2, 65)
    bad = bytearray(packets[0])
    bad[place : place + 2] = value
    codec = EphysSocketCodec()
    assert len(fed(codec, [bytes(bad), packets[1]])) <= 1
    assert codec.counters.damaged == 1


@given(st.binary(max_size=500))
def test_noise_is_survived(noise):
    codec = EphysSocketCodec()
    for piece in (noise, noise[::-1]):
        for p in codec.feed(piece):
            assert p.samples.ndim == 2
