"""Covariance: over windows of a signal by sums of per-hop products, or of windows that were cut before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import numpy as np

from ranvier.errors import ContractError
from ranvier.features._grid import Grid, need_valid, nowhere, with_units
from ranvier.features._sums import Sums
from ranvier.stage import BlockStage, Scratch, State, Tags, need_signal, need_stream
from ranvier.stream import Block, Info, StreamInfo, all_valid, is_all_valid


@final
@dataclass(frozen=True, eq=False)
class Covariance(BlockStage):
    """Covariance matrix of the channels over each window.

    Parameters
    ----------
    length, hop
        Of the windows [s]; the hop rounded to samples, the length to whole hops. None on a stream of windows
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
        need_valid(self, self.min_valid, 1)
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
        need = need_valid(self, self.min_valid, length)
        sums = Sums(_gram, grid or Grid(length, length), info.n_channels, self.estimator, need, info.dtype)
        shape = (info.n_channels, info.n_channels)
        scratch, nothing = Scratch(shape, np.float64), Block(np.zeros((0, *shape)))
        if grid is None:
            return State((grid, sums, scratch, nothing, sums.arrays()))
        return State((grid, sums, scratch, nothing, None), None, seen=nowhere(), **sums.arrays())

    def step(self, state: State, block: Block) -> Block:
        grid, sums, scratch, nothing, own = state.design
        arrays, clean = own or state.arrays, is_all_valid(block.valid)
        if clean and grid is not None:
            data, _ = scratch.take(len(block.data) // grid.hop + 1)
            start, done = sums.step(arrays, block.data, block.start, data)
            if done == 0:
                return Block(nothing.data, start, nothing.valid)
            if done > 0:
                return Block(data[:done], start)
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
