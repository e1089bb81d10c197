"""CytonCodec under damaged streams for as long as one likes: RANVIER_FUZZ_SECONDS, 60 unless given."""

import os
import random
import time
from itertools import pairwise

import numpy as np
import pytest

from ranvier.acquire import Counters, CytonCodec, Packet
from tests.acquire.cyton_bytes import packet, samples_of

MODES = [(False, "off"), (True, "off"), (False, "accel"), (True, "analog"), (False, "digital")]


def hurt(rng, data):
    """Return bytes with one to four things done to them."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, size = rng.randrange(len(data) + 1), rng.randrange(1, 70)
        match rng.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = rng.randbytes(size)
            case 3:
                data[at:at] = data[at : at + size]
            case 4:
                data[at : at + size] = bytes(rng.choice((0xA0, 0xC0, 0)) for _ in range(size))
            case 5:
                del data[at:]
    return bytes(data)


def check(codec, pieces, arrival):
    """Feed pieces and check what must hold whatever they are."""
    last, took = -1, 0
    for piece in pieces:
        took += len(piece)
        arrival += rng_time(piece)
        for thing in codec.feed(piece, arrival):
            if isinstance(thing, Packet):
                n, channels = thing.samples.shape
                assert n
                assert channels == codec.n_channels
                assert thing.start > last
                last = thing.start + n - 1
        assert len(codec._rest) <= 34
    c = codec.counters
    assert c.packets * 33 + c.skipped <= took
    assert min(c.as_dict().values()) >= 0
    return arrival


def rng_time(piece):
    return 4_000_000 * (1 + len(piece) % 400)


def fuzz(seconds, executions=None, seed=0):
    """Return how many streams were decoded."""
    rng, done = random.Random(seed), 0
    base = [b"".join(packet(n, [rng.randrange(-(2**23), 2**23) for _ in range(8)]) for n in range(a, a + k))
            for a, k in ((0, 4), (250, 12), (77, 3))]  # fmt: skip
    end = time.monotonic() + seconds
    while time.monotonic() < end and (executions is None or done < executions):
        for _ in range(200):
            daisy, aux = rng.choice(MODES)
            codec = CytonCodec(daisy, aux)
            data = hurt(rng, rng.choice(base)) if rng.random() < 0.9 else rng.randbytes(rng.randrange(200))
            cuts = sorted({0, len(data), rng.randrange(len(data) + 1)})
            arrival = check(codec, [data[a:b] for a, b in pairwise(cuts)], 1)
            if rng.random() < 0.1:
                codec.resume(Counters())
                check(codec, [rng.choice(base)], arrival)
            done += 1
    return done


@pytest.mark.slow
def test_damaged_streams_never_break_it():
    assert fuzz(float(os.environ.get("RANVIER_FUZZ_SECONDS", "60"))) > 0


def test_a_short_while():
    assert fuzz(60, executions=2000, seed=1) >= 2000


@pytest.mark.slow
def test_10_000_bit_flips_move_nothing_that_they_do_not_hit():
    rng = np.random.default_rng(5)
    counts = rng.integers(-(2**23), 2**23, (600, 8))
    data = b"".join(packet(n, counts[n]) for n in range(600))
    for place in rng.integers(0, len(data) * 8, 10_000):
        byte, bit = divmod(int(place), 8)
        index, samples = samples_of(CytonCodec().feed(data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :]))
        wrong = index[np.any(samples != counts[index], axis=1)]
        assert len(wrong) <= 1
        assert len(wrong) == 0 or wrong[0] == byte // 33
        assert len(index) >= 597
