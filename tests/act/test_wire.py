"""Frames: whole or refused."""

import os
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.act._pipe import Unpacker, pack
from ranvier.act._wire import COMMAND, STOP, decode, encode, encode_stop, size_of
from ranvier.errors import FormatError

from .helpers import approved

FRAME = encode(approved((0.1, -1e300), 2**62, made=-5), 2**64 - 1, 17)


def refused(data):
    try:
        decode(data)
    except FormatError:
        return True
    return False


def test_a_frame_comes_back_whole():
    f = decode(FRAME)
    assert (f.kind, f.session, f.sequence, f.values) == (COMMAND, 2**64 - 1, 2**62, (0.1, -1e300))
    assert (f.made, f.sent) == (-5, 17)
    stop = decode(encode_stop(3, 4, 5))
    assert (stop.kind, stop.session, stop.sequence, stop.sent) == (STOP, 3, 4, 5)
    assert len(FRAME) == size_of(2) == 96


def test_every_truncation_and_every_flipped_bit_is_refused():
    assert all(refused(FRAME[:n]) for n in range(len(FRAME)))
    assert all(refused(FRAME + bytes(n)) for n in (1, 8))
    for bit in range(8 * len(FRAME)):
        broken = bytearray(FRAME)
        broken[bit // 8] ^= 1 << bit % 8
        assert refused(bytes(broken)), bit


@given(st.binary(max_size=200), st.booleans())
def test_random_bytes_are_refused(data, led):
    assert refused(FRAME[:4] + data if led else data)


@given(st.lists(st.tuples(st.integers(0, 4), st.binary(max_size=300)), max_size=8), st.lists(st.integers(0, 2500)))
def test_messages_of_a_pipe_come_whole_however_they_are_cut(messages, cuts):
    stream = b"".join(pack(kind, body) for kind, body in messages)
    places = sorted({0, len(stream), *(c for c in cuts if c < len(stream))})
    unpacker = Unpacker()
    assert [m for a, b in pairwise(places) for m in unpacker.feed(stream[a:b])] == messages


@given(st.binary(max_size=500))
def test_random_bytes_in_a_pipe_are_messages_or_refused(data):
    unpacker = Unpacker()
    try:
        found = unpacker.feed(data)
    except FormatError:
        return
    assert sum(3 + len(body) for _, body in found) <= len(data)


@pytest.mark.slow
def test_many_random_frames_are_refused_or_whole():
    """Valid checks over random bodies: whatever is taken is a frame that says the same when read again."""
    import random
    import struct
    import time
    from zlib import crc32

    end = time.monotonic() + float(os.environ.get("RANVIER_FUZZ_SECONDS", "60"))
    chance = random.Random(1)
    while time.monotonic() < end:
        for _ in range(1000):
            body = bytearray(FRAME[:-4])
            for _ in range(chance.randrange(6)):
                body[chance.randrange(4, len(body))] = chance.randrange(256)
            body = body[: chance.choice([len(body), len(body), chance.randrange(len(body))])]
            data = bytes(body) + struct.pack("<I", crc32(bytes(body)))
            if not refused(data):
                assert size_of(len(decode(data).values)) == len(data)
