"""Measure: how large a signal is, over all and hop by hop, of valid samples alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ranvier.evaluate.cleaning._spectrum import Spectrum
from ranvier.stream import Array, StreamInfo

MOST_HOPS = 4000  # rows of the table of hops: longer recordings have longer hops


def hop_of(info: StreamInfo, n_samples: int) -> int:
    """Return the samples of a hop: 1 s, longer where there would be too many."""
    second = max(1, round(info.rate))
    return second * max(1, -(-n_samples // (second * MOST_HOPS)))


class Measure:
    """Sums over a stream, a table of its hops (mean, rms, range, valid share), and its spectrum.

    Parameters
    ----------
    info
        What the stream is.
    n_samples
        How long it is, about.
    spectrum
        Whether its spectrum is wanted, which costs the most.
    """

    def __init__(self, info: StreamInfo, n_samples: int, *, spectrum: bool = True) -> None:
        n = info.n_channels
        self.info, self.hop, self.size = info, hop_of(info, n_samples), 0
        self.valid = np.zeros(n, np.int64)
        self.sum, self.squares = np.zeros(n), np.zeros(n)
        self.low, self.high = np.full(n, np.inf), np.full(n, -np.inf)
        self.spectrum = Spectrum(float(info.rate), n, n_samples)
        self._spectral = spectrum
        self.starts: list[int] = []
        self._rows: list[Any] = []
        self._hop: _Hop | None = None

    def add(self, x: Array, ok: Array, start: int) -> None:
        """Add a pane: its spectrum, and its part of each hop that it touches (hops lie on the absolute grid)."""
        self.size += len(x)
        if self._spectral:
            self.spectrum.add(x, ok)
        a = 0
        while a < len(x):
            b = min(len(x), a + self.hop - (start + a) % self.hop)
            if self._hop is not None and self._hop.stop != start + a:
                self.close()
            if self._hop is None:
                self._hop = _Hop(start + a, x.shape[1])
            self._hop.add(x[a:b], ok[a:b])
            if (start + b) % self.hop == 0:
                self.close()
            a = b

    def close(self) -> None:
        """End the hop that was begun."""
        h, self._hop = self._hop, None
        if h is None:
            return
        self.valid += h.n
        self.sum += h.mean * h.n
        self.squares += h.squares
        self.low, self.high = np.minimum(self.low, h.low), np.maximum(self.high, h.high)
        length = h.stop - h.start
        some = 2 * h.n >= length
        row = (h.mean, np.sqrt(h.squares / np.maximum(h.n, 1)), h.high - h.low)
        rows = (np.where(some, v, np.nan) for v in row)  # of numbers in single precision the range need not be one
        self._rows.append([*rows, h.n / length])
        self.starts.append(h.start)

    def _column(self, k: int) -> Array:
        self.close()
        if not self._rows:
            return np.empty((0, self.info.n_channels))
        return np.stack([r[k] for r in self._rows])

    @property
    def means(self) -> Array:
        """Mean of each hop ``(n_hops, n_channels)``; nan where less than half of it was valid."""
        return self._column(0)

    @property
    def levels(self) -> Array:
        """Rms of each hop about its own mean."""
        return self._column(1)

    @property
    def ranges(self) -> Array:
        """Largest less smallest value of each hop."""
        return self._column(2)

    @property
    def shares(self) -> Array:
        """Valid share of each hop."""
        return self._column(3)

    @property
    def mean(self) -> Array:
        """Mean over all, a channel each."""
        return np.asarray(self.sum / np.maximum(self.valid, 1))

    @property
    def rms(self) -> Array:
        """Rms over all, about the mean of each hop."""
        return np.asarray(np.sqrt(self.squares / np.maximum(self.valid, 1)))

    @property
    def usual(self) -> Array:
        """Median rms of a hop, a channel each: what is usual, whatever happened in a few."""
        return medians(self.levels)


class _Hop:
    """Sums over one hop, joined piece by piece (Chan, Golub & LeVeque 1979)."""

    def __init__(self, start: int, n: int) -> None:
        self.start = self.stop = start
        self.n = np.zeros(n, np.int64)
        self.mean, self.squares = np.zeros(n), np.zeros(n)
        self.low, self.high = np.full(n, np.inf), np.full(n, -np.inf)

    def add(self, x: Array, good: Array) -> None:
        y = x.astype(np.float64)
        n = good.sum(axis=0)
        mean = np.where(good, y, 0).sum(axis=0) / np.maximum(n, 1)
        squares = np.where(good, (y - mean) ** 2, 0).sum(axis=0)
        total = np.maximum(self.n + n, 1)
        away = np.where(self.n > 0, mean - self.mean, 0)
        self.squares += squares + away**2 * self.n * n / total
        self.mean = np.where(self.n > 0, self.mean + away * n / total, mean)
        self.n += n
        self.low = np.minimum(self.low, np.where(good, y, np.inf).min(axis=0))
        self.high = np.maximum(self.high, np.where(good, y, -np.inf).max(axis=0))
        self.stop += len(x)


def medians(x: Array) -> Array:
    """Return the median of each column, of its numbers; nan where there are none."""
    out = np.full(x.shape[1], np.nan)
    some = np.isfinite(x).any(axis=0) if len(x) else np.zeros(x.shape[1], bool)
    if some.any():
        out[some] = np.nanmedian(x[:, some], axis=0)
    return out
