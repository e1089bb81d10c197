"""RobustReference: the mean over the whole head, as if no electrode were lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np

from ranvier.channels._places import placed
from ranvier.channels._spatial import Spatial, Sums
from ranvier.channels._weights import sphere, spline, spline_kernel
from ranvier.errors import ContractError
from ranvier.stage import Tags
from ranvier.stream import Array, StreamInfo


@dataclass(frozen=True)
class Heads:
    """Electrodes by kind, one reference each, with the spline's kernel between them."""

    part: Array
    of: Array
    row: Array
    other: Array
    kinds: list[tuple[Array, Array]]


@final
@dataclass(frozen=True, eq=False)
class RobustReference(Spatial):
    """Take the mean of all electrodes away, the invalid ones estimated from the others (as PREP does).

    The mean of the valid ones alone leans to where most are valid; estimates by spherical splines keep it over the
    whole head. Which electrodes are bad is not decided here: put what judges them before it.

    Parameters
    ----------
    estimate
        ``spline``: each invalid electrode counts with its estimate. ``none``: the mean of the valid ones.
    least
        How many valid electrodes a reference needs; with fewer, nothing is valid.
    smoothing
        Added to the diagonal of the spline's kernel (1e-5 in MNE).
    centre
        Of the head [m], for the spline; None for that of the sphere that fits the electrodes best.
    fade
        When an electrode becomes invalid or comes back, how long the reference takes to change over [s].

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, those that are no electrodes as they were; float32 (float64 for
    float64). Each kind (eeg, ecog, seeg, dbs, lfp, spikes) has its own reference. The fade is that of
    `LocalReference`. Delay 0. Support and settle: two fades (settle only where too few electrodes were valid; else
    an electrode is back at once). Exact; portable where the estimate is ``none``.

    Raises
    ------
    ContractError
        Units differ, there are fewer than `least`; for the spline: an electrode has no position, no sphere fits.

    References
    ----------
    Bigdely-Shamlo et al., Front Neuroinform 9 (2015) 16 (PREP).
    Perrin et al., Electroencephalogr Clin Neurophysiol 72 (1989) 184-187 (spherical splines).
    """

    estimate: Literal["spline", "none"] = "spline"
    least: int = 4
    smoothing: float = 1e-5
    centre: tuple[float, float, float] | None = None
    fade: float = 0.05

    tags: ClassVar[Tags] = Tags(exactness="exact", linear=True)

    def plan(self, info: StreamInfo) -> Heads:
        if self.estimate not in ("spline", "none") or self.least < 1 or not self.smoothing > 0:
            raise ContractError(
                "RobustReference needs estimate 'spline' or 'none', least >= 1 and smoothing > 0; got "
                f"{self.estimate!r}, {self.least} and {self.smoothing:g}. Mend them."
            )
        of = np.full(info.n_channels, -1, np.int64)
        kinds: list[tuple[Array, Array]] = []
        for channels, places in placed(self, info.channels, needed=self.estimate == "spline"):
            if len(channels) < self.least:
                raise ContractError(
                    f"RobustReference needs at least {self.least} electrodes of a kind; got {len(channels)} of kind "
                    f"{info.channels.kinds[channels[0]]!r}. Lower least, or leave them out with Pick."
                )
            of[channels] = len(kinds)
            g = np.empty((0, 0))
            if self.estimate == "spline":
                g = spline_kernel(places, sphere(places) if self.centre is None else np.array(self.centre), 4)
            kinds.append((channels, g))
        row = np.concatenate([[0], np.cumsum([len(c) for c, _ in kinds])]).astype(np.int64)
        return Heads(of >= 0, of, row, np.concatenate([c for c, _ in kinds]).astype(np.int64), kinds)

    def of(self, plan: Heads, was: Array, now: Array) -> Array:
        return plan.of

    def sums(self, plan: Heads, there: Array, of: Array, old: bool) -> Sums:
        shares = []
        for channels, g in plan.kinds:
            inside = there[channels]
            share = inside.astype(float)
            if self.estimate == "spline" and self.least <= inside.sum() < len(inside):
                share[inside] += spline(g, inside, self.smoothing).sum(axis=0)
            shares.append(share / max(share.sum(), 1.0))
        return Sums(plan.row, plan.other, np.concatenate(shares), np.full(len(shares), self.least))
