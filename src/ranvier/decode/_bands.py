"""Filter banks for steady-state responses: a band for each set of harmonics, and how much each counts."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ranvier.decode._training import Real
from ranvier.denoise import Bandpass
from ranvier.errors import ContractError
from ranvier.stage import Parallel, parallel
from ranvier.stream import StreamInfo


def filter_bank(lows: Sequence[float], high: float, order: int = 4) -> Parallel:
    """Return band-pass filters side by side, all up to the same frequency, as `FBCCA` and `TRCA` want them.

    Put it before `Window` or `Epoch`, so that the filters run through the signal and not through its pieces.

    Parameters
    ----------
    lows
        Lower corner of each band [Hz], rising: the first holds all harmonics, later ones the higher.
    high
        Upper corner of all bands [Hz].
    order
        Of each filter.

    Examples
    --------
    >>> len(filter_bank([6, 14, 22], high=90).branches)
    3

    References
    ----------
    Chen, Wang, Gao, Jung, Gao, J. Neural Eng. 12 (2015) 046008.
    """
    return parallel(*[Bandpass(low=float(low), high=float(high), order=order) for low in lows])


def band_weights(n_bands: int) -> Real:
    """Return how much each band counts: ``n**-1.25 + 0.25`` (Chen et al. 2015)."""
    b = np.arange(1.0, n_bands + 1)
    return np.asarray(1 / (b * np.sqrt(np.sqrt(b))) + 0.25)  # roots and no powers: the same bits on every CPU


def need_bands(who: Any, info: StreamInfo, n_bands: int) -> int:
    """Return the channels of one band; refuse channels that do not fall into `n_bands` groups."""
    if n_bands < 1 or info.n_channels % n_bands:
        raise ContractError(
            f"{type(who).__name__} needs n_bands that divides the channels, band after band; got n_bands={n_bands} and "
            f"{info.n_channels} channels. Put filter_bank with {n_bands} bands before Window or Epoch."
        )
    return info.n_channels // n_bands


def window_rate(info: StreamInfo) -> Fraction:
    """Return the sampling rate inside windows [Hz], from the source samples that they span.

    Exact where the rows of a window are a whole number of source samples apart.
    """
    rows = info.shape[0] - 1
    step = Fraction(info.origin.span - 1, rows)
    if step >= 1 and abs(step - round(step)) * rows <= 2:
        step = Fraction(round(step))
    return info.origin.rate / step
