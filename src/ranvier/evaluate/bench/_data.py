"""What the benchmarks run on: made from a seed, like what electrodes give, with something in it to decode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

RATE = 30_000  # Hz
MICROVOLTS = 0.195  # of one count
NOISE = 5.5  # uV, standard deviation of what is left in the spike band
GROUP = 64  # channels that share an amplifier, and what it picks up
WAVE = 36  # samples of a spike

EEG_RATE = 1000  # Hz
TRIAL = 4  # s


@dataclass(frozen=True, eq=False)
class Implant:
    """Counts of an implant and the movement that they speak of.

    Parameters
    ----------
    counts
        int16 ``(n, n_channels)``, 0.195 uV each, 30 kHz.
    velocity
        float64 ``(n, 2)`` [cm/s], of the same samples.
    spikes
        How many were planted.
    """

    counts: Array
    velocity: Array
    spikes: int


def make_implant(channels: int, seconds: float, seed: int) -> Implant:
    """Make noise of the spike band, a slow potential that each group shares, and tuned spikes.

    The noise of 64 channels is drawn; every further group has it shifted in time, its channels in another order.
    """
    from scipy.signal import butter, sosfilt

    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    t = np.arange(n) / RATE
    base = sosfilt(butter(2, (300, 6000), "band", fs=RATE, output="sos"), rng.standard_normal((n, GROUP)), axis=0)
    base = (base * (NOISE / MICROVOLTS / base.std())).astype(np.float32)
    velocity = _velocity(rng, t)
    counts = np.empty((n, channels), np.int16)
    for g, first in enumerate(range(0, channels, GROUP)):
        width = min(GROUP, channels - first)
        order = rng.permutation(GROUP)[:width]
        slow = 60 * np.sin(2 * np.pi * (7 + g % 5) * t + g) + 25 * np.sin(2 * np.pi * 50 * t)
        mixed = np.take(base, order, axis=1)
        cut = 7919 * g % n
        mine = counts[:, first : first + width]
        for a, b in ((mixed[cut:], slice(0, n - cut)), (mixed[:cut], slice(n - cut, n))):
            mine[b] = np.rint(a + (slow[b, None] / MICROVOLTS).astype(np.float32))
    return Implant(counts, velocity, _plant(rng, counts, velocity))


def _velocity(rng: np.random.Generator, t: Array) -> Array:
    """Return a smooth movement in a plane: sums of slow sines [cm/s]."""
    slow = rng.uniform(0.2, 1.5, (4, 2))
    phase = rng.uniform(0, 2 * np.pi, (4, 2))
    return np.asarray(5 * np.sin(2 * np.pi * slow * t[:, None, None] + phase).sum(axis=1))


def _plant(rng: np.random.Generator, counts: Array, velocity: Array) -> int:
    """Add spikes whose rate follows the direction of the movement, one unit a channel; return how many."""
    n, channels = counts.shape
    milli = RATE // 1000
    wave = -np.exp(-((np.arange(WAVE) - 8) ** 2) / 18) + 0.4 * np.exp(-((np.arange(WAVE) - 20) ** 2) / 50)
    angle = rng.uniform(0, 2 * np.pi, channels)
    towards = np.stack([np.cos(angle), np.sin(angle)])
    per_ms = np.clip(20 + 2 * velocity[: n - WAVE - milli : milli] @ towards, 1, 80) / 1000
    ms, who = np.nonzero(rng.random(per_ms.shape) < per_ms)
    at = ms * milli + rng.integers(0, milli, len(ms))
    size = rng.uniform(60, 140, channels)[who] / MICROVOLTS
    for k in range(WAVE):
        counts[at + k, who] += np.rint(size * wave[k]).astype(np.int16)
    return len(at)


@dataclass(frozen=True, eq=False)
class EEG:
    """Potentials of a head that imagines two movements in turn.

    Parameters
    ----------
    potentials
        float32 ``(n, n_channels)`` [uV], 1 kHz.
    onset
        First sample of each trial of 4 s.
    label
        ``left`` or ``right``, of each.
    """

    potentials: Array
    onset: Array
    label: Array


def make_eeg(channels: int, seconds: float, seed: int) -> EEG:
    """Make mixed slow noise, mains, and a rhythm at 12 Hz that is weaker over the side that rests less."""
    from scipy.signal import butter, lfilter, sosfilt

    rng = np.random.default_rng(seed)
    n = int(seconds * EEG_RATE)
    t = np.arange(n) / EEG_RATE
    sources = lfilter([1], [1, -0.96], rng.standard_normal((n, channels)), axis=0)
    mixing = np.eye(channels) + 0.3 * rng.standard_normal((channels, channels)) / np.sqrt(channels)
    x = 3 * sources @ mixing + 2 * rng.standard_normal((n, channels))
    x += 15 * np.sin(2 * np.pi * 50 * t)[:, None] * rng.uniform(0.5, 1.5, channels)
    onset = np.arange(0, n - TRIAL * EEG_RATE + 1, TRIAL * EEG_RATE)
    label = np.where(rng.permutation(len(onset)) % 2, "right", "left")
    rhythm = sosfilt(butter(2, (10, 14), "band", fs=EEG_RATE, output="sos"), rng.standard_normal((n, 2)), axis=0)
    rhythm *= 8 / rhythm.std()
    gain = np.ones((n, 2))
    for begin, which in zip(onset, label, strict=True):
        gain[begin : begin + TRIAL * EEG_RATE, int(which == "left")] = 0.6
    x += (rhythm * gain) @ rng.standard_normal((2, channels)) / 2
    return EEG(x.astype(np.float32), onset, label)
