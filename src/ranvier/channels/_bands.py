"""The filters that the judge hears through: mean, mains, slow and fast part of a channel."""

from __future__ import annotations

from math import cos, pi, tan

import numpy as np

from ranvier.stream import Array

WIDTH = 3.0  # of the band that counts as mains [Hz]
HIGHEST = 0.45  # of the rate: what lies above is not looked at
BACK = [2, 3, 7, 8, 12, 13]  # coefficients of what was there before, which are taken away


def coefficients(rate: float, band: tuple[float, float], noise: float, mains: float) -> Array:
    """Design the filters in the order of the kernel; those beyond the rate let nothing through.

    Second-order sections by the bilinear transform (Oppenheim & Schafer, ch. 7); Butterworth but for the mains.
    """
    k = np.zeros(14)
    k[0] = 1 - np.exp(-2 * pi * band[0] / rate)
    if 0 < mains < HIGHEST * rate:
        width = tan(pi * WIDTH / rate)
        k[1:4] = np.array([width, -2 * cos(2 * pi * mains / rate), 1 - width]) / (1 + width)
    for first, edge, signs in ((4, band[1], (1, 2, 1)), (9, noise, (1, -2, 1))):
        if edge >= HIGHEST * rate and first == 9:
            continue
        w = tan(pi * edge / rate)
        scale = 1 / (1 + 2**0.5 * w + w * w)
        gain = w * w * scale if first == 4 else scale
        k[first : first + 3] = gain * np.array(signs)
        k[first + 3 : first + 5] = 2 * (w * w - 1) * scale, (1 - 2**0.5 * w + w * w) * scale
    k[BACK] *= -1
    return k.astype(np.float32)
