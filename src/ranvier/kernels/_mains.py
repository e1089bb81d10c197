"""Mains in many channels: sine and cosine of each harmonic that follow it, and the frequency that all share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, float64, int64, types, void

from ranvier.kernels._jit import kernel, njit
from ranvier.kernels._turn import PI, angle_of, turn

FINE = 2.0**40  # sums over channels are of whole parts of this, so that their order does not matter
TRUSTED = 0.5  # coherence from which on a frequency is believed in full
MARGIN = 0.3  # by how much the coherence of another candidate must be larger


def _rows(kind: Any) -> Any:
    return types.Array(kind, 2, "C", readonly=True)


@kernel(
    lambda f: void(
        _rows(f), _rows(boolean), boolean, f[:, ::1], f[::1], int64, int64, f[::1], f[:, :, ::1], int64[::1],
        int64[::1], boolean, f[:, ::1], boolean[:, ::1],
    )
)  # fmt: skip
def cancel(
    x: Any, ok: Any, masked: bool, turns: Any, gains: Any, hold: int, settle: int, base: Any, wave: Any, seen: Any,
    gone: Any, line: bool, y: Any, w: Any,
) -> None:  # fmt: skip
    """Take the mains away: each harmonic is a turning phasor that every sample pulls towards what is left.

    For a constant frequency each harmonic is the notch ``g (1 - 2 c z + z^2) / (1 - 2 g c z + (2 g - 1) z^2)``.

    Parameters
    ----------
    x, ok, masked
        Samples ``(n, n_channels)``; their mask, which is looked at only where `masked`.
    turns, gains
        Cosine and sine by which each harmonic turns a sample, ``(n_harmonics, 2)``; g and 2 (1 - g).
    hold, settle
        Longest invalid stretch over which phasors go on; valid samples until the output is valid.
    base, wave, seen, gone
        State of each channel: first valid sample; phasors ``(2, n_harmonics, n_channels)``; valid samples so far, at
        most `settle`; invalid ones since the last.
    line
        Write what is taken away (where invalid, what the phasors foretell) in place of what is left.
    y, w
        Result and its mask, of the shape of `x`.
    """
    n_harmonics, n = len(turns), len(base)
    g, pull, none = gains[0], gains[1], gains[0] - gains[0]
    steady = not masked
    for c in range(n):
        steady = steady and seen[c] >= settle and gone[c] == 0
    for t in range(len(x)):
        whole = steady
        if not whole:
            whole = True
            for c in range(n):
                good = not masked or ok[t, c]
                whole = whole and good
                if not good:
                    gone[c] = min(gone[c] + 1, hold + 1)
                    w[t, c] = False
                    continue
                if gone[c] > hold:
                    base[c] = x[t, c]
                    seen[c] = 0
                    for h in range(n_harmonics):
                        wave[0, h, c] = none
                        wave[1, h, c] = none
                gone[c] = 0
                seen[c] = min(seen[c] + 1, settle)
                w[t, c] = seen[c] >= settle
        else:
            for c in range(n):
                w[t, c] = True
        for c in range(n):
            y[t, c] = x[t, c] - base[c]
        for h in range(n_harmonics):
            a, b = turns[h, 0], turns[h, 1]
            if whole:
                for c in range(n):
                    away = y[t, c] - wave[0, h, c]
                    p, q = wave[0, h, c] + pull * away, wave[1, h, c]
                    y[t, c] = g * away
                    wave[0, h, c] = a * p - b * q
                    wave[1, h, c] = b * p + a * q
            else:
                for c in range(n):
                    p, q = wave[0, h, c], wave[1, h, c]
                    if gone[c] == 0:
                        away = y[t, c] - p
                        y[t, c] = g * away
                        p = p + pull * away
                    wave[0, h, c] = a * p - b * q
                    wave[1, h, c] = b * p + a * q
        if line:
            for c in range(n):
                if gone[c] == 0:
                    y[t, c] = (x[t, c] - base[c]) - y[t, c]
                else:
                    y[t, c] = none
                    for h in range(n_harmonics):  # turned already: turn back by one sample
                        y[t, c] += turns[h, 0] * wave[0, h, c] + turns[h, 1] * wave[1, h, c]
        else:
            for c in range(n):
                y[t, c] = y[t, c] + base[c] if gone[c] == 0 else none


@kernel(
    lambda f: void(
        _rows(f), _rows(boolean), boolean, f[::1], types.Array(f, 3, "C"), int64, f[:, ::1], boolean[::1]
    )
)  # fmt: skip
def listen(x: Any, ok: Any, masked: bool, base: Any, tables: Any, place: int, sums: Any, whole: Any) -> None:
    """Add the samples of a hop up, weighted with a windowed cosine and sine of each candidate frequency.

    A channel that misses a sample is left out of the rest of the hop.

    Parameters
    ----------
    x, ok, masked, base
        As for `cancel`, after it.
    tables, place
        Weights ``(n_candidates, 2, hop)``, and the place in the hop of the first sample.
    sums, whole
        ``(2 n_candidates, n_channels)`` sums, and which channels missed nothing so far.
    """
    n = len(base)
    none = base.dtype.type(0)
    for t in range(len(x)):
        if masked:
            for c in range(n):
                if not ok[t, c]:
                    whole[c] = False
                    for k in range(len(sums)):
                        sums[k, c] = none
        for k in range(len(tables)):
            a, b = tables[k, 0, place + t], tables[k, 1, place + t]
            for c in range(n):
                u = x[t, c] - base[c] if whole[c] else none
                sums[2 * k, c] += a * u
                sums[2 * k + 1, c] += b * u


@njit(types.UniTuple(float64, 3)(float64[:, :, ::1], int64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _together(products: Any, k: int) -> Any:
    """Return sums over channels: of their complex coherence, weighted by its size's fourth power, and of weights."""
    real, imaginary, most = int64(0), int64(0), int64(0)
    for c in range(products.shape[2]):
        energy = products[k, 2, c]
        if energy > 0.0:
            p, q = products[k, 0, c] / energy, products[k, 1, c] / energy
            weight = (p * p + q * q) ** 2
            real += int64(p * weight * FINE)
            imaginary += int64(q * weight * FINE)
            most += int64(weight * FINE)
    return float64(real), float64(imaginary), float64(most)


