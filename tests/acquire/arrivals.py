"""Packets that arrive as packets do, with the truth beside them."""

import numpy as np

RATE, EACH, BASE, BEGIN = 250, 10, 0.003, 1000.0  # Hz, samples a packet, least latency [s], host time of sample 0 [s]
HOUR = 3600.0


class Arrivals:
    """`stops` and `times` [ns] of packets; `truth(i)` is the host time at which sample i was taken [s]."""

    def __init__(self, seed, seconds=60, drift=0.0, jitter=0.004, frame=0.0):
        rng = np.random.default_rng(seed)
        n = round(seconds * RATE / EACH)
        self.period = (1 + drift) / RATE
        self.stops = (np.arange(n) + 1) * EACH
        self.at = self.truth(self.stops - 1) + BASE + rng.exponential(jitter, n)  # [s]
        if frame:
            self.at = np.ceil(self.at / frame) * frame
        self.at = np.maximum.accumulate(self.at)

    def truth(self, index):
        return BEGIN + np.asarray(index) * self.period

    @property
    def times(self):
        return (self.at * 1e9).astype(np.int64)

    def suspended(self, begin, length):
        """Nothing is read for `length` seconds; then all that waited is, within a few ms."""
        waiting = (self.at >= begin) & (self.at < begin + length)
        self.at[waiting] = begin + length + np.arange(waiting.sum()) * 5e-6
        self.at = np.maximum.accumulate(self.at)
        return self

    def stepped(self, begin, by):
        """The host's clock is set by `by` seconds at `begin`."""
        self.at = np.where(self.at >= begin, self.at + by, self.at)
        return self

    def feed(self, fitter):
        """Return (since, error of the clock in force [s], its uncertainty) at each packet, seen from the truth."""
        rows = []
        for stop, at in zip(self.stops.tolist(), self.times.tolist(), strict=True):
            fitter.feed(stop, at)
            rows.append((stop, fitter.clock.time_of(stop) - self.truth(stop), fitter.clock.fit_at(stop).uncertainty))
        return np.array(rows)
