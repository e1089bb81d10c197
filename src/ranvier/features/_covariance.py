"""Covariance: over windows of a signal by sums of per-hop products, or of windows that were cut before."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from types import ModuleType
from typing import Any, ClassVar, Literal, final

import numpy as np

from ranvier.errors import ContractError
from ranvier.features._grid import Grid, need_share, nowhere, with_units
from ranvier.stage import BlockStage, Scratch, State, Tags, need_signal, need_stream
from ranvier.stream import Array, Block, Info, StreamInfo, all_valid, is_all_valid

ROWS = 256  # instants that are widened to float64 at a time


@final
@dataclass(frozen=True, eq=False)
class Covariance(BlockStage):
    """Covariance matrix of the channels over each window.

    Parameters
    ----------
    length, hop
        Of the windows [s]; both rounded to samples, length a multiple of hop. None on a stream of windows
        (after `Window` or `Epoch`): one matrix a window.
    estimator
        ``scm`` (means taken off, divided by the number of samples), or shrunk towards a multiple of the
        identity: ``oas`` (oracle approximating), ``lwf`` (Ledoit-Wolf).
    min_valid
        Share of the window in which both channels must be valid for their cell to be valid.

    Notes
    -----
    *In*: signal ``(n,)``, or windows ``(length, n)``. *Out*: ``(n, n)`` float64, units squared; window k covers
    the samples ``[k * hop, k * hop + length)`` of the input. Each cell is computed from the instants at which
    both channels are valid, with their means over these instants, divided by their number; where these
    differ from cell to cell, a matrix need not be positive definite. Invalid cells are 0. Shrinkage counts
    valid cells only and the mean number of instants; for ``lwf`` an instant with invalid channels is scaled
    up from the others. Sums are taken in float64 without removing offsets first: put a high-pass before it.
    Delay: none added. Support and settle: a window more. Portable.

    References
    ----------
    Ledoit & Wolf, J. Multivariate Analysis 88, 365-411 (2004). Chen, Wiesel, Eldar & Hero, IEEE Trans. Signal
    Processing 58, 5016-5029 (2010); both as in scikit-learn.
    """

    length: float | None = None
    hop: float | None = None
    estimator: Literal["scm", "oas", "lwf"] = "scm"
    min_valid: float = 0.5

    tags: ClassVar[Tags] = Tags(exactness="portable")

    def _grid(self, info: StreamInfo) -> Grid | None:
        """Return the grid on a signal, None on windows; refuse what does not fit."""
        if self.estimator not in ("scm", "oas", "lwf"):
            raise ContractError(
                f"Covariance needs estimator scm, oas or lwf; got {self.estimator!r}. Take one of them."
            )
        need_share(self, "min_valid", self.min_valid)
        if len(info.shape) == 2:
            if self.length is not None or self.hop is not None:
                raise ContractError(
                    f"Covariance needs no length and hop on windows of shape {info.shape}; got length={self.length} s, "
                    f"hop={self.hop} s. Leave them out, or leave out the stage that makes windows."
                )
            return None
        need_signal(self, info)
        if self.length is None or self.hop is None:
            raise ContractError(
                f"Covariance needs length and hop on a signal of shape {info.shape}; got length={self.length} s, "
                f"hop={self.hop} s. Give both, or put Window or Epoch before it."
            )
        return Grid.in_hops(self, info, self.length, self.hop)

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_stream(self, given)
        grid = self._grid(info)
        changes: dict[str, Any] = {
            "shape": (info.n_channels, info.n_channels),
            "dtype": np.dtype(np.float64),
            "channels": with_units(info.channels, "{}^2"),
        }
        return info.but(**changes) if grid is None else grid.describe(info, **changes)

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels import _gram

        grid = self._grid(info)
        length = info.shape[0] if grid is None else grid.length
        sums = _Sums(_gram, grid or Grid(length, length), info.n_channels, self.estimator, self.min_valid)
        scratch = Scratch((info.n_channels, info.n_channels), np.float64)
        if grid is None:
            return State((grid, sums, scratch, sums.arrays()))
        return State((grid, sums, scratch, None), seen=nowhere(), **sums.arrays())

    def step(self, state: State, block: Block) -> Block:
        grid, sums, scratch, own = state.design
        arrays = own or state.arrays
        clean = is_all_valid(block.valid)
        if grid is None:
            data, valid = scratch.take(block.n)
            for i in range(block.n):
                sums.hear(arrays, 0, block.data[i], None if clean else block.valid[i])
                sums.result(arrays, 0, data[i], valid[i])
            start, at = block.start, block.at
        else:
            start, at = grid.next(state["seen"], block.start, block.stop), None
            data, valid = scratch.take(max((block.stop - grid.length) // grid.hop + 1 - start, 0))
            done = 0
            for a, b, complete in grid.pieces(start, block.start, block.stop):
                place = block.start + a
                sums.hear(arrays, place, block.data[a:b], None if clean else block.valid[a:b])
                hop = place // grid.hop
                if complete and (hop + 1) * grid.hop >= start * grid.hop + grid.length:
                    sums.result(arrays, hop, data[done], valid[done])
                    done += 1
        return Block(data, start, all_valid(data.shape) if valid.all() else valid, at)


class _Sums:
    """Rings of sums, one place a hop, and the matrices that they make."""

    def __init__(self, kernels: ModuleType, grid: Grid, n: int, estimator: str, min_valid: float) -> None:
        self.kernels, self.grid, self.n, self.estimator = kernels, grid, n, estimator
        self.hops = grid.length // grid.hop
        self.need = float(max(1, ceil(min_valid * grid.length)))
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
