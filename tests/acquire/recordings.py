"""Recordings held in memory, whose samples are whole steps of an amplifier."""

import numpy as np

from ranvier.stream import Block, Channels, Entities, EventInfo, Events, StreamInfo


class Held:
    """A recording of an array."""

    def __init__(self, data, channels, rate, samples=(), codes=(), labels=None, pieces=None):
        self.data, self.pieces = data, pieces or [(0, 0, len(data))]
        self.info = StreamInfo.signal(rate, channels, name="held", dtype=data.dtype)
        self.event_info = EventInfo.of(self.info, labels or {})
        self.n_samples = max(start + n for start, _, n in self.pieces)
        self.events = Events.at(samples, codes, stop=self.n_samples)
        self.entities = Entities()

    def blocks(self, size, start=0, stop=None):
        for first, at, n in self.pieces:
            for k in range(0, n, size):
                cut = self.data[at + k : at + min(k + size, n)]
                yield Block(cut, first + k)


def amplifiers(n, n_channels, seed, rate=30_000, **more):
    """Return counts of random amplifiers, and the recording of them in uV."""
    counts = np.random.default_rng(seed).integers(-32768, 32768, (n, n_channels)).astype(np.int16)
    data = counts.astype(np.float32) * np.float32(0.195)
    return counts, Held(data, Channels.of([f"e{i}" for i in range(n_channels)], "spikes"), rate, **more)
