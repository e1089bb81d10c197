"""Kalman: a hidden movement that goes on smoothly, seen through noisy channels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import ClassVar, final

import numpy as np

from ranvier.decode._regression import need_rate
from ranvier.decode._sample import need_array, real_dtype
from ranvier.decode._training import Real, rows_of, targets_of
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Contract, Estimator, Samples, Scratch, State, Tags, counter
from ranvier.stream import Array, Block, Channels, Info, StreamInfo, is_all_valid

FORGOTTEN = 1e-6  # part of a disturbance that is left where the support ends
STILL = 1e-13  # part of the covariance by which it no longer moves


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
        are many beside the samples; at 1 nothing is learned, kept or computed that grows with their square.
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
        d, follows = z.shape[1], samples.stretch[n:] == samples.stretch[:-n]
        if follows.sum() <= n * d:
            raise ContractError(
                f"Kalman needs more than {n * d} stretches of {n + 1} valid samples; got {int(follows.sum())}. "
                "Give longer recordings, or lower order."
            )
        hidden = np.hstack([z[n - 1 - k : len(z) - k] for k in range(n)])  # the newest value first
        transition, drift = np.eye(n * d, k=-d), np.zeros((n * d, n * d))
        transition[:d], rest = _regress(hidden[:-1][follows], z[n:][follows])
        drift[:d, :d] = rest.T @ rest / len(rest)
        whole = samples.stretch[n - 1 :] == samples.stretch[: len(z) - n + 1]
        observation, precision = self._observe(hidden[whole], x[n - 1 :][whole], np.ptp(x, axis=0) == 0)
        prior = hidden[whole].T @ hidden[whole] / whole.sum()
        return KalmanFilter(
            transition, drift, observation, precision, prior, centre, offset, samples.names, samples.units,
            Contract.of(info),
        )  # fmt: skip

    def _observe(self, hidden: Real, x: Real, still: Array) -> tuple[Real, Real]:
        """Return what each channel shows, and how precisely; channels that are still show nothing."""
        observation, rest = _regress(hidden, x)
        observation[still] = 0
        if self.shrinkage == 1:
            noise, size = (np.einsum("tc,tc->c", v, v) / len(x) for v in (rest, x))
            noise[still], size[still] = 1, 0
            if many := np.count_nonzero(noise <= np.finfo(np.float64).eps * size):
                raise ContractError(
                    f"Kalman needs channels with noise; got {many} of {len(noise)} that are what the targets say. "
                    "Drop them."
                )
            return observation, 1 / noise
        noise = rest.T @ rest / len(x)
        noise = (1 - self.shrinkage) * noise + self.shrinkage * np.diag(np.diag(noise))
        noise[still], noise[:, still], noise[still, still] = 0, 0, 1
        return observation, self._inverse(noise)

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
    """Return the matrix that takes `x` to `y`, and what it leaves."""
    matrix = np.ascontiguousarray(np.linalg.lstsq(x, y, rcond=None)[0].T)
    return matrix, y - x @ matrix.T


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
        Inverse of the covariance of the channels' noise: ``(n_inputs,)`` where each has its own, its diagonal, which
        any number of channels can have; ``(n_inputs, n_inputs)`` where they share some.
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
    valid the state goes on by itself and the output is invalid. A covariance that would move by less than 1e-13 of
    itself stays, until the mask changes, and the gain with it. Delay, settle: none added. Support: until its
    memory, all channels valid, has decayed to 1e-6. Exact (BLAS inside, where the mask changes).

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
        need_array(self, "precision", (n,) if np.ndim(self.precision) == 1 else (n, n))
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
        information = self._weights(np.ones(len(self.centre), bool))[1]
        covariance, one = self.prior, np.eye(len(self.prior))
        for _ in range(1000):
            last, covariance = covariance, self._after(covariance, information)
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
        from ranvier.kernels._gain import advance, products
        from ranvier.kernels._kalman import follow

        out, d, p = self.describe(info), len(self.transition), len(self.centre)
        used = np.ones(p, bool)
        weights, information = self._weights(used)
        fixed = [np.array(a, float, order="C") for a in (self.centre, self.offset)]
        gain, carry, mean, room = np.zeros((d, p)), np.zeros((d, d)), np.zeros(d), np.zeros(d)
        weights, information, covariance = (np.array(a, float, order="C") for a in (weights, information, self.prior))
        memory = (fixed[0], gain, carry, fixed[1], mean, room)
        own = {
            "move": np.array(self.transition, float, order="C"), "noise": np.array(self.noise, float, order="C"),
            "information": information, "weights": weights, "covariance": covariance, "gain": gain, "carry": carry,
            "room": np.zeros((3, d, d)),
        }  # fmt: skip
        at = {name: a.ctypes.data for name, a in own.items()}
        lines = np.array(products(d, p, at))
        more = (d, lines.ctypes.data, at["information"], at["covariance"], at["room"], STILL)
        return State(
            (
                follow[out.dtype], (d, *[a.ctypes.data for a in memory]), Scratch(out.shape, out.dtype),
                advance, more, (memory, own, lines),
            ),
            covariance=covariance, used=used, lost=counter(), weights=weights,
            information=information, still=counter(), gain=gain, carry=carry, mean=mean,
        )  # fmt: skip

    @cached_property
    def _across(self) -> Real:
        """What each hidden number shows in all channels, side by side."""
        return np.ascontiguousarray(self.observation.T)

    @cached_property
    def _all(self) -> Real:
        """The weights of all channels, where none shares its noise."""
        return self._across * self.precision

    def _weights(self, used: Array) -> tuple[Real, Real]:
        """Return ``H' R^-1`` and ``H' R^-1 H`` of the channels used, R being their own noise covariance."""
        if self.precision.ndim == 1:
            weights = self._all * used
        else:
            lost = ~used
            weights = self.observation[used].T @ self.precision[used]
            if lost.any() and used.any():
                shared = np.linalg.solve(self.precision[np.ix_(lost, lost)], weights[:, lost].T)
                weights -= shared.T @ self.precision[lost]
            weights[:, lost] = 0
        return weights, weights @ self.observation

    def _after(self, covariance: Array, information: Array) -> Real:
        """Return the covariance one sample later."""
        ahead = self.transition @ covariance @ self.transition.T + self.noise
        later = np.linalg.solve(np.eye(len(ahead)) + ahead @ information, ahead)
        return np.asarray((later + later.T) / 2)

    def step(self, state: State, block: Block) -> Block:
        follow, places, scratch, advance, more, _ = state.design
        n, x, valid = block.n, block.data, block.valid
        y, w = scratch.take(n)
        if x.ndim > 2:
            x, valid = x.reshape(n, -1), valid.reshape(n, -1)
        if x.dtype is not y.dtype or (n and x.strides[1] != x.itemsize):
            x = np.ascontiguousarray(x, y.dtype)
        whole = is_all_valid(valid)
        if whole and state["still"][0] and not state["lost"][0]:  # all but always
            follow(x, y, *places)
            return Block(y, block.start)
        for a, b in _stretches(valid, whole):
            if (valid[a] != state["used"]).any():
                self._use(state, valid[a])
            while a < b:
                if not state["still"][0]:
                    state["still"][0] = not advance(*more)
                m = b if state["still"][0] else a + 1
                follow(x[a:m], y[a:m], *places)
                a = m
        seen = np.any(valid, axis=1)
        w[...] = seen[:, None]
        return Block(y, block.start, None if seen.all() else w)

    def _use(self, state: State, used: Array) -> None:
        """Hear these channels from here on."""
        state["used"][...] = used
        state["lost"][0] = len(used) - np.count_nonzero(used)
        state["weights"][...], state["information"][...] = self._weights(used)
        state["still"][0] = False


def _stretches(valid: Array, whole: bool) -> list[tuple[int, int]]:
    """Return where stretches of rows with the same channels valid begin and end."""
    if not len(valid):
        return []
    changes = [] if whole or len(valid) == 1 else (np.flatnonzero((valid[1:] != valid[:-1]).any(axis=1)) + 1).tolist()
    return list(pairwise([0, *changes, len(valid)]))
