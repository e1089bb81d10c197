"""Chance that is looked up, not drawn: the same number for the same place, in whatever order it is asked for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_WORD = (1 << 64) - 1


def generator(seed: int, what: int, place: int) -> np.random.Generator:
    """Return the generator of one place (a second, a cue) of one kind of chance.

    Philox (Salmon et al., SC 2011) is counter-based: key and counter name a stretch of 2^192 numbers
    that no other pair shares.
    """
    key = np.array([seed & _WORD, what], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, 0, place & _WORD], np.uint64)))


def pink(length: int, exponent: float = 1.0) -> Floats:
    """Return the impulse response that turns white noise into noise of power ~ 1 / f^exponent.

    Source: Kasdin, Proc. IEEE 83 (1995) 802, section III: fractional integration, cut off at `length`
    samples (below ``rate / length`` the spectrum is flat). Scaled to unit variance.
    """
    h = np.ones(length)
    for k in range(1, length):
        h[k] = h[k - 1] * (k - 1 + exponent / 2) / k
    return np.asarray(h / np.linalg.norm(h))


def rhythm(length: int, frequency: float, memory: float, rate: float) -> Floats:
    """Return the impulse response of a damped oscillator: noise through it waxes and wanes like a brain rhythm.

    Parameters
    ----------
    frequency
        Of the rhythm [Hz].
    memory
        Time in which an oscillation falls to 1/e [s]; the half-power width is ``1 / (pi * memory)`` Hz.
    rate
        Samples per second [Hz].
    """
    t = np.arange(length) / rate
    h = np.exp(-t / memory) * np.sin(2 * np.pi * frequency * t)
    return np.asarray(h / np.linalg.norm(h))


class Coloured:
    """White noise of many sources through a causal filter each, second by second.

    Parameters
    ----------
    responses
        Impulse responses ``(n_sources, length)``, length <= 2 n + 1.
    n
        Samples a second.
    seed, what
        Which chance.

    Notes
    -----
    A second is a pure function of its number: it needs the white noise of itself and of the two
    seconds before, and one transform of fixed size.
    """

    def __init__(self, responses: Floats, n: int, seed: int, what: int) -> None:
        self._n, self._seed, self._what = n, seed, what
        self._sources = len(responses)
        self._spectra = np.fft.rfft(responses.T, 3 * n, axis=0)
        self._white: dict[int, Floats] = {}

    def second(self, k: int) -> Floats:
        """Return second `k`, shape ``(n, n_sources)``, unit variance."""
        self._white = {s: self._white[s] if s in self._white else self._draw(s) for s in (k - 2, k - 1, k)}
        spectrum = np.fft.rfft(np.concatenate(list(self._white.values())), axis=0)
        return np.fft.irfft(spectrum * self._spectra, 3 * self._n, axis=0)[2 * self._n :]

    def _draw(self, k: int) -> Floats:
        return generator(self._seed, self._what, k).standard_normal((self._n, self._sources))
