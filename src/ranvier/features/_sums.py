"""Sums over hops from which covariances of windows are made."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ranvier.features._grid import Grid
from ranvier.stream import Array

ROWS = 256  # instants that are widened to float64 at a time
QUICK = (np.float32, np.float64, np.int16, np.int32)  # numbers that need no step of their own before they are


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
    dtype
        Of the samples.
    """

    def __init__(
        self, kernels: ModuleType, grid: Grid, n: int, estimator: str, need: int, dtype: np.dtype[Any]
    ) -> None:
        self.kernels, self.grid, self.n, self.estimator = kernels, grid, n, estimator
        self.hops = grid.length // grid.hop
        self.need = float(need)
        self.total = kernels.padded(3, n, n)
        self.wide, self.seen = kernels.padded(ROWS, n), kernels.padded(ROWS, n)
        self.narrow = self.wide[:, :n]
        self.quick = kernels.clean_step[dtype] if estimator != "lwf" and dtype in QUICK else None
        self.every, self.whole = np.ones((n, n), bool), np.full((n, n), float(grid.length))

    def arrays(self) -> dict[str, Array]:
        """Return the memory: products, sums by partner, counts; for clean hops sums alone; for lwf the samples."""
        n, hops, padded = self.n, self.hops, self.kernels.padded
        past = self.grid.length if self.estimator == "lwf" else 0
        return {
            "products": padded(hops, n, n),
            "sums": padded(hops, n, n),
            "counts": padded(hops, n, n),
            "plain": padded(hops, n)[:hops],
            "clean": np.ones(hops, bool),
            "past": np.zeros((past, n)),
            "present": np.ones((past, n), bool),
        }

    def step(self, arrays: dict[str, Array], x: Array, start: int, out: Array) -> tuple[int, int]:
        """Hear samples that are all valid and write the windows that they end, as fast as can be.

        Returns
        -------
        Index of the first window, and how many there are; -1 where the ring has hops that are not clean, or for an
        estimator that needs more than sums: then nothing is done.
        """
        if self.quick is None:
            return 0, -1
        found: tuple[int, int] = self.quick(
            np.ascontiguousarray(x), start, self.grid.length, self.grid.hop, arrays["seen"], arrays["clean"],
            arrays["products"], arrays["plain"], self.wide, self.total, out,
        )  # fmt: skip
        if self.estimator == "oas":
            for covariance in out[: max(found[1], 0)]:
                self.kernels.shrink(covariance, self.every, self.whole, -1.0)
        return found

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
        add, n, m = self.kernels.add_products, self.n, len(x)
        wide, seen = self.wide, self.seen
        self.narrow[:m] = x if valid is None else np.where(valid, x, 0)
        if valid is not None and arrays["clean"][r] and not valid.all():
            arrays["clean"][r] = False
            self._by_partner(arrays, r, count)
        add(wide, wide, m, arrays["products"][r], n, n, True, False)
        self.kernels.add_rows(wide, m, arrays["plain"][r])
        if not arrays["clean"][r]:
            seen[:m, :n] = True if valid is None else valid
            add(wide, seen, m, arrays["sums"][r], n, n, False, False)
            add(seen, seen, m, arrays["counts"][r], n, n, False, False)
        return self.narrow[:m]

    def _by_partner(self, arrays: dict[str, Array], r: int, count: int) -> None:
        """Make sums by partner and counts of a hop in which all was valid for `count` samples."""
        n = self.n
        arrays["sums"][r][:n, :n] = arrays["plain"][r][:n, None]
        arrays["counts"][r][:n, :n] = count

    def result(self, arrays: dict[str, Array], hop: int, out: Array, valid: Array) -> None:
        """Write the matrix of the window that ends with a hop."""
        k, n = self.kernels, self.n
        oldest = (hop + 1) % self.hops
        products, sums, counts = self.total
        clean = arrays["clean"]
        k.add_hops(arrays["products"], oldest, products, n, True)
        if clean.all():
            sums[:n] = arrays["plain"][oldest][:n, None]
            for h in range(1, self.hops):
                sums[:n] += arrays["plain"][(oldest + h) % self.hops][:n, None]
            counts[:] = self.grid.length
        else:
            for r in np.flatnonzero(clean):
                self._by_partner(arrays, r, self.grid.hop)
            k.add_hops(arrays["sums"], oldest, sums, n, False)
            k.add_hops(arrays["counts"], oldest, counts, n, True)
        k.centre(products, sums, counts, self.need, out, valid)
        if self.estimator == "oas":
            k.shrink(out, valid, counts, -1.0)
        elif self.estimator == "lwf":
            first = (hop + 1) * self.grid.hop % self.grid.length
            fourth = k.mean_fourth(arrays["past"], arrays["present"], first, sums, counts, valid)
            k.shrink(out, valid, counts, fourth)
