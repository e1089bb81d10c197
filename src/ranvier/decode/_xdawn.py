"""Xdawn: spatial filters that make evoked responses stand out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from ranvier.decode._sample import need_array, real_dtype
from ranvier.decode._spd import contrast
from ranvier.decode._training import classes_of, need_windows
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Contract, Estimator, Samples, Scratch, State, Tags
from ranvier.stream import Block, Channels, Info, StreamInfo, is_all_valid


@final
@dataclass(frozen=True, eq=False)
class Xdawn(Estimator):
    """Learn spatial filters behind which the mean response of each class is largest beside all activity.

    Parameters
    ----------
    n_filters
        How many are kept at most of each class, the strongest first.
    classes
        Labels whose responses are sought; left empty, all.

    Notes
    -----
    *In*: windows ``(length, n)``, from `features.Epoch`. Fitted, it is a `SpatialFilter`. Means are taken over
    trials, as in pyRiemann; overlap of responses is not undone.

    References
    ----------
    Rivet, Souloumiac, Attina, Gibert, IEEE Trans. Biomed. Eng. 56 (2009) 2035.
    """

    n_filters: int = 4
    classes: tuple[str, ...] = ()

    def fit_samples(self, info: StreamInfo, samples: Samples) -> SpatialFilter:
        need_windows(self, info)
        if self.n_filters < 1:
            raise ContractError(f"Xdawn needs n_filters >= 1; got {self.n_filters}. Take 4 if in doubt.")
        known = classes_of(self, samples)
        wanted = self.classes or known
        if missing := [c for c in wanted if c not in known]:
            raise ContractError(
                f"Xdawn needs trials of the classes {', '.join(wanted)}; got none of {', '.join(missing)}, but "
                f"{', '.join(known)}. Name labels that the trials have."
            )
        x = np.asarray(samples.x, dtype=np.float64)
        everything = np.cov(x.reshape(-1, x.shape[2]), rowvar=False, bias=True)
        rows, names = [], []
        for c in wanted:
            evoked = np.cov(x[samples.y == c].mean(axis=0), rowvar=False, bias=True)
            found = contrast(np.atleast_2d(evoked), np.atleast_2d(everything))[1].T[: self.n_filters]
            rows.append(found / np.linalg.norm(found, axis=1, keepdims=True))
            names += [f"{c}.{i}" for i in range(len(found))]
        return SpatialFilter(np.concatenate(rows), tuple(names), Contract.of(info))


@final
@dataclass(frozen=True, eq=False)
class SpatialFilter(BlockStage):
    """Weighted sums of channels at each instant; made by `Xdawn`.

    Parameters
    ----------
    filters
        One a row, ``(n_filters, n)``.
    names
        Of what comes out, one a filter.
    contract
        The stream that it was fitted on.

    Notes
    -----
    *In*: signals ``(n,)`` or windows ``(length, n)``. *Out*: one channel a filter instead of each input channel, in
    the input's unit if that is one. Delay, support, settle: none added. An instant with an invalid channel is
    invalid, the others of its window are not. Portable.
    """

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True)
    filters: np.ndarray
    names: tuple[str, ...]
    contract: Contract

    def __post_init__(self) -> None:
        need_array(self, "filters", (len(self.names), self.contract.shape[-1]))

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = self.contract.check(self, given)
        units = set(info.channels.units)
        channels = Channels.of(self.names, "feature", units.pop() if len(units) == 1 else "1")
        return info.but(shape=(*info.shape[:-1], len(self.names)), channels=channels, dtype=np.dtype(real_dtype(info)))

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._linear import linear

        out = self.describe(info)
        weights = np.ascontiguousarray(self.filters.T)
        return State((linear[out.dtype], weights, np.zeros(len(self.names)), Scratch(out.shape, out.dtype)))

    def step(self, state: State, block: Block) -> Block:
        linear, weights, bias, scratch = state.design
        y, w = scratch.take(block.n)
        if not block.n:
            return Block(y, block.start, None, block.at)
        n_inputs, n_outputs = weights.shape
        x = np.asarray(block.data.reshape(-1, n_inputs), dtype=y.dtype)
        used = np.ones(len(x), bool)
        if not is_all_valid(block.valid):
            used = np.asarray(block.valid.reshape(-1, n_inputs).all(axis=1))
        linear(x, used, weights, bias, y.reshape(-1, n_outputs))
        if used.all():
            return Block(y, block.start, None, block.at)
        w[...] = used.reshape(y.shape[:-1])[..., None]
        return Block(y, block.start, w, block.at)
