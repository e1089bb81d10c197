"""LogVariance: how strong each channel is in a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from ranvier.errors import ContractError
from ranvier.features._grid import need_valid, with_units
from ranvier.features._power import SMALLEST
from ranvier.stage import BlockStage, Scratch, State, Tags, need_stream
from ranvier.stream import Block, Info, StreamInfo, all_valid, is_all_valid


@final
@dataclass(frozen=True, eq=False)
class LogVariance(BlockStage):
    """Natural logarithm of each channel's variance in a window.

    Parameters
    ----------
    min_valid
        Share of the window in which a channel must be valid for its variance to be valid.

    Notes
    -----
    *In*: windows ``(length, n)``. *Out*: ``(n,)``; the variance has its mean taken off and is divided by the
    number of valid samples; a variance of 0 counts as 1e-38. Invalid cells are 0. Delay, support, settle: none
    added. Exact.

    References
    ----------
    Ramoser, Müller-Gerking & Pfurtscheller, IEEE Trans. Rehabilitation Engineering 8, 441-446 (2000).
    """

    min_valid: float = 0.5

    tags: ClassVar[Tags] = Tags(exactness="exact", permutable=True)

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_stream(self, given)
        need_valid(self, self.min_valid, 1)
        if len(info.shape) != 2:
            raise ContractError(
                f"LogVariance needs windows of shape (length, n_channels); got samples of shape {info.shape}. "
                "Put Window or Epoch before it."
            )
        dtype = np.float64 if info.dtype == np.float64 else np.float32
        channels = with_units(info.channels, "ln({}^2)")
        return info.but(shape=(info.n_channels,), dtype=np.dtype(dtype), channels=channels)

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels import _moments

        out = self.describe(info)
        need = need_valid(self, self.min_valid, info.shape[0])
        return State(
            (
                _moments,
                need,
                out.dtype,
                Scratch(out.shape, out.dtype),
                np.empty(out.shape),
                np.zeros(out.shape, np.int64),
            )
        )

    def step(self, state: State, block: Block) -> Block:
        kernels, need, dtype, scratch, variance, count = state.design
        data, valid = scratch.take(block.n)
        clean = is_all_valid(block.valid)
        for i in range(block.n):
            x = np.ascontiguousarray(block.data[i], dtype)
            if clean:
                kernels.variance(x, variance)
                valid[i] = True
            else:
                kernels.variance_masked(x, np.ascontiguousarray(block.valid[i]), variance, count)
                valid[i] = count >= need
            data[i] = np.where(valid[i], np.log(np.maximum(variance, SMALLEST)), 0)
        return Block(data, block.start, all_valid(data.shape) if clean else valid, block.at)
