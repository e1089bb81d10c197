"""Window: sliding pieces of a signal on an absolute grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ranvier.features._grid import Grid, nowhere
from ranvier.stage import BlockStage, State, Tags, need_signal
from ranvier.stream import Array, Block, Info, StreamInfo, all_valid, is_all_valid


@final
@dataclass(frozen=True, eq=False)
class Window(BlockStage):
    """Cut a signal into pieces of equal length, one each hop.

    Parameters
    ----------
    length
        Of a window [s]; rounded to samples.
    hop
        From one window to the next [s]; rounded to samples, may be longer than a window.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: windows ``(length, n)``, same channels and units, at rate / hop; window k
    covers the samples ``[k * hop, k * hop + length)`` of the input, wherever the stream began, and comes out
    with the last of them. Validity stays with each number. Delay: none added. Support and settle: a window
    more. Portable.

    Examples
    --------
    >>> from ranvier.stream import StreamInfo
    >>> Window(length=1.0, hop=0.1).describe(StreamInfo.signal(250, 8)).shape
    (250, 8)
    """

    length: float
    hop: float

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True, permutable=True)

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        grid = Grid.of(self, info, self.length, self.hop)
        return grid.describe(info, shape=(grid.length, *info.shape))

    def prepare(self, info: StreamInfo) -> State:
        grid = Grid.of(self, info, self.length, self.hop)
        kept = (grid.length - 1, *info.shape)
        return State(grid, seen=nowhere(), data=np.zeros(kept, info.dtype), valid=np.ones(kept, bool))

    def step(self, state: State, block: Block) -> Block:
        grid: Grid = state.design
        k = grid.next(state["seen"], block.start, block.stop)
        kept = grid.length - 1
        first = kept + k * grid.hop - block.start  # place of window k among what was kept and what is new
        clean = is_all_valid(block.valid)
        data = np.concatenate([state["data"], block.data if clean else np.where(block.valid, block.data, 0)])
        windows = _slide(data[first:], grid)
        valid = all_valid(windows.shape)
        if not (clean and state["valid"].all()):
            mask = np.concatenate([state["valid"], block.valid])
            valid = _slide(mask[first:], grid)
            state["valid"][:] = mask[block.n :]
        state["data"][:] = data[block.n :]
        return Block(windows, k, valid)


def _slide(a: Array, grid: Grid) -> Array:
    """Return all windows that fit, as a view that nobody may write to."""
    if len(a) < grid.length:
        return np.empty((0, grid.length, *a.shape[1:]), a.dtype)
    return np.moveaxis(sliding_window_view(a, grid.length, axis=0)[:: grid.hop], -1, 1)
