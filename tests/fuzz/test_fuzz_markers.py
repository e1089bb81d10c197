"""Datagrams that are no markers, for as long as one likes: RANVIER_FUZZ_SECONDS, 60 unless given."""

import json
import os
import random
import time

import pytest

from ranvier.acquire._markers_udp import LONGEST, read_datagram

GOOD = [b"left", "Größe/β".encode(), b'{"label": "tone", "value": 440, "age": 0.012}', b'{"label": "a"}']
WORDS = [b'"label"', b'"value"', b'"age"', b"NaN", b"Infinity", b"null", b"true", b"{", b"}", b"[" * 99, b"9" * 400]


def hurt(rng, raw):
    raw = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(raw) + 1)
        match rng.randrange(4):
            case 0 if at < len(raw):
                raw[at] ^= 1 << rng.randrange(8)
            case 1:
                del raw[at : at + rng.randrange(9)]
            case 2:
                raw[at:at] = rng.randbytes(rng.randrange(9))
            case 3:
                raw[at:at] = rng.choice(WORDS)
    return bytes(raw)


@pytest.mark.slow
def test_datagrams():
    """A marker within its bounds, or none; nothing is raised, and each takes less than a second."""
    rng, n = random.Random(20260301), 0
    end = time.monotonic() + float(os.environ.get("RANVIER_FUZZ_SECONDS", "60"))
    while time.monotonic() < end:
        raw = rng.choice(GOOD) if n % 7 else rng.randbytes(rng.randrange(LONGEST + 9))
        begin = time.monotonic()
        found = read_datagram(hurt(rng, raw))
        assert time.monotonic() - begin < 1
        if found is not None:
            assert found.label.isprintable()
            assert 0 <= found.age <= 60
            again = read_datagram(json.dumps(found._asdict()).encode())
            assert again == found or len(json.dumps(found._asdict())) > LONGEST
        n += 1
    assert n > 1000
