"""Electrodes and their places, for what depends on where they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ranvier.channels._names import ELECTRODES, electrodes
from ranvier.errors import ContractError
from ranvier.stream import Array, Channels


def placed(who: Any, channels: Channels, needed: bool = True) -> list[tuple[Array, Array]]:
    """Return for each kind of electrode its channels and their places ``(n, 3)`` [m]; one unit for all.

    Where places are not `needed`, those that have none are nan.

    Raises
    ------
    ContractError
        There are no electrodes, one has no place, or their units differ.
    """
    name, chosen = type(who).__name__, electrodes(channels)
    if not chosen:
        raise ContractError(
            f"{name} needs electrodes ({', '.join(sorted(ELECTRODES))}); got channels of the kinds "
            f"{', '.join(dict.fromkeys(channels.kinds))}. Set their kinds, or leave this stage out."
        )
    lost = [channels.names[i] for i in chosen if channels.positions[i] is None]
    if lost and needed:
        raise ContractError(
            f"{name} needs the positions [m] of all electrodes; got none for {', '.join(lost[:6])} ({len(lost)} of "
            f"{len(chosen)}). Put Montage before it, or leave them out with Pick."
        )
    units = dict.fromkeys(channels.units[i] for i in chosen)
    if len(units) > 1:
        raise ContractError(f"{name} needs electrodes in one unit; got {', '.join(units)}. Put Scale before it.")
    kinds = dict.fromkeys(channels.kinds[i] for i in chosen)
    alike = [np.array([i for i in chosen if channels.kinds[i] == kind]) for kind in kinds]
    nowhere = (np.nan,) * 3
    return [(those, np.array([channels.positions[i] or nowhere for i in those], dtype=float)) for those in alike]


def apart(a: Array, b: Array) -> Array:
    """Return the distances of places a ``(n, 3)`` from places b ``(m, 3)`` [m]; ties are ties, to 1 nm."""
    return np.asarray(np.round(np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=2)), 9))
