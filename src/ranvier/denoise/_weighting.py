"""What the eye sees as artefact: a filter that weighs drift, blinks and muscle up, and rhythms of the brain down."""

from __future__ import annotations

import numpy as np

from ranvier.denoise._design import Sections

LEVEL = 0.417
# corner [Hz], gain beyond it, quality; low shelf first. Least squares on the logarithm of the response that
# clean_rawdata aims at: 3 at 0 Hz, .75 at 2, .33 at 3 to 13, 1 at 16 to 40, 3 from 80 on.
SHELVES = ((1.667, 5.955, 0.917, False), (14.073, 1.942, 2.047, True), (52.336, 3.615, 0.918, True))


def weighting(rate: float) -> Sections:
    """Design the filter for a rate [Hz]: three shelves; those whose corner comes near rate / 2 are left out.

    References
    ----------
    Kothe & Jung, US patent application 20160113587 (2016), abandoned (the weighting). Bristow-Johnson, Cookbook
    formulae for audio EQ biquad filter coefficients (the shelves, by the bilinear transform).
    """
    rows = [shelf(f, gain, quality, rate, high) for f, gain, quality, high in SHELVES if f < 0.45 * rate]
    sections = np.array(rows)
    sections[0, :3] *= LEVEL
    return sections


def shelf(frequency: float, gain: float, quality: float, rate: float, high: bool) -> list[float]:
    """Return the section b0 b1 b2 1 a1 a2 that amplifies what is beyond a corner [Hz]."""
    a, w = np.sqrt(gain), 2 * np.pi * frequency / rate
    side = -1.0 if high else 1.0
    c, r = side * np.cos(w), np.sqrt(a) * np.sin(w) / quality
    b0, b1, b2 = (
        a * ((a + 1) - (a - 1) * c + r),
        side * 2 * a * ((a - 1) - (a + 1) * c),
        a * ((a + 1) - (a - 1) * c - r),
    )
    a0, a1, a2 = (a + 1) + (a - 1) * c + r, side * -2 * ((a - 1) + (a + 1) * c), (a + 1) + (a - 1) * c - r
    return [float(v / a0) for v in (b0, b1, b2, a0, a1, a2)]
