"""SampleStage: one sample in, one sample out, each by itself; and what learned values must be."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, final

import numpy as np

from ranvier.errors import ContractError
from ranvier.stage import Contract, Scratch, Stage, State
from ranvier.stream import Array, Block, Channels, Info, StreamInfo, is_all_valid


class SampleStage(Stage):
    """A stage that makes one sample of each sample, without regard to those before: it remembers nothing.

    A sample with an invalid number in it becomes an invalid one, all zeros. What was learned lies in
    the fields of the subclass, `contract` among them.
    """

    contract: Contract

    def accept(self, info: Info) -> StreamInfo:
        """Refuse streams that the stage cannot take: by default any but the one that it was fitted on."""
        return self.contract.check(self, info)

    @abc.abstractmethod
    def describe_samples(self, info: StreamInfo) -> StreamInfo:
        """Return what comes out; the dtype is set by the caller."""

    @abc.abstractmethod
    def design(self, info: StreamInfo) -> Any:
        """Work out what `transform` needs and what does not change."""

    @abc.abstractmethod
    def transform(self, design: Any, x: Array, used: Array, y: Array) -> None:
        """Write into `y` what becomes of the samples `x` that are used.

        Where a sample turns out to have no result, `used` is set to False; rows of `y` that are not
        used need not be written.
        """

    @final
    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = self.accept(given)
        return self.describe_samples(info).but(dtype=np.dtype(real_dtype(info)))

    @final
    def init(self, *infos: Info) -> State:
        out = self.describe(*infos)
        (info,) = infos
        nothing = Block(np.zeros((0, *out.shape), out.dtype))
        return State((self.design(info), Scratch(out.shape, out.dtype), nothing))  # type: ignore[arg-type]

    @final
    def process(self, state: State, *chunks: Any) -> Block:
        (block,) = chunks
        design, scratch, nothing = state.design
        n = len(block.data)
        if not n:
            return Block(nothing.data, block.start, nothing.valid, block.at)
        y, w = scratch.take(n)
        if is_all_valid(block.valid):
            used = np.empty(n, bool)
            used.fill(True)
        else:
            used = np.asarray(block.valid.reshape(n, -1).all(axis=1))
        self.transform(design, block.data, used, y)
        if np.count_nonzero(used) == n:
            return Block(y, block.start, None, block.at)
        y[~used] = 0
        w[...] = used.reshape(-1, *[1] * (w.ndim - 1))
        return Block(y, block.start, w, block.at)


def real_dtype(info: StreamInfo) -> type:
    """Return the dtype of results: float64 for float64, float32 for everything else."""
    return np.float64 if info.dtype == np.float64 else np.float32


def flat(x: Array, dtype: Any) -> Array:
    """Return samples as rows, time-major, in the dtype of the results."""
    return np.asarray(x.reshape(len(x), -1), dtype=dtype)


def class_channels(classes: Sequence[str]) -> Channels:
    """Return one channel a class: scores whose largest is the decision."""
    return Channels.of(tuple(classes), "class", "1")


def feature_channels(names: Sequence[str]) -> Channels:
    """Return one channel a feature."""
    return Channels.of(tuple(names), "feature", "1")


def need_array(who: Any, name: str, shape: tuple[int, ...]) -> None:
    """Refuse a learned array of another shape or dtype than the stage works with, or with NaN in it."""
    a = getattr(who, name)
    if not isinstance(a, np.ndarray) or a.dtype != np.float64 or a.shape != shape:
        got = f"{a.dtype} {a.shape}" if isinstance(a, np.ndarray) else type(a).__name__
        raise ContractError(
            f"{type(who).__name__} needs {name} as float64 {shape}; got {got}. Fit it again, or mend the model file."
        )
    if not np.isfinite(a).all():
        raise ContractError(f"{type(who).__name__} needs finite {name}; got NaN or infinity. Fit it again.")