@kernel(
    lambda f: boolean(
        f[:, ::1], boolean[::1], f[:, ::1], boolean[::1], float64[:, :, ::1], float64[:, ::1], float64[::1], float64,
        float64, float64, int64, float64[:, ::1], int64[::1], float64[::1],
    )
)  # fmt: skip
def track(
    sums: Any, whole: Any, before: Any, had: Any, products: Any, steps: Any, candidates: Any, keep: float, hertz: float,
    reach: float, wait: int, slow: Any, chosen: Any, frequency: Any,
) -> bool:  # fmt: skip
    """End a hop: find the frequency from how far the phases of all channels went on; True where another was chosen.

    Parameters
    ----------
    sums, whole, before, had
        Of `listen`, in this hop and the one before it; made ready for the next.
    products
        ``(n_candidates, 3, n_channels)``: fading sum of the products of neighbouring hops, and of their energies.
    steps, candidates
        Cosine and sine by which each candidate turns in a hop ``(n_candidates, 2)``, and its frequency [Hz].
    keep
        Part of the sums that is kept from hop to hop.
    hertz, reach
        Frequency of one turn a hop, and how far from its candidate a frequency is looked for [Hz].
    wait
        Hops that are heard before the first choice.
    slow
        A second fading mean of each frequency, and its weight ``(n_candidates, 2)``: what it lags behind tells what the
        first lags behind a frequency that drifts.
    chosen, frequency
        Which candidate is followed, -1 before the first, and hops heard, at most `wait`; where each is found [Hz].
    """
    for k in range(len(candidates)):
        a, b = steps[k, 0], steps[k, 1]
        for c in range(sums.shape[1]):
            if not whole[c]:
                continue
            p, q = float64(sums[2 * k, c]), float64(sums[2 * k + 1, c])
            if had[c]:
                r, s = float64(before[2 * k, c]), float64(before[2 * k + 1, c])
                u, v = r * p + s * q, r * q - s * p
                products[k, 0, c] = keep * products[k, 0, c] + (a * u + b * v)
                products[k, 1, c] = keep * products[k, 1, c] + (a * v - b * u)
                products[k, 2, c] = keep * products[k, 2, c] + 0.5 * (r * r + s * s + p * p + q * q)
    heard = False
    for c in range(sums.shape[1]):
        heard = heard or (whole[c] and had[c])
        had[c] = whole[c]
        whole[c] = True
        for k in range(len(sums)):
            before[k, c] = sums[k, c]
            sums[k, c] = 0
    if not heard:
        return False
    best, most, mine = 0, -1.0, 0.0
    for k in range(len(candidates)):
        real, imaginary, total = _together(products, k)
        coherence = np.sqrt(real * real + imaginary * imaginary) / total if total > 0.0 else 0.0
        away = angle_of(real, imaginary) / (2.0 * PI) * hertz
        away = min(max(min((coherence / TRUSTED) ** 2, 1.0) * away, -reach), reach)
        slow[k, 1] = keep * slow[k, 1] + 1.0
        slow[k, 0] += (away - slow[k, 0]) / slow[k, 1]
        frequency[k] = candidates[k] + min(max(2.0 * away - slow[k, 0], -reach), reach)
        if coherence > most:
            best, most = k, coherence
        if k == chosen[0]:
            mine = coherence
    chosen[1] = min(chosen[1] + 1, wait)
    other = chosen[0] != best and chosen[1] >= wait and (chosen[0] < 0 or most > mine + MARGIN)
    if other:
        chosen[0] = best
    return bool(other)


@njit(void(float64, float64, int64, float64[:, ::1]), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def harmonics(frequency: float, rate: float, first: int, turns: Any) -> None:
    """Write cosine and sine by which multiples of a frequency turn in a sample, beginning with the `first`."""
    for h in range(len(turns)):
        turns[h] = turn(2.0 * PI * frequency * (first + h) / rate)
