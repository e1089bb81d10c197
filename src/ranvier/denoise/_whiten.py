"""Whiten: noise that neighbouring channels share, taken apart; learned from a calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Contract, Estimator, Samples, Scratch, State, Tags, need_number, need_signal
from ranvier.stream import Array, Block, Info, StreamInfo, is_all_valid

MEDIAN_OF_ONE_SIGMA = 0.6744897501960817  # median of |x| for a normal x with a standard deviation of 1
SELDOM = 0.5  # share of the calibration that a channel must be valid for
PIECE = 16384  # samples that are looked at together
TILE = 64  # samples that are whitened together


@final
@dataclass(frozen=True, eq=False)
class Whiten(Estimator):
    """Learn how to make the noise of channels white: uncorrelated, each with a standard deviation of 1.

    Parameters
    ----------
    neighbours
        Each channel is whitened among as many channels nearest to it, itself included; None for among all.
    threshold
        Samples larger than that many times a channel's noise are spikes or artefacts, which do not count.
    guard
        Nor do those of the channel that lie so near to them [s].
    floor
        Variances below that part of the median one count as that large, so that what is hardly there is not blown up.

    Notes
    -----
    *In*: signal ``(n,)``, band-passed. Fitted, it is a `Whitened`. The matrix is symmetric (ZCA): of all that
    whiten, it changes the signals least. The noise of a channel is ``median(|x|) / 0.6745``; covariances are taken
    over the samples at which both of two channels are valid and neither has a crossing, about a mean of 0. A channel
    that is invalid in more than half of the calibration is scaled as the median one, and shares nothing with others.

    References
    ----------
    Kessy, Lewin & Strimmer, The American Statistician 72 (2018) 309-314 (ZCA).
    Pachitariu et al., Nature Methods 21 (2024) 914-921 (whitening among near channels before spikes are sorted).
    """

    neighbours: int | None = None
    threshold: float = 4.5
    guard: float = 0.0005
    floor: float = 1e-4

    whole: ClassVar[bool] = False

    def fit_samples(self, info: StreamInfo, samples: Samples) -> Whitened:
        need_signal(self, info)
        need_number(self, "threshold", self.threshold, 1, 1e6, "times the noise", "Take 4.5 if in doubt.")
        need_number(self, "floor", self.floor, -1e-300, 1, "of the median variance", "Take 1e-4 if in doubt.")
        guard = round(self.guard * info.rate) if 0 <= self.guard <= 1 else -1
        if guard < 0:
            raise ContractError(f"Whiten needs 0 <= guard <= 1 s; got {self.guard:g} s. Take 0.0005 s if in doubt.")
        near = self._near(info)
        if len(samples.x) < 10 * near.shape[1]:
            raise ContractError(
                f"Whiten needs at least 10 valid samples for each of {near.shape[1]} channels; got {len(samples.x)}. "
                "Calibrate for longer, and leave out channels that are never valid with Pick."
            )
        valid = np.broadcast_to(True, samples.x.shape) if samples.valid is None else samples.valid
        covariance = _noise_covariance(samples.x, valid, samples.stretch, self.threshold, guard)
        matrix = np.zeros_like(covariance)
        for c, others in enumerate(near):
            matrix[c, others] = self._zca(covariance[np.ix_(others, others)])[list(others).index(c)]
            if self.neighbours is None:  # all channels have the same
                matrix = self._zca(covariance)
                break
        return Whitened(matrix, Contract.of(info))

    def _near(self, info: StreamInfo) -> Array:
        """Return for each channel those among which it is whitened, in their order."""
        n, c = info.n_channels, info.channels
        if self.neighbours is None:
            return np.tile(np.arange(n), (n, 1))
        lost = [name for name, place in zip(c.names, c.positions, strict=True) if place is None]
        if not 2 <= self.neighbours <= n or lost:
            raise ContractError(
                f"Whiten needs 2 <= neighbours <= {n} and positions [m] of all channels; got {self.neighbours}, and no "
                f"position of {', '.join(lost[:6]) or 'none'}. Add positions, or leave neighbours out."
            )
        where = np.array(c.positions, dtype=float)
        apart = np.round(np.linalg.norm(where[:, None] - where, axis=-1), 7)  # ties are ties, to 0.1 um
        np.fill_diagonal(apart, -1.0)
        return np.sort(np.argsort(apart, axis=1, kind="stable")[:, : self.neighbours], axis=1)

    def _zca(self, covariance: Array) -> Array:
        values, vectors = np.linalg.eigh(covariance)
        values = np.maximum(values, max(self.floor * float(np.median(np.diag(covariance))), np.finfo(float).tiny))
        return np.asarray((vectors / np.sqrt(values)) @ vectors.T)


def _noise_covariance(x: Array, valid: Array, stretch: Array, threshold: float, guard: int) -> Array:
    """Return the covariance of channels over the samples at which both are valid and neither has a crossing nearby."""
    seldom = valid.mean(axis=0) < SELDOM
    sd = np.array([np.median(np.abs(x[v, i].astype(float))) if v.any() else 0 for i, v in enumerate(valid.T)])
    sd /= MEDIAN_OF_ONE_SIGMA
    if seldom.all() or not (sd[~seldom] > 0).all():
        raise ContractError(
            f"Whiten needs channels that vary; got {int((sd <= 0).sum())} of {len(sd)} that are mostly 0 or invalid. "
            "Leave them out with Pick, or mark them with Integrity."
        )
    sd[seldom] = np.median(sd[~seldom])
    total, count = np.zeros((len(sd), len(sd))), np.zeros((len(sd), len(sd)))
    ends = np.flatnonzero(np.diff(stretch)) + 1
    for a, b in zip([0, *ends], [*ends, len(x)], strict=True):
        for first in range(a, b, PIECE):
            last = min(first + PIECE, b)
            low, high = max(a, first - guard), min(b, last + guard)
            heard = valid[low:high] & ~seldom
            crossed = heard & (np.abs(x[low:high].astype(float)) > threshold * sd)  # |-32768| is no int16
            near = crossed.copy()
            for k in range(1, guard + 1):
                near[k:] |= crossed[:-k]
                near[:-k] |= crossed[k:]
            quiet = (heard & ~near)[first - low : len(near) - (high - last)]
            z = np.where(quiet, x[first:last], 0).astype(float)
            total += z.T @ z
            count += quiet.T.astype(float) @ quiet
    total[seldom, seldom] = sd[seldom] ** 2
    return np.asarray(total / np.maximum(count, 1))


@final
@dataclass(frozen=True, eq=False)
class Whitened(BlockStage):
    """Weighted sums of channels whose noise is white; made by `Whiten`.

    Parameters
    ----------
    matrix
        ``(n, n)``: what each channel becomes, a row a channel.
    contract
        The stream that it was fitted on.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels in standard deviations of their noise, unit ``1``; float32
    (float64 for float64), summed in float64 in the order of the channels. An invalid number counts as 0, which is
    its mean, and is itself invalid; the others stay valid. Delay, support, settle: none added. Portable.
    """

    matrix: np.ndarray
    contract: Contract

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True)

    def __post_init__(self) -> None:
        n = len(self.contract.names)
        if self.matrix.shape != (n, n) or not np.isfinite(self.matrix).all():
            raise ContractError(
                f"Whitened needs a finite matrix of shape ({n}, {n}); got {self.matrix.shape}. Fit Whiten, or load it."
            )

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, self.contract.check(self, given))
        dtype = np.dtype(np.float64 if info.dtype == np.float64 else np.float32)
        return info.but(channels=info.channels.with_units("1"), dtype=dtype)

    def prepare(self, info: StreamInfo) -> State:
        out = self.describe(info)
        n, most = len(self.matrix), int((self.matrix != 0).sum(axis=1).max())
        scratch = Scratch(out.shape, out.dtype)
        if 2 * most > n:
            from ranvier.kernels._products import add_products, padded

            turned, weight = padded(n, TILE), padded(n, n)
            weight[:n, :n] = self.matrix.T
            return State((add_products, None, weight, (turned, padded(TILE, n)), scratch))
        from ranvier.kernels._neighbours import neighbours

        used = np.sort(np.argsort(self.matrix == 0, axis=1, kind="stable")[:, :most], axis=1)  # in order of channels
        weight = np.take_along_axis(self.matrix, used, axis=1).astype(float)
        lists = np.ascontiguousarray(used.T), np.ascontiguousarray(weight.T)
        return State((neighbours[out.dtype], *lists, None, scratch))

    def step(self, state: State, block: Block) -> Block:
        kernel, other, weight, room, scratch = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        if other is None:
            _through(kernel, np.where(block.valid, x, 0) if masked else x, weight, *room, y)
        else:
            kernel(x, np.ascontiguousarray(block.valid) if masked else w, masked, other, weight, y)
        if not masked:
            return Block(y, block.start)
        w[...] = block.valid
        y[~w] = 0
        return Block(y, block.start, w)


def _through(add_products: Any, x: Array, weight: Array, turned: Array, total: Array, y: Array) -> None:
    """Write ``x @ weight`` a few samples at a time, each sum in the order of the channels."""
    n = x.shape[1]
    for a in range(0, len(x), TILE):
        m = min(TILE, len(x) - a)
        turned[:n, :m] = x[a : a + m].T
        add_products(turned, weight, n, total, m, n, False, True)
        y[a : a + m] = total[:m, :n]
