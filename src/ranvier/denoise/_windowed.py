"""Design of filters of finite length: windowed sinc with a Kaiser window. Ours, so that scipy is an oracle.

Source: Oppenheim & Schafer, Discrete-Time Signal Processing, ch. 7 (windows; Kaiser's formulas).
"""

from __future__ import annotations

from math import ceil, pi

import numpy as np
import numpy.typing as npt

Taps = npt.NDArray[np.float64]


def kaiser_beta(attenuation: float) -> float:
    """Return the shape of the Kaiser window for a stop-band attenuation [dB]."""
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    return 0.5842 * max(attenuation - 21, 0) ** 0.4 + 0.07886 * max(attenuation - 21, 0)


def kaiser_length(attenuation: float, width: float) -> int:
    """Return how many taps it takes, an odd number, for a transition `width` [part of the rate]."""
    return 2 * ceil((attenuation - 7.95) / (2.285 * 2 * pi * width) / 2) + 1


def windowed_sinc(length: int, low: float, high: float, attenuation: float) -> Taps:
    """Design a linear-phase filter that passes ``low`` to ``high`` [part of the rate], gain 1 in its middle.

    Parameters
    ----------
    length
        Taps; odd where `high` is 0.5.
    low, high
        Corners, -6 dB; 0 <= low < high <= 0.5. `low` 0 makes a low-pass, `high` 0.5 a high-pass.
    attenuation
        Of the stop band [dB].
    """
    m = np.arange(length) - (length - 1) / 2
    taps = 2 * high * np.sinc(2 * high * m) - 2 * low * np.sinc(2 * low * m)
    taps *= np.kaiser(length, kaiser_beta(attenuation))
    middle = 0.0 if low == 0 else 0.5 if high == 0.5 else (low + high) / 2
    return taps / float((taps * np.cos(2 * np.pi * middle * m)).sum())
