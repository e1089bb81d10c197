"""Imputer: lost channels as their expectation given the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from ranvier.decode._expectation import fill, intact, lost_given
from ranvier.decode._sample import need_array, real_dtype
from ranvier.decode._training import Real
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Contract, Scratch, State, Tags
from ranvier.stream import Array, Block, Info, StreamInfo, is_all_valid

KEPT = 32  # sets of lost channels whose weights are kept


def are_covariances(info: StreamInfo | Contract) -> bool:
    """Say whether samples are covariances: as long as they are wide, in squared units."""
    n, units = info.shape[-1], info.channels.units if isinstance(info, StreamInfo) else info.units
    return info.shape == (n, n) and all(u.endswith("^2") for u in units)


@final
@dataclass(frozen=True, eq=False)
class Imputer(BlockStage):
    """Fill in lost channels by their expectation given the others; made by `Imputation`.

    **What was invalid comes out valid**: from here on an expectation passes for a measurement. It says nothing that the
    other channels do not, so a decoder behind it decides by these alone.

    Parameters
    ----------
    mean
        The mean sample; zeros for covariances.
    covariance
        ``(n, n)``: of the channels.
    contract
        The stream that it was fitted on.
    least
        Share of the channels that must be valid.

    Notes
    -----
    *In*, *out*: covariances ``(n, n)``, windows ``(length, n)`` or values ``(n,)``, at a rate or one an event. With M
    the covariance of training, o the valid and m the lost channels, and ``B = M_mo M_oo^-1``: a lost value becomes
    ``mean_m + B (x_o - mean_o)``, at each instant by itself; a covariance C gets the cells ``B C_oo`` and
    ``B C_oo B' + M_mm - B M_om``, which keeps it positive definite. In a covariance those channels are lost that have
    no valid power, and, where cells between two others are invalid, the channel with most of them. A sample with too
    few valid channels comes out invalid, all zeros. Delay, support, settle: none added. Exact (LAPACK and BLAS).

    References
    ----------
    Dempster, Laird, Rubin, J. R. Stat. Soc. B 39 (1977) 1, section 4.1.3.
    """

    tags: ClassVar[Tags] = Tags(exactness="exact")
    mean: np.ndarray
    covariance: np.ndarray
    contract: Contract
    least: float = 0.5

    def __post_init__(self) -> None:
        n = self.contract.shape[-1]
        need_array(self, "mean", self.contract.shape)
        need_array(self, "covariance", (n, n))
        if not 0 < self.least <= 1:
            raise ContractError(
                f"Imputer needs 0 < least <= 1 of the channels; got {self.least:g}. Take 0.5 if in doubt."
            )

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = self.contract.check(self, given)
        return info.but(dtype=np.dtype(real_dtype(info)))

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._linear import linear

        out = self.describe(info)
        fill = self._fill_covariance if are_covariances(info) else self._fill_values
        return State((Scratch(out.shape, out.dtype), fill, linear[np.float64], {}))

    def step(self, state: State, block: Block) -> Block:
        scratch, fill, linear, known = state.design
        y, w = scratch.take(block.n)
        y[...] = block.data
        if not block.n or is_all_valid(block.valid):
            return Block(y, block.start, None, block.at)
        w[...] = True
        for i in np.flatnonzero(~block.valid.reshape(block.n, -1).all(axis=1)):
            w[i] = fill(linear, known, block.data[i], block.valid[i], y[i])
        y[~w] = 0
        return Block(y, block.start, None if w.all() else w, block.at)

    def _enough(self, there: Array) -> bool:
        return np.count_nonzero(there) >= self.least * len(there)

    def _given(self, known: dict[bytes, tuple[Real, Real]], there: Array) -> tuple[Real, Real]:
        """Return what lost channels take from the others, and what these leave open."""
        key = there.tobytes()
        if key not in known:
            while len(known) >= KEPT:
                known.pop(next(iter(known)))
            known[key] = lost_given(self.covariance, there)
        return known[key]

    def _fill_values(self, linear: Any, known: Any, x: Array, valid: Array, y: Array) -> bool:
        rows, there, out, mean = (np.atleast_2d(a) for a in (x, valid, y, self.mean))
        for i in np.flatnonzero(~there.all(axis=1)):
            here = there[i]
            if not self._enough(here):
                return False
            weights, _ = self._given(known, here)
            found = np.empty((1, weights.shape[1]))
            linear((rows[i, here] - mean[i, here])[None], np.ones(1, bool), weights, mean[i, ~here], found)
            out[i, ~here] = found[0]
        return True

    def _fill_covariance(self, linear: Any, known: Any, x: Array, valid: Array, y: Array) -> bool:
        there = intact(valid)
        if not self._enough(there):
            return False
        full = np.asarray(y, dtype=np.float64)
        fill(full, there, *self._given(known, there))
        y[...] = full
        return True
