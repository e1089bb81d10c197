"""Interpolate: what a lost electrode would have said, from those around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np

from ranvier.channels._places import apart, placed
from ranvier.channels._spatial import Spatial, Sums
from ranvier.channels._weights import gaussian, gaussian_kernel, sphere, spline, spline_kernel
from ranvier.errors import ContractError
from ranvier.stage import Tags
from ranvier.stream import Array, StreamInfo

FAINT = 0.005  # weights below it are 0, in the Gaussian method
EMPTY = np.empty(0)


@dataclass(frozen=True)
class Field:
    """Electrodes by kind, with the kernel between them."""

    part: Array
    kinds: list[tuple[Array, Array]]


@final
@dataclass(frozen=True, eq=False)
class Interpolate(Spatial):
    """Put an estimate from the other electrodes in the place of those that are invalid now.

    **What was invalid comes out valid**: from here on an estimate passes for a measurement, unless `mark`. It
    carries no information that the other electrodes lack, so a decoder gains nothing from it but a full vector.

    Parameters
    ----------
    method
        ``spline``: spherical splines, for electrodes around a head. ``gaussian``: weights
        ``exp(-(distance / sigma) ** exponent)``, for probes and grids.
    least
        How many valid electrodes an estimate needs (of weight 0.005 and more, for ``gaussian``); with fewer, the
        electrode stays invalid.
    mark
        Leave what was estimated marked invalid.
    smoothing
        Of ``spline``: added to the diagonal of its kernel (1e-5 in MNE).
    order
        Of ``spline``: m of Perrin et al.
    centre
        Of ``spline``: centre of the head [m]; None for that of the sphere that fits the electrodes best.
    sigma
        Of ``gaussian`` [m]; None for the distance from an electrode to the nearest other, the median over all.
    exponent
        Of ``gaussian``.
    fade
        How long it takes from an electrode to its estimate and back [s].

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, those that are no electrodes as they were; float32 (float64 for
    float64). Estimates come from electrodes of the same kind (eeg, ecog, seeg, dbs, lfp, spikes). The mask decides,
    at every sample; when it changes, the last valid value fades into the estimate, and on return the estimate into
    what is measured, so that there is no step. A change that comes while one fade runs waits until it is over; what
    is lost meanwhile is invalid until then. Electrodes with offsets of their own (DC amplifiers) belong behind a
    high-pass, else their offsets are interpolated. Delay 0. Support and settle: two fades. Exact (LAPACK works the
    weights out, at most once a fade).

    Raises
    ------
    ContractError
        An electrode has no position, units differ, there are too few, no sphere fits, or a parameter cannot be.

    References
    ----------
    Perrin et al., Electroencephalogr Clin Neurophysiol 72 (1989) 184-187.
    International Brain Laboratory et al., Spike sorting pipeline (2022), doi:10.6084/m9.figshare.19705522.
    """

    method: Literal["spline", "gaussian"] = "spline"
    least: int = 4
    mark: bool = False
    smoothing: float = 1e-5
    order: int = 4
    centre: tuple[float, float, float] | None = None
    sigma: float | None = None
    exponent: float = 1.3
    fade: float = 0.05

    tags: ClassVar[Tags] = Tags(exactness="exact", linear=True)
    replace: ClassVar[bool] = True

    @property
    def fill(self) -> bool:  # type: ignore[override]
        return not self.mark

    def plan(self, info: StreamInfo) -> Field:
        if self.method not in ("spline", "gaussian") or self.least < 1:
            raise ContractError(
                f"Interpolate needs method 'spline' or 'gaussian' and least >= 1; got {self.method!r} and "
                f"{self.least}. Mend them."
            )
        if not (
            self.smoothing > 0 and self.order >= 2 and self.exponent > 0 and (self.sigma is None or self.sigma > 0)
        ):
            raise ContractError(
                "Interpolate needs smoothing > 0, order >= 2, exponent > 0 and sigma > 0 m; got "
                f"{self.smoothing:g}, {self.order}, {self.exponent:g} and {self.sigma}. Mend them."
            )
        part = np.zeros(info.n_channels, bool)
        kinds = []
        for channels, places in placed(self, info.channels):
            if len(channels) <= self.least:
                raise ContractError(
                    f"Interpolate needs more than {self.least} electrodes of a kind (least); got {len(channels)} of "
                    f"kind {info.channels.kinds[channels[0]]!r}. Lower least, or leave them out with Pick."
                )
            part[channels] = True
            kinds.append((channels, self._kernel(places)))
        return Field(part, kinds)

    def _kernel(self, places: Array) -> Array:
        if self.method == "spline":
            return spline_kernel(places, sphere(places) if self.centre is None else np.array(self.centre), self.order)
        distance = apart(places, places)
        away = distance + np.where(np.eye(len(places), dtype=bool), np.inf, 0)
        return gaussian_kernel(distance, self.sigma or float(np.median(away.min(axis=1))), self.exponent, FAINT)

    def of(self, plan: Field, was: Array, now: Array) -> Array:
        lost = plan.part & ~(was & now)
        return np.where(lost, np.cumsum(lost) - 1, -1)

    def sums(self, plan: Field, there: Array, of: Array, old: bool) -> Sums:
        rows: list[tuple[Array, Array, int]] = [(EMPTY, EMPTY, 0)] * (int(of.max(initial=-1)) + 1)
        for channels, kernel in plan.kinds:
            inside = there[channels]
            lost = np.flatnonzero(~inside)
            estimates = np.zeros((len(lost), len(channels)))
            if len(lost) and len(channels) - len(lost) >= self.least:
                estimates[:, inside] = self._estimates(kernel, inside)
            for i in np.flatnonzero(of[channels] >= 0):
                near = (kernel[i] != 0) | (self.method == "spline")
                weights, least = np.arange(len(channels)) == i, int(not old)  # as measured, or from its last value
                if not inside[i]:
                    estimate = estimates[np.searchsorted(lost, i)]
                    enough = np.count_nonzero(estimate) >= self.least
                    weights, least = (estimate, self.least) if enough else (weights, 1)
                rows[of[channels[i]]] = (channels[near], weights[near], least)
        sources, weight, needed = zip(*rows, strict=True) if rows else ((), (), ())
        return Sums(
            np.cumsum([0, *(len(s) for s in sources)]).astype(np.int64),
            np.concatenate([EMPTY, *sources]).astype(np.int64),
            np.concatenate([EMPTY, *weight]),
            np.array(needed, dtype=np.int64),
        )

    def _estimates(self, kernel: Array, inside: Array) -> Array:
        if self.method == "spline":
            return spline(kernel, inside, self.smoothing)
        return gaussian(kernel, inside, FAINT)
