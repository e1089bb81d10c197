"""Spectrum: power by frequency and channel over a whole recording, of windows that are valid throughout (Welch)."""

from __future__ import annotations

import numpy as np

from ranvier.stream import Array

SECONDS, LONGEST = 2.0, 8192  # of a window; longest one [samples]
BANDS = {"delta": (1.0, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0), "gamma": (30.0, 80.0)}
SPIKE_BANDS = {"below 300 Hz": (1.0, 300.0), "300-1000 Hz": (300.0, 1000.0), "1-3 kHz": (1000.0, 3000.0),
               "3-6 kHz": (3000.0, 6000.0), "above 6 kHz": (6000.0, 15000.0)}  # fmt: skip


class Spectrum:
    """Mean of the periodograms of half overlapping Hann windows, a channel at a time left out where it is invalid.

    References
    ----------
    Welch, IEEE Trans. Audio Electroacoust. 15 (1967) 70-73.
    """

    def __init__(self, rate: float, n_channels: int, n_samples: int) -> None:
        self.length = max(2, min(round(SECONDS * rate), LONGEST, n_samples))
        self.frequency = np.fft.rfftfreq(self.length, 1 / rate)
        self._window = np.hanning(self.length + 1)[:-1, None]
        self._scale = 2 / (rate * float((self._window**2).sum()))
        self._sum = np.zeros((len(self.frequency), n_channels))
        self.count = np.zeros(n_channels, np.int64)

    def add(self, x: Array, ok: Array) -> None:
        """Add the windows that lie in samples ``(n, n_channels)``."""
        step = max(1, self.length // 2)
        for a in range(0, len(x) - self.length + 1, step):
            whole = ok[a : a + self.length].all(axis=0)
            piece = np.where(whole, x[a : a + self.length], 0).astype(np.float64)
            f = np.fft.rfft((piece - piece.mean(axis=0)) * self._window, axis=0)
            self._sum += f.real**2 + f.imag**2
            self.count += whole

    @property
    def density(self) -> Array:
        """Power by frequency ``(n_frequencies, n_channels)`` [unit^2/Hz]; nan where no window was valid."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self._sum * self._scale / np.where(self.count, self.count, np.nan))

    def band(self, low: float, high: float) -> Array:
        """Return the power between two frequencies, a channel each [unit^2]."""
        inside = (self.frequency >= low) & (self.frequency < high)
        return np.asarray(self.density[inside].sum(axis=0) * self.frequency[1])

    def line(self, frequency: float) -> tuple[Array, Array]:
        """Return how far a line stands above what lies beside it [dB], and its amplitude [unit rms], a channel each."""
        width = max(0.75, 1.6 * self.frequency[1])
        off = np.abs(self.frequency - frequency)
        density = self.density
        at, beside = off <= width, (off > 2 * width) & (off <= 8 * width) & (self.frequency > 0)
        if not at.any() or not beside.any():
            return np.full(density.shape[1], np.nan), np.full(density.shape[1], np.nan)
        floor = np.median(density[beside], axis=0)
        with np.errstate(all="ignore"):
            over = 10 * np.log10(density[at].max(axis=0) / floor)
        power = (density[at] - floor).sum(axis=0) * self.frequency[1]
        return np.asarray(over), np.asarray(np.sqrt(np.maximum(power, 0)))


def bands_of(rate: float, spikes: bool) -> dict[str, tuple[float, float]]:
    """Return the bands that a rate can show, the highest cut where it ends."""
    known = SPIKE_BANDS if spikes else BANDS
    return {name: (a, min(b, 0.45 * rate)) for name, (a, b) in known.items() if a < 0.4 * rate}
