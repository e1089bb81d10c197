"""Bytes of a Cyton, written out by hand from OpenBCI's description of the format."""

import numpy as np

from ranvier.acquire import Packet


def packet(number, counts=(0,) * 8, aux=bytes(6), footer=0xC0):
    body = b"".join(int(c).to_bytes(3, "big", signed=True) for c in counts)
    return bytes([0xA0, number % 256]) + body + aux + bytes([footer])


def counts_of(numbers, n_channels=8, seed=0):
    """Return counts for each of the packets that ever were, whatever became of them."""
    rng = np.random.default_rng(seed)
    return rng.integers(-(2**23), 2**23, (max(numbers) + 2, n_channels)).astype(np.int32)


def stream(numbers, seed=0):
    """Return the bytes of packets in the order in which they come, and the counts of all."""
    counts = counts_of(numbers, seed=seed)
    return b"".join(packet(n, counts[n]) for n in numbers), counts


def samples_of(found):
    """Return index and samples of all packets, joined."""
    packets = [p for p in found if isinstance(p, Packet)]
    index = [np.arange(p.start, p.start + len(p.samples)) for p in packets]
    return np.concatenate(index or [np.zeros(0, int)]), np.concatenate(
        [p.samples for p in packets] or [np.zeros((0, 8))]
    )


def told(counters):
    """Return the counters that are not 0."""
    return {k: v for k, v in counters.as_dict().items() if v}
