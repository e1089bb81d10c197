"""LocalReference and Laplacian: each electrode against those around it."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np

from ranvier.channels._places import apart, placed
from ranvier.channels._spatial import Spatial, Sums
from ranvier.errors import ContractError
from ranvier.stage import Tags
from ranvier.stream import Array, StreamInfo


@dataclass(frozen=True)
class Around:
    """The electrodes around each: those of row r are ``other[row[r]:row[r + 1]]``."""

    part: Array
    of: Array
    row: Array
    other: Array
    weight: Array


class Neighbourly(Spatial):
    """Each electrode minus the weighted mean of those around it."""

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True)
    least: int

    @abc.abstractmethod
    def near(self, distance: Array) -> Array:
        """Return which electrodes, given their distances [m] in rising order of channels, are around one."""

    def weigh(self, distance: Array) -> Array:
        """Return how much each of those counts."""
        return np.ones(len(distance))

    @final
    def plan(self, info: StreamInfo) -> Around:
        of = np.full(info.n_channels, -1, np.int64)
        others: list[Array] = []
        weights: list[Array] = []
        for channels, places in placed(self, info.channels):
            distances = apart(places, places)
            for i, c in enumerate(channels):
                rest = np.flatnonzero(np.arange(len(channels)) != i)
                those = rest[self.near(distances[i, rest])]
                if not 1 <= self.least <= len(those):
                    raise ContractError(
                        f"{type(self).__name__} needs 1 <= least <= the electrodes around each; got least="
                        f"{self.least} and {len(those)} around {info.channels.names[c]}. Widen the ring, or lower it."
                    )
                of[c] = len(others)
                others.append(channels[those])
                weights.append(self.weigh(distances[i, those]))
        row = np.concatenate([[0], np.cumsum([len(o) for o in others])]).astype(np.int64)
        return Around(of >= 0, of, row, np.concatenate(others).astype(np.int64), np.concatenate(weights))

    @final
    def of(self, plan: Around, was: Array, now: Array) -> Array:
        return plan.of

    @final
    def sums(self, plan: Around, there: Array, of: Array, old: bool) -> Sums:
        weight = np.where(there[plan.other], plan.weight, 0.0)
        total = np.add.reduceat(weight, plan.row[:-1])
        share = weight / np.repeat(np.where(total > 0, total, 1.0), np.diff(plan.row))
        return Sums(plan.row, plan.other, share, np.full(len(total), self.least))


@final
@dataclass(frozen=True, eq=False)
class LocalReference(Neighbourly):
    """Take the mean of the electrodes in a ring around each electrode away from it.

    Parameters
    ----------
    inner, outer
        Radii of the ring [m]: electrodes farther than `inner` and no farther than `outer` make the reference.
        On a probe ``30e-6`` and ``55e-6`` keep a spike out of its own reference.
    neighbours
        At least so many: where the ring holds fewer, the nearest beyond `inner` are taken.
    least
        How many valid electrodes a reference needs; with fewer, the electrode is invalid.
    fade
        When an electrode becomes invalid or comes back, how long the references take to change over [s].

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, those that are no electrodes as they were; float32 (float64 for
    float64). Electrodes of the same kind (eeg, ecog, seeg, dbs, lfp, spikes) reference each other. While the weights
    fade from one set of electrodes to the next, the last valid value of a lost one stands for it; a change that
    comes meanwhile waits until that fade is over. So no step enters the signal: from one sample to the next a weight
    changes by at most 1/(samples of a fade). Delay 0. Support and settle: two fades (settle only where a reference
    was lost altogether; else an electrode is back at once). Portable.

    Raises
    ------
    ContractError
        An electrode has no position, units differ, or too few electrodes are around one.

    References
    ----------
    Ludwig et al., J Neurophysiol 101 (2009) 1679-1689 (why average references serve spikes).
    McFarland et al., Electroencephalogr Clin Neurophysiol 103 (1997) 386-394 (local references for control).
    """

    inner: float = 0.0
    outer: float = 0.05
    neighbours: int = 5
    least: int = 2
    fade: float = 0.05

    def near(self, distance: Array) -> Array:
        if not 0 <= self.inner <= self.outer:
            raise ContractError(
                f"LocalReference needs 0 <= inner <= outer; got {self.inner:g} m and {self.outer:g} m. Swap them."
            )
        if self.neighbours < 1:
            raise ContractError(f"LocalReference needs neighbours >= 1; got {self.neighbours}. Take 5 if in doubt.")
        ring = np.flatnonzero((distance > self.inner) & (distance <= self.outer))
        if len(ring) >= self.neighbours:
            return ring
        order = np.argsort(distance, kind="stable")
        return np.sort(order[distance[order] > self.inner][: self.neighbours])


@final
@dataclass(frozen=True, eq=False)
class Laplacian(Neighbourly):
    """Take the mean of its nearest electrodes away from each electrode; faded when one of them is lost.

    Parameters
    ----------
    neighbours
        How many nearest electrodes of the same kind.
    weights
        ``mean``: they count alike. ``distance``: each by the inverse of its distance.
    least
        How many of them must be valid.
    fade
        When an electrode becomes invalid or comes back, how long the weights take to change over [s].

    Notes
    -----
    As `LocalReference`: *in*, *out*, delay 0, support and settle two fades, portable. With ``fade=0`` it has no memory
    and changes over at once.

    Raises
    ------
    ContractError
        An electrode has no position, two are at one place (``distance``), or there are too few.

    References
    ----------
    Hjorth, Electroencephalogr Clin Neurophysiol 39 (1975) 526-530 (Laplacian from neighbours).
    McFarland et al., Electroencephalogr Clin Neurophysiol 103 (1997) 386-394 (small Laplacian for control).
    """

    neighbours: int = 4
    weights: Literal["mean", "distance"] = "mean"
    least: int = 1
    fade: float = 0.05

    def near(self, distance: Array) -> Array:
        if not 1 <= self.neighbours <= len(distance):
            raise ContractError(
                f"Laplacian needs 1 <= neighbours <= {len(distance)} (other electrodes of the same kind); got "
                f"{self.neighbours}. Take 4 if in doubt."
            )
        return np.argsort(distance, kind="stable")[: self.neighbours]

    def weigh(self, distance: Array) -> Array:
        if self.weights not in ("mean", "distance"):
            raise ContractError(f"Laplacian needs weights 'mean' or 'distance'; got {self.weights!r}. Mend the word.")
        if self.weights == "mean":
            return np.ones(len(distance))
        if not distance.all():
            raise ContractError(
                "Laplacian needs electrodes at different places; got two at one. Mend the positions, or take "
                'weights="mean".'
            )
        return np.asarray(1 / distance)
