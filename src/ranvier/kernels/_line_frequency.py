"""Mains in many channels: the frequency that all share, found from how far its phase goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, float64, int64, types, void

from ranvier.kernels._jit import kernel, njit
from ranvier.kernels._turn import PI, angle_of, turn

FINE = 2.0**40  # sums over channels are of whole parts of this, so that their order does not matter
TRUSTED = 0.5  # coherence from which on a frequency is believed in full
LONG = 20  # hops over which the coherence of candidates is compared
MARGIN, CLEAR = 0.2, 0.65  # by how much the coherence of another candidate must be larger, and what it must be


@kernel(
    lambda f: void(
        types.Array(f, 2, "C", readonly=True), types.Array(boolean, 2, "C", readonly=True), boolean, f[::1],
        types.Array(f, 3, "C"), int64, f[:, ::1], boolean[::1],
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
        float64, float64, int64, float64[::1], float64[:, ::1], int64[::1], float64[::1],
    )
)  # fmt: skip
def track(
    sums: Any, whole: Any, before: Any, had: Any, products: Any, steps: Any, candidates: Any, keep: float, hertz: float,
    reach: float, wait: int, likely: Any, slow: Any, chosen: Any, frequency: Any,
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
    wait, likely
        Hops that are heard before the first choice, and by how much the coherence of each candidate counts for more.
    slow
        A second fading mean of each frequency, its weight, and the mean coherence ``(n_candidates, 3)``: what it
        lags behind tells what the first lags behind a frequency that drifts, which is carried on to the middle of the
        next hop.
    chosen, frequency
        Which candidate is followed, -1 before the first, and hops heard, at most LONG more than `wait`; where each
        is found [Hz].
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
        trend = (1.0 + 1.5 * (1.0 - keep) / keep) * (away - slow[k, 0])
        frequency[k] = candidates[k] + min(max(away + trend, -reach), reach)
        slow[k, 2] += (coherence - slow[k, 2]) / min(max(chosen[1] + 1 - wait, 1), LONG)
        score = slow[k, 2] + likely[k]
        if score > most:
            best, most = k, score
        if k == chosen[0]:
            mine = score
    chosen[1] = min(chosen[1] + 1, wait + LONG)
    clear = chosen[1] >= wait + LONG and most > mine + MARGIN and slow[best, 2] > CLEAR
    other = chosen[0] != best and chosen[1] >= wait and (chosen[0] < 0 or clear)
    if other:
        chosen[0] = best
    return bool(other)


@njit(void(float64, float64, int64, float64[:, ::1]), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def harmonics(frequency: float, rate: float, first: int, turns: Any) -> None:
    """Write cosine and sine by which multiples of a frequency turn in a sample, beginning with the `first`."""
    for h in range(len(turns)):
        turns[h] = turn(2.0 * PI * frequency * (first + h) / rate)
