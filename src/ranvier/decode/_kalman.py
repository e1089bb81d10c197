"""Kalman: a hidden movement that goes on smoothly, seen through noisy channels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any, ClassVar, final

import numpy as np

from ranvier.decode._regression import need_rate
from ranvier.decode._sample import need_array, real_dtype
from ranvier.decode._training import Real, rows_of, targets_of
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Contract, Estimator, Samples, Scratch, State, Tags
from ranvier.stream import Array, Block, Channels, Info, StreamInfo, is_all_valid

FORGOTTEN = 1e-6  # part of a disturbance that is left where the support ends


@final
@dataclass(frozen=True, eq=False)
class Kalman(Estimator):
    """Learn a Kalman filter that follows velocity, or position and velocity.

    Parameters
    ----------
    order
        How many past values of the targets their next one is predicted from.
    shrinkage
        From 0 to 1: how far the channels' noise covariance is drawn to its diagonal. Needed where channels
        are many beside the samples.
    centred
        Take off the means of channels and targets; False where both are known to be zero in the long run.

    Notes
    -----
    *In*: samples of any shape at a constant rate, such as binned counts. Fitted, it is a `KalmanFilter`
    whose outputs are the targets, with their units. Transition and observation are least squares fits,
    noises their residuals. Channels that never vary in training are ignored.

    References
    ----------
    Wu, Gao, Bienenstock, Donoghue, Black, Neural Comput. 18 (2006) 80.
    """

    order: int = 1
    shrinkage: float = 0.0
    centred: bool = True

    def fit_samples(self, info: StreamInfo, samples: Samples) -> KalmanFilter:
        if not 0 <= self.shrinkage <= 1:
            raise ContractError(f"Kalman needs 0 <= shrinkage <= 1; got {self.shrinkage:g}. 0 is none.")
        if self.order < 1:
            raise ContractError(f"Kalman needs order >= 1; got {self.order}. 1 is the value before alone.")
        x, z, n = rows_of(samples), targets_of(self, samples), self.order
        centre, offset = x.mean(axis=0) * self.centred, z.mean(axis=0) * self.centred
        x, z = x - centre, z - offset
        d, follows = z.shape[1], samples.trial[n:] == samples.trial[:-n]
        if follows.sum() <= n * d:
            raise ContractError(
                f"Kalman needs more than {n * d} stretches of {n + 1} valid samples; got {int(follows.sum())}. "
                "Give longer recordings, or lower order."
            )
        hidden = np.hstack([z[n - 1 - k : len(z) - k] for k in range(n)])  # the newest value first
        transition, drift = np.eye(n * d, k=-d), np.zeros((n * d, n * d))
        transition[:d], drift[:d, :d] = _regress(hidden[:-1][follows], z[n:][follows])
        whole = samples.trial[n - 1 :] == samples.trial[: len(z) - n + 1]
        observation, noise = _regress(hidden[whole], x[n - 1 :][whole])
        noise = (1 - self.shrinkage) * noise + self.shrinkage * np.diag(np.diag(noise))
        prior = hidden[whole].T @ hidden[whole] / whole.sum()
        still = np.ptp(x, axis=0) == 0
        observation[still], noise[still], noise[:, still], noise[still, still] = 0, 0, 0, 1
        return KalmanFilter(
            transition, drift, observation, self._inverse(noise), prior, centre, offset, samples.names,
            samples.units, Contract.of(info),
        )  # fmt: skip

    def _inverse(self, noise: Real) -> Real:
        scale = np.sqrt(np.diag(noise))
        values, vectors = np.linalg.eigh(noise / np.outer(scale, scale))
        if not values[0] > len(values) * np.finfo(np.float64).eps * values[-1]:
            raise ContractError(
                f"Kalman needs channels whose noise is not redundant; got a correlation of {len(values)} channels with "
                f"eigenvalues from {values[0]:.3g} to {values[-1]:.3g}. Set shrinkage above 0, or drop channels."
            )
        inverse = (vectors / values) @ vectors.T / np.outer(scale, scale)
        return np.asarray((inverse + inverse.T) / 2)


def _regress(x: Real, y: Real) -> tuple[Real, Real]:
    """Return the matrix that takes `x` to `y` and the covariance of what it leaves."""
    matrix = np.ascontiguousarray(np.linalg.lstsq(x, y, rcond=None)[0].T)
    rest = y - x @ matrix.T
    return matrix, rest.T @ rest / len(x)


@final
@dataclass(frozen=True, eq=False)
class KalmanFilter(BlockStage):
    """Predict and update at every sample; made by `Kalman`.

    Parameters
    ----------
    transition, noise
        ``(d, d)``: how the hidden state, targets first, goes on from one sample to the next, and the covariance
        of what is new.
    observation
        ``(n_inputs, d)``: what each channel shows of it.
    precision
        ``(n_inputs, n_inputs)``: inverse of the covariance of the channels' noise.
    prior
        ``(d, d)``: its covariance before the first sample.
    centre, offset
        Means of the channels ``(n_inputs,)`` and of the targets ``(n_targets,)``.
    names, units
        Of the targets.
    contract
        The stream that it was fitted on.

    Notes
    -----
    *In*: samples of any shape at a constant rate. *Out*: one number a target, at the same rate. Channels that
    are invalid are left out of that update, the others weighted as if they were all there are; where none is
    valid the state goes on by itself and the output is invalid. Delay, settle: none added. Support: until its
    memory, all channels valid, has decayed to 1e-6. Exact (LAPACK inside, where the mask changes).

    References
    ----------
    Wu, Gao, Bienenstock, Donoghue, Black, Neural Comput. 18 (2006) 80. Information form of the update:
    Anderson & Moore, Optimal Filtering, section 6.3.
    """

    tags: ClassVar[Tags] = Tags(exactness="exact", recursive=True)
    transition: np.ndarray
    noise: np.ndarray
    observation: np.ndarray
    precision: np.ndarray
    prior: np.ndarray
    centre: np.ndarray
    offset: np.ndarray
    names: tuple[str, ...]
    units: tuple[str, ...]
    contract: Contract

    def __post_init__(self) -> None:
        d, n = len(self.transition), prod(self.contract.shape)
        for name in ("transition", "noise", "prior"):
            need_array(self, name, (d, d))
        need_array(self, "observation", (n, d))
        need_array(self, "precision", (n, n))
        need_array(self, "centre", (n,))
        need_array(self, "offset", (len(self.names),))

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_rate(self, self.contract.check(self, given))
        memory = int(-(-self._memory * info.origin.step // 1))
        return info.but(
            shape=(len(self.names),), channels=Channels.of(self.names, "target", self.units),
            dtype=np.dtype(real_dtype(info)), support=info.support + memory,
        )  # fmt: skip

    @cached_property
    def _memory(self) -> int:
        """Samples until a disturbance has decayed, once the gain has settled."""
        information = self.observation.T @ self.precision @ self.observation
        covariance, one = self.prior, np.eye(len(self.prior))
        for _ in range(1000):
            ahead = self.transition @ covariance @ self.transition.T + self.noise
            last, covariance = covariance, np.linalg.solve(one + ahead @ information, ahead)
            if np.abs(covariance - last).max() <= 1e-9 * np.abs(covariance).max():
                break
        loop = (one - covariance @ information) @ self.transition
        radius = float(np.abs(np.linalg.eigvals(loop)).max())
        if not radius < 1:
            raise ContractError(
                f"KalmanFilter needs targets that the channels show; got memory that never fades (radius {radius:g}). "
                "Leave out targets that nothing in the channels follows, such as position without velocity."
            )
        return 1 if radius < 1e-6 else int(np.ceil(np.log(FORGOTTEN) / np.log(radius))) + len(one)

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._kalman import kalman

        out = self.describe(info)
        gain, information = self._gain(np.ones(len(self.centre), bool))
        own = [np.array(a, order="C") for a in (self.transition, self.noise, self.observation, self.centre)]
        return State(
            (kalman[out.dtype], own, np.array(self.offset), Scratch(out.shape, out.dtype)),
            mean=np.zeros(len(self.transition)), covariance=np.array(self.prior), gain=gain, information=information,
            used=np.ones(len(self.centre), bool),
        )  # fmt: skip

    @cached_property
    def _alone(self) -> bool:
        """True where every channel has noise of its own only, so that losing one costs no equation."""
        return np.count_nonzero(self.precision) == np.count_nonzero(np.diag(self.precision))

    def _gain(self, used: Array) -> tuple[Real, Real]:
        """Return ``H' R^-1`` and ``H' R^-1 H`` of the channels used, R being their own noise covariance."""
        lost = ~used
        if self._alone:
            gain = self.observation.T * np.where(used, np.diag(self.precision), 0.0)
            return np.ascontiguousarray(gain), np.ascontiguousarray(gain @ self.observation)
        gain = self.observation[used].T @ self.precision[used]
        if lost.any() and used.any():
            shared = np.linalg.solve(self.precision[np.ix_(lost, lost)], gain[:, lost].T)
            gain -= shared.T @ self.precision[lost]
        gain[:, lost] = 0
        return np.ascontiguousarray(gain), np.ascontiguousarray(gain @ self.observation)

    def step(self, state: State, block: Block) -> Block:
        kalman, (transition, noise, observation, centre), offset, scratch = state.design
        n = block.n
        y, w = scratch.take(n)
        if not n:
            return Block(y, block.start)
        x = np.asarray(block.data.reshape(n, -1), dtype=y.dtype)
        used = state["used"]
        valid, bounds = _stretches(block, n)
        for a, b in bounds:
            mine = valid[a]
            if not np.array_equal(mine, used):
                used[...] = mine
                state["gain"][...], state["information"][...] = self._gain(used)
            kalman(
                x[a:b], used, transition, noise, observation, state["gain"], state["information"], centre,
                state["mean"], state["covariance"], y[a:b], offset,
            )  # fmt: skip
        seen = valid.any(axis=1)
        if seen.all():
            return Block(y, block.start)
        w[...] = seen[:, None]
        return Block(y, block.start, w)


def _stretches(block: Block, n: int) -> tuple[Any, list[tuple[int, int]]]:
    """Return the mask as rows, and where stretches with the same channels valid begin and end."""
    valid = block.valid.reshape(n, -1)
    if is_all_valid(block.valid):
        return valid, [(0, n)]
    changes = np.flatnonzero((valid[1:] != valid[:-1]).any(axis=1)) + 1
    bounds = [0, *changes.tolist(), n]
    return valid, list(pairwise(bounds))
