"""Ridge and Wiener: what is to be followed, as weighted sums of the present, or of the recent past."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, final

import numpy as np

from ranvier.decode._linear import Linear
from ranvier.decode._sample import need_array, real_dtype
from ranvier.decode._training import Real, rows_of, targets_of
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Contract, Estimator, Samples, Scratch, State, Tags
from ranvier.stream import Array, Block, Channels, Info, StreamInfo, is_all_valid


def ridge(x: Real, y: Real, alpha: float) -> tuple[Real, Real]:
    """Return weights ``(n_targets, n_inputs)`` and bias that minimise squared error + alpha * squared weights."""
    mean, centre = x.mean(axis=0), y.mean(axis=0)
    x, y = x - mean, y - centre
    if alpha > 0:
        weights = np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T @ y).T
    else:
        weights = np.linalg.lstsq(x, y, rcond=None)[0].T
    return np.asarray(weights, dtype=np.float64), centre - weights @ mean


def _need_alpha(name: str, alpha: float) -> None:
    if not alpha >= 0:
        raise ContractError(f"{name} needs alpha >= 0; got alpha={alpha:g}. Take 1; 0 is plain least squares.")


@final
@dataclass(frozen=True, eq=False)
class Ridge(Estimator):
    """Learn to follow targets by weighted sums of the present sample (ridge regression).

    Parameters
    ----------
    alpha
        Weight of the penalty on squared weights; 0 for plain least squares. The bias is not penalised.

    Notes
    -----
    *In*: samples of any shape, read as rows, time-major. Fitted, it is a `Linear` whose outputs are the
    targets, with their units.

    References
    ----------
    Hoerl & Kennard, Technometrics 12 (1970) 55.
    """

    alpha: float = 1.0

    def fit_samples(self, info: StreamInfo, samples: Samples) -> Linear:
        _need_alpha("Ridge", self.alpha)
        weights, bias = ridge(rows_of(samples), targets_of(self, samples), self.alpha)
        return Linear(weights, bias, samples.names, samples.units, Contract.of(info), kind="target")


@final
@dataclass(frozen=True, eq=False)
class Wiener(Estimator):
    """Learn to follow targets by weighted sums of the last samples (Wiener filter).

    Parameters
    ----------
    lags
        How many samples are weighted, the present one included.
    alpha
        Weight of the penalty on squared weights; 0 for plain least squares. The bias is not penalised.

    Notes
    -----
    *In*: samples of any shape at a constant rate, such as binned counts. Fitted, it is a `LaggedLinear`
    whose outputs are the targets, with their units. Only stretches without a gap are learned from.

    References
    ----------
    Carmena et al., PLoS Biol. 1 (2003) e42.
    """

    lags: int = 5
    alpha: float = 1.0

    def fit_samples(self, info: StreamInfo, samples: Samples) -> LaggedLinear:
        _need_alpha("Wiener", self.alpha)
        if self.lags < 1:
            raise ContractError(f"Wiener needs lags >= 1; got {self.lags}. 1 is the present sample alone.")
        x, y, n = rows_of(samples), targets_of(self, samples), self.lags
        whole = samples.stretch[n - 1 :] == samples.stretch[: len(x) - n + 1]
        if not whole.any():
            raise ContractError(
                f"Wiener needs stretches of at least {n} valid samples; got {len(x)} samples and none such. "
                "Lower lags, or give longer recordings."
            )
        lagged = windows(x, n)[whole]
        weights, bias = ridge(lagged, y[n - 1 :][whole], self.alpha)
        return LaggedLinear(weights, bias, n, samples.names, samples.units, Contract.of(info))


def windows(x: Array, lags: int) -> Array:
    """Return every `lags` rows that follow each other as one row, oldest first (a view)."""
    n, width = x.shape
    return np.lib.stride_tricks.as_strided(
        x, (max(0, n - lags + 1), lags * width), (x.strides[0], x.strides[1]), writeable=False
    )


@final
@dataclass(frozen=True, eq=False)
class LaggedLinear(BlockStage):
    """Weighted sums of the last samples; made by `Wiener`.

    Parameters
    ----------
    weights
        ``(n_outputs, lags * n_inputs)``, the oldest sample first.
    bias
        ``(n_outputs,)``.
    lags
        How many samples are weighted, the present one included.
    names, units
        Of the outputs.
    contract
        The stream that it was fitted on.

    Notes
    -----
    *In*: samples of any shape at a constant rate. *Out*: one number an output, at the same rate. Delay: none
    declared (what is learned may look ahead or lag). Support and settle: ``lags - 1`` samples are added; an
    output that would need a sample from before the start, or an invalid number, is invalid. Portable.
    """

    tags: ClassVar[Tags] = Tags(exactness="portable")
    weights: np.ndarray
    bias: np.ndarray
    lags: int
    names: tuple[str, ...]
    units: tuple[str, ...]
    contract: Contract

    def __post_init__(self) -> None:
        need_array(self, "weights", (len(self.names), self.lags * prod(self.contract.shape)))
        need_array(self, "bias", (len(self.names),))

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_rate(self, self.contract.check(self, given))
        reach = int(-(-(self.lags - 1) * info.origin.step // 1))
        return info.but(
            shape=(len(self.names),), channels=Channels.of(self.names, "target", self.units),
            dtype=np.dtype(real_dtype(info)), support=info.support + reach, settle=info.settle + reach,
        )  # fmt: skip

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._linear import linear

        out, before = self.describe(info), self.lags - 1
        width = prod(info.shape)
        design = (
            linear[out.dtype], np.ascontiguousarray(self.weights.T), np.array(self.bias), Scratch((width,), out.dtype),
            Scratch(out.shape, out.dtype),
        )  # fmt: skip
        return State(design, past=np.zeros((before, width), out.dtype), known=np.zeros(before, bool))

    def step(self, state: State, block: Block) -> Block:
        linear, weights, bias, room, scratch = state.design
        past, known, before, n = state["past"], state["known"], self.lags - 1, block.n
        y, w = scratch.take(n)
        if not n:
            return Block(y, block.start)
        x = room.take(before + n)[0]
        good = np.ones(before + n, bool)
        good[:before] = known
        x[:before] = past
        x[before:] = block.data.reshape(n, -1)
        if not is_all_valid(block.valid):
            good[before:] = block.valid.reshape(n, -1).all(axis=1)
            x[~good] = 0
        used = np.convolve(~good, np.ones(self.lags, np.int64), "valid") == 0
        linear(windows(x, self.lags), used, weights, bias, y)
        past[...] = x[n:]
        known[...] = good[n:]
        if used.all():
            return Block(y, block.start)
        w[...] = used[:, None]
        return Block(y, block.start, w)


def need_rate(who: BlockStage, info: StreamInfo) -> StreamInfo:
    """Refuse streams with one sample an event, whose samples do not follow each other in time."""
    if not info.rate:
        raise ContractError(
            f"{type(who).__name__} needs a constant rate; got one sample an event. Feed it bins or a signal."
        )
    return info
