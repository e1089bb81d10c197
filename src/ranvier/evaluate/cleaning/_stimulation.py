"""Stimulation: a line with harmonics far above anything that a brain makes, and its exact period."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ranvier.denoise import find_period
from ranvier.errors import ContractError
from ranvier.evaluate.cleaning._spectrum import Spectrum
from ranvier.stream import Array, Recording

SLOWEST = (
    15.0  # frequency from which on stimulation is looked for [Hz]: below lie rhythms, and flicker that evokes them
)
ALONE, WITH = 40.0, 25.0  # how far a line stands out by itself, and one with harmonics [dB]
HARMONIC, HARMONICS = 10.0, 2  # how far those stand out [dB], and how many of the first five do
MATTERS = 1e-3  # of the power of a channel, at least
LONGEST = 1 << 17  # samples in which the period is looked for


@dataclass(frozen=True)
class Stimulation:
    """What repeats: its frequency [Hz] and period [samples], how far it stands out [dB], and on how many channels."""

    frequency: float
    period: float
    over: float
    channels: int


def suspected(spectrum: Spectrum, mains: float) -> float | None:
    """Return the frequency [Hz] of what may be stimulation; None where nothing stands out that far."""
    f, density = spectrum.frequency, spectrum.density
    usable = np.asarray(np.isfinite(density).all(axis=0))
    usable[usable] &= density[:, usable].sum(axis=0) > 0
    if not usable.any() or len(f) < 64:
        return None
    highest = np.log10(np.maximum(density[:, usable], 1e-300))
    around = 12  # bins on either side that say what is usual
    padded = np.pad(highest, ((around, around), (0, 0)), mode="edge")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * around + 1, axis=0), axis=-1)
    over = 10 * (highest - usual).max(axis=1)
    step = float(f[1])
    off = np.abs(f / mains - np.round(f / mains)) * mains
    over[(f < SLOWEST) | (off < 2.5 * step)] = -np.inf
    share = (density[:, usable] / density[:, usable].sum(axis=0)).max(axis=1)
    over[share < MATTERS] = -np.inf
    best = int(np.argmax(over))
    if not over[best] >= WITH:
        return None
    nyquist = float(f[-1])
    multiples = [_folded(h * f[best], 2 * nyquist) for h in range(2, 7)]
    lower = [k for k in range(5, 1, -1) if f[best] / k >= SLOWEST and over[round(f[best] / k / step)] >= WITH]
    if lower:
        return float(f[best]) / lower[0]
    strong = sum(over[(np.abs(f - m) <= 2 * step)].max(initial=-np.inf) >= HARMONIC for m in multiples)
    return float(f[best]) if over[best] >= ALONE or strong >= HARMONICS else None


def measured(recording: Recording, names: tuple[str, ...], spectrum: Spectrum, frequency: float) -> Stimulation | None:
    """Return the exact period of stimulation at about `frequency` [Hz]; None where there is no unbroken stretch."""
    c, rate = recording.info.channels, float(recording.info.rate)
    over = spectrum.line(_folded(frequency, rate))[0]
    order = [i for i in np.argsort(-np.nan_to_num(over, nan=-np.inf), kind="stable") if np.isfinite(over[i])][:2]
    if not order:
        return None
    index = [c.names.index(names[i]) for i in order]
    x = _stretch(recording, index)
    try:
        period = find_period(
            x, rate, frequency, search=min(0.01, 1.5 * float(spectrum.frequency[1]) / frequency + 1e-4)
        )
    except ContractError:
        return None
    return Stimulation(rate / period, period, float(over[order[0]]), int((np.nan_to_num(over) >= HARMONIC).sum()))


def near_multiple(line: float, frequency: float, rate: float) -> bool:
    """Say whether a line lies within 1 Hz of where one of the first five multiples of a frequency shows."""
    return any(abs(_folded(h * frequency, rate) - line) <= 1 for h in range(1, 6))


def _folded(frequency: float, rate: float) -> float:
    """Return where a frequency shows once it is sampled [Hz]."""
    away = frequency % rate
    return min(away, rate - away)


def _stretch(recording: Recording, index: list[int]) -> Array:
    """Return the first unbroken finite stretch, of some channels."""
    kept: list[Array] = []
    size, following = 0, None
    for block in recording.blocks(max(1, round(recording.info.rate))):
        x = block.data[:, index].astype(np.float64)
        if (following is not None and block.start != following) or not np.isfinite(x).all():
            if size >= 1000:
                break
            kept, size = [], 0
            following = block.stop
            continue
        kept.append(x)
        size, following = size + len(x), block.stop
        if size >= LONGEST:
            break
    return np.concatenate(kept) if kept else np.empty((0, len(index)))
