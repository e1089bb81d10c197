"""find_period: the exact period of a stimulation artefact, from a calibration recording."""

from __future__ import annotations

import numpy as np

from ranvier.errors import ContractError
from ranvier.stream import Array

FIRST = 1000  # samples that are looked at first
GRID = 9  # places that are tried at a time, once near
LIMIT = 3.0  # standard deviations from which on a step is clipped, as in the paper's code


def find_period(x: Array, rate: float, frequency: float, *, harmonics: int = 20, search: float = 0.01) -> float:
    """Return the period of a stimulation artefact [samples].

    The one at which most power lies in multiples of its frequency, folded or not. What is looked at grows from the
    first 1,000 samples to all, then from the frequency itself to all its multiples, and the range shrinks with it:
    elsewhere several multiples may fold to one strong line. Where the period is near a ratio of small whole numbers
    and the artefact has edges that no filter before sampling rounded off, it may be some 1e-6 of itself off.

    Parameters
    ----------
    x
        ``(n,)`` or ``(n, n_channels)``: stimulation throughout, any unit, finite.
    rate
        Of sampling [Hz].
    frequency
        Of stimulation, as set [Hz].
    harmonics
        How many multiples count.
    search
        How far from `frequency` it may be, as a part of it.

    Raises
    ------
    ContractError
        Fewer than 1,000 samples, numbers that are not finite, or nothing that varies.

    Examples
    --------
    >>> x = np.sign(np.sin(2 * np.pi * np.arange(8000) / 7.6921))
    >>> round(find_period(x, 1000, 130), 4)
    7.6921

    References
    ----------
    Dastin-van Rijn et al., Cell Reports Methods 1 (2021) 100010 (harmonic regression for the period).
    """
    signal = np.asarray(x, dtype=float)
    signal = signal.reshape(len(signal) if signal.ndim else 1, -1)
    if len(signal) < FIRST or not np.isfinite(signal).all():
        raise ContractError(
            f"find_period needs at least {FIRST} finite samples; got {len(signal)}, and "
            f"{int((~np.isfinite(signal)).sum())} numbers that are not finite. Cut out a stimulated stretch."
        )
    if not (frequency > 0 and rate > 0 and 0 < search < 0.5 and harmonics >= 1):
        raise ContractError(
            f"find_period needs rate, frequency and harmonics > 0 and 0 < search < 0.5; got {rate} Hz, {frequency} Hz, "
            f"{harmonics}, {search}. Give the rate of sampling and the frequency of stimulation as set."
        )
    steps = np.diff(signal, axis=0)  # slow brain rhythms are larger than fast ones, and not in their differences
    spread = steps.std(axis=0)
    if not spread.all():
        raise ContractError("find_period needs channels that vary; got one that does not. Leave flat channels out.")
    steps = np.clip((steps - steps.mean(axis=0)) / spread, -LIMIT, LIMIT)

    best, wide = frequency / rate, search * frequency / rate  # cycles a sample
    looked_at = [(n, 1) for n in (FIRST * 4**i for i in range(20)) if n < len(steps)]
    looked_at += [(len(steps), h) for h in (2**i for i in range(20)) if h < harmonics]
    for n, h in [*looked_at, (len(steps), harmonics)]:
        narrow = 1 / (n * h)  # half of the width of the highest harmonic's peak
        places = max(GRID, 2 * int(np.ceil(2 * wide / narrow)) + 1)
        best, wide = _best(steps[:n], best, wide, places, h), narrow / 2
    while wide * len(steps) * harmonics > 1e-5:
        best, wide = _best(steps, best, wide, GRID, harmonics), wide / 3
    return float(1 / best)


def _best(steps: Array, centre: float, wide: float, places: int, harmonics: int) -> float:
    """Return which frequency within `wide` of a centre has most power in its multiples."""
    tried = np.linspace(centre - wide, centre + wide, places)
    return float(tried[int(np.argmax([_power(steps, f, harmonics) for f in tried]))])


def _power(steps: Array, frequency: float, harmonics: int) -> float:
    turn = np.exp(-2j * np.pi * frequency * np.arange(len(steps)))
    wave, total = turn.copy(), 0.0
    for _ in range(harmonics):
        total += float((np.abs(wave @ steps) ** 2).sum())
        wave *= turn
    return total
