"""How samples go through a SubspaceReconstruction, and what is taken away from hop to hop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ranvier.denoise._design import Sections
from ranvier.denoise._hops import Steps
from ranvier.stage import Scratch
from ranvier.stream import Array, StreamInfo

if TYPE_CHECKING:
    from ranvier.denoise._subspace import SubspaceReconstruction


class Cleaner:
    """What does not change while it runs, and how the samples of one hop go through."""

    def __init__(self, who: SubspaceReconstruction, steps: Steps, sections: Sections, out: StreamInfo):
        from ranvier.kernels import _exceed, _subspace

        n = len(who.channels)
        self.who, self.steps, self.sections, self.within = who, steps, sections, _exceed.within
        self.scratch = Scratch(out.shape, out.dtype)
        self.hear, self.put_out = _subspace.hear[out.dtype], _subspace.put_out[out.dtype]
        self.which = np.array([out.channels.names.index(name) for name in who.channels], np.int64)
        self.blend = (1 - np.cos(np.pi * np.arange(1, steps.hop + 1) / steps.hop)) / 2
        self.threshold = np.ascontiguousarray(who.threshold)
        self.now, self.room, self.rows = np.zeros((n, n)), np.zeros((n, n)), np.zeros((2, n))
        self.most = int(who.share * n)

    def go(self, s: dict[str, Array], start: int, x: Array, ok: Array, masked: bool, y: Array, w: Array) -> int:
        """Let samples of one hop through, the first being number `start`; return how many are invalid."""
        hop, slot = start // self.steps.hop, start // self.steps.hop % self.steps.hops
        begins, first = start - hop * self.steps.hop, max(self.steps.late, 1)
        if not begins:
            self.judge(s, slot)
            s["products"][slot] = 0
            s["counts"][slot] = 0
        bad: int = self.put_out(
            x, ok, masked, self.which, start % first, s["past"], s["past_ok"], s["held"], s["removed"], s["trusted"],
            s["active"], self.blend[begins:], self.rows, y, w,
        )  # fmt: skip
        self.hear(
            x, ok, masked, self.which, self.steps.window, self.sections, s["z"], s["gone"], self.rows[0],
            s["products"][slot], s["counts"][slot],
        )  # fmt: skip
        return bad

    def judge(self, s: dict[str, Array], oldest: int) -> None:
        """Find what is to be removed, from the window that has just ended."""
        s["removed"][0], s["trusted"][0], s["active"][0] = s["removed"][1], s["trusted"][1], s["active"][1]
        inside = s["trusted"][1]
        need = self.steps.window - self.steps.hop
        quiet = self.within(s["products"], s["counts"], oldest, need, self.threshold, self.now, inside, self.room)
        s["removed"][1] = 0
        s["active"][1] = 0
        if not quiet:
            places = np.ix_(*2 * (np.flatnonzero(inside),))
            away = self.away(self.now[places], self.who.covariance[places], self.threshold[places])
            if away is not None:
                s["removed"][1][places] = away.T
                s["active"][1] = 1

    def away(self, now: Array, covariance: Array, threshold: Array) -> Array | None:
        """Return the projection that is taken away, ``I - C W (W' C W)^-1 W'``; None where nothing is."""
        if self.who.method == "riemannian":
            lower = np.linalg.cholesky(covariance)
            half = np.linalg.solve(lower, now)
            values, turned = np.linalg.eigh(np.linalg.solve(lower, half.T))
            vectors = np.linalg.solve(lower.T, turned)
        else:
            values, vectors = np.linalg.eigh(now)
        over = values >= (vectors * (threshold @ vectors)).sum(axis=0)
        over[: max(len(over) - self.most, 0)] = False
        if not over.any():
            return None
        u = vectors[:, over]
        if self.who.method == "riemannian":
            return (covariance @ u) @ u.T
        weights = np.linalg.solve(covariance, u)
        return u @ np.linalg.solve(u.T @ weights, weights.T)
