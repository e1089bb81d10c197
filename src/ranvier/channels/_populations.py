"""Who is compared with whom: electrodes of one kind and group, the six nearest of them, and who predicts whom."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np

from ranvier.channels._names import ELECTRODES
from ranvier.channels._predict import Predictors, predictors
from ranvier.stream import Array, Channels

BODY = frozenset({"eog", "emg", "ecg"})  # potentials that others have no reason to share
NEAR = 6  # neighbours that a channel is compared with
FEW = 4  # channels that it takes to say what is usual


class Population(NamedTuple):
    """Channels that are compared with each other."""

    members: Array  # (m,), rising
    near: Array  # (m, q): whom each is compared with; -1 for no more
    rank: int  # which of these correlations counts, from the largest
    predict: Predictors | None


def judged(channels: Channels) -> Array:
    """Say which channels are potentials, each of which can be lost."""
    return np.array([kind in ELECTRODES or kind in BODY for kind in channels.kinds], bool)


def populations(channels: Channels, subsets: int, seed: int) -> list[Population]:
    """Return who is compared with whom; groups of too few are put together with the others of their kind."""
    alike: dict[tuple[str, str], list[int]] = {}
    for i, key in enumerate(zip(channels.kinds, channels.groups, strict=True)):
        if key[0] in ELECTRODES:
            alike.setdefault(key, []).append(i)
    small: dict[str, list[int]] = {}
    for (kind, _), members in alike.items():
        if len(members) < FEW:
            small.setdefault(kind, []).extend(members)
    found = [m for m in (*alike.values(), *map(sorted, small.values())) if len(m) >= FEW]
    return [Population(np.array(m), *_near(channels, m), predictors(channels, m, subsets, seed)) for m in found]


def _near(channels: Channels, members: list[int]) -> tuple[Array, int]:
    """Return whom each is compared with, and which of its correlations counts.

    The largest with the six nearest; where positions are not known, the one that a twentieth of all lies above: the
    largest of many is large by chance.
    """
    who, m = np.array(members), len(members)
    where = [channels.positions[i] for i in members]
    if m <= NEAR + 1 or any(p is None for p in where):
        others = [np.delete(who, a) for a in range(m)]
        return np.array(others), max(1, ceil(0.05 * (m - 1)))
    p = np.array(where, float)
    d = np.round(np.linalg.norm(p[:, None] - p[None], axis=2), 7)
    np.fill_diagonal(d, np.inf)
    close = d <= np.sort(d, 1)[:, NEAR - 1 : NEAR]  # ties count
    near = np.full((m, int(close.sum(1).max())), -1)
    for row, mine in zip(near, close, strict=True):
        row[: mine.sum()] = who[mine]
    return near, 1
