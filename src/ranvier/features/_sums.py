"""Sums over hops from which covariances of windows are made."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from ranvier.features._grid import Grid
from ranvier.stream import Array

ROWS = 256  # instants that are widened to float64 at a time


class Sums:
    """Rings of sums, one place a hop, and the matrices that they make.

    A hop in which all is valid so far is *clean*: only products and plain sums are kept. At its first invalid
    sample the sums by partner and the counts begin, from what the plain sums were; no bit depends on which way
    was gone.

    Parameters
    ----------
    kernels
        The module `ranvier.kernels._gram`, which is imported when a stage is started.
    grid
        Windows, whose length is a multiple of the hop.
    n
        Channels.
    estimator
        ``scm``, ``oas`` or ``lwf``.
    need
        Samples in which both channels must be valid for their cell to be valid.
    """

    def __init__(self, kernels: ModuleType, grid: Grid, n: int, estimator: str, need: int) -> None:
        self.kernels, self.grid, self.n, self.estimator = kernels, grid, n, estimator
        self.hops = grid.length // grid.hop
        self.need = float(need)
        self.total = np.empty((3, n, n))
        self.upper = np.triu(np.ones((n, n)))
        self.wide = np.empty((ROWS, n))
        self.seen = np.empty((ROWS, n))

    def arrays(self) -> dict[str, Array]:
        """Return the memory: products, sums by partner, counts; for clean hops sums alone; for lwf the samples."""
        n, hops = self.n, self.hops
        past = self.grid.length if self.estimator == "lwf" else 0
        return {
            "products": np.zeros((hops, n, n)),
            "sums": np.zeros((hops, n, n)),
            "counts": np.zeros((hops, n, n)),
            "plain": np.zeros((hops, n)),
            "clean": np.ones(hops, bool),
            "past": np.zeros((past, n)),
            "present": np.ones((past, n), bool),
        }

    def hear(self, arrays: dict[str, Array], place: int, x: Array, valid: Array | None) -> None:
        """Add samples of one hop; `place` is the index of the first."""
        hop = self.grid.hop
        r = (place // hop) % self.hops
        count = place % hop
        if not count:
            arrays["products"][r] = 0
            arrays["plain"][r] = 0
            arrays["clean"][r] = True
        for a in range(0, len(x), ROWS):
            part = None if valid is None else valid[a : a + ROWS]
            wide = self._hear(arrays, r, count + a, x[a : a + ROWS], part)
            if self.estimator == "lwf":
                at = (place + a + np.arange(len(wide))) % self.grid.length
                arrays["past"][at] = wide
                arrays["present"][at] = True if part is None else part

    def _hear(self, arrays: dict[str, Array], r: int, count: int, x: Array, valid: Array | None) -> Array:
        add = self.kernels.add_products
        wide, seen = self.wide[: len(x)], self.seen[: len(x)]
        wide[:] = x if valid is None else np.where(valid, x, 0)
        if valid is not None and arrays["clean"][r] and not valid.all():
            arrays["clean"][r] = False
            arrays["sums"][r] = arrays["plain"][r][:, None]
            np.multiply(self.upper, count, out=arrays["counts"][r])
        add(wide, wide, arrays["products"][r], True)
        self.kernels.add_rows(wide, arrays["plain"][r])
        if not arrays["clean"][r]:
            seen[:] = True if valid is None else valid
            add(wide, seen, arrays["sums"][r], False)
            add(seen, seen, arrays["counts"][r], True)
        return wide

    def result(self, arrays: dict[str, Array], hop: int, out: Array, valid: Array) -> None:
        """Write the matrix of the window that ends with a hop."""
        k = self.kernels
        oldest = (hop + 1) % self.hops
        products, sums, counts = self.total
        clean = arrays["clean"]
        k.add_hops(arrays["products"], oldest, products)
        if clean.all():
            k.add_hops(arrays["plain"][:, None, :], oldest, sums[:1])
            sums[:] = sums[0][:, None].copy()
            counts[:] = self.grid.length
        else:
            for r in np.flatnonzero(clean):
                arrays["sums"][r] = arrays["plain"][r][:, None]
                np.multiply(self.upper, self.grid.hop, out=arrays["counts"][r])
            k.add_hops(arrays["sums"], oldest, sums)
            k.add_hops(arrays["counts"], oldest, counts)
        k.centre(products, sums, counts, self.need, out, valid)
        if self.estimator == "oas":
            k.shrink(out, valid, counts, -1.0)
        elif self.estimator == "lwf":
            first = (hop + 1) * self.grid.hop % self.grid.length
            fourth = k.mean_fourth(arrays["past"], arrays["present"], first, sums, counts, valid)
            k.shrink(out, valid, counts, fourth)
