"""BlockStage: one signal in, one stream out; segments and empty blocks are taken care of."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, final

import numpy as np

from ranvier.stage._stage import Stage
from ranvier.stage._state import State, counter
from ranvier.stream import Array, Block, Info, StreamInfo

if TYPE_CHECKING:
    from ranvier.kernels import Level


class BlockStage(Stage):
    """A stage whose author writes `prepare` and `step` only.

    A jump of the index starts a new segment: the state goes back to what `prepare` made, and `step`
    is called as after a fresh start. Counting is by absolute index, so that it does not matter where
    a stream starts.
    """

    @abc.abstractmethod
    def prepare(self, info: StreamInfo) -> State:
        """Return the state at a fresh start."""

    @abc.abstractmethod
    def step(self, state: State, block: Block) -> Any:
        """Transform a block (it may be empty) that follows the last one without a jump."""

    @final
    def init(self, *infos: Info) -> State:
        self.describe(*infos)
        (info,) = infos
        return segmented(self.prepare(info))  # type: ignore[arg-type]

    @final
    def process(self, state: State, *chunks: Any) -> Any:
        (block,) = chunks
        return self.step(follow(state, block), block)


class LevelStage(BlockStage):
    """A stage that takes the mean of groups of channels away; the planner may put it into a compiled loop.

    It remembers nothing, and what `prepare` designs is made only where the stage runs by itself.
    """

    @abc.abstractmethod
    def level(self, info: StreamInfo) -> Level | None:
        """Return what a compiled loop has to do for the same bits; None where only `step` can do it."""

    @final
    def allocate(self, *infos: Info) -> State:
        self.describe(*infos)
        return segmented(State())

    @final
    def bind(self, state: State, *infos: Info) -> None:
        (info,) = infos
        state.children["stage"].design = self.prepare(info).design  # type: ignore[arg-type]


def segmented(inner: State) -> State:
    """Return a state that also knows which index comes next."""
    return State(children={"stage": inner}, next=counter(-1))


def follow(state: State, block: Block) -> State:
    """Return the inner state for a block: reset where the index jumps."""
    inner = state.children["stage"]
    n, counted = len(block.data), state.arrays["next"]
    if n:
        following = counted.item()
        if following != block.start and following >= 0:
            inner.reset()
        counted[0] = block.start + n
    return inner


class Scratch:
    """Memory for results that is lent until the next call; it grows only when a longer block comes."""

    __slots__ = ("_data", "_valid", "dtype", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: Any, n: int = 64) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._data = np.zeros((n, *shape), self.dtype)
        self._valid = np.ones((n, *shape), bool)

    def take(self, n: int) -> tuple[Array, Array]:
        """Return room for `n` samples and for their mask."""
        if n > len(self._data):
            self._data = np.zeros((n, *self.shape), self.dtype)
            self._valid = np.ones((n, *self.shape), bool)
        return self._data[:n], self._valid[:n]
