"""SubspaceReconstruction: directions in which a signal is larger than calibration ever was, replaced by an estimate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal, final

import numpy as np

from ranvier.denoise._design import Sections, decay
from ranvier.denoise._weighting import weighting
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Contract, Scratch, State, Tags, need_signal
from ranvier.stream import Array, Block, Info, StreamInfo, is_all_valid

FORGOTTEN = 1e-6  # part of a disturbance that is left where the support ends
SLOWEST = 80.0  # rate below which the weighting lacks muscle [Hz]: two of its three shelves are left


@dataclass(frozen=True)
class Steps:
    """Lengths in samples: a hop, hops in a window, the delay."""

    hop: int
    hops: int
    late: int

    @property
    def window(self) -> int:
        return self.hop * self.hops


def steps_of(who: Any, info: StreamInfo, window: float, lookahead: float, hop: float) -> Steps:
    """Round to samples, the window to an even number of hops; refuse what does not fit."""
    rate = info.rate
    if rate < SLOWEST:
        raise ContractError(
            f"{type(who).__name__} needs a rate of {SLOWEST:g} Hz or more; got {float(rate):g} Hz. Put it before "
            "what lowers the rate."
        )
    if not (1 / float(rate) <= hop <= window / 2 and 0.05 <= window <= 10):
        raise ContractError(
            f"{type(who).__name__} needs a window of 0.05 to 10 s and hops of one sample to half of it; got "
            f"window={window:g} s, hop={hop:g} s at {float(rate):g} Hz. Take 0.5 and 0.05 s if in doubt."
        )
    if not 0 <= lookahead <= 0.25:
        raise ContractError(
            f"{type(who).__name__} needs 0 <= lookahead <= 0.25 s; got lookahead={lookahead:g} s. It is a delay: take "
            "0.25 s where that is no matter, 0 where it is."
        )
    samples = max(1, round(hop * rate))
    return Steps(samples, max(2, 2 * round(window / (2 * samples) * rate)), round(lookahead * rate))


@final
@dataclass(frozen=True, eq=False)
class SubspaceReconstruction(BlockStage):
    """Replace what is larger than calibration ever was by an estimate from the rest; made by `ASR`.

    Parameters
    ----------
    covariance
        Of the weighted clean signal, ``(n, n)``, positive definite [uV^2].
    threshold
        ``(n, n)``: direction v is an artefact where its power exceeds ``v' threshold v`` [uV^2].
    channels
        Names of the n channels that are looked at; the others are delayed alike and otherwise as they were.
    contract
        The stream that it was fitted on.
    window, lookahead, hop
        Over which power is taken; how much of it may lie after a sample; how often it is looked at [s]. The hop is
        rounded to samples, the window to an even number of hops.
    method
        ``euclidean``: directions are eigenvectors of the window's covariance. ``riemannian``: of it whitened by
        `covariance`, the principal geodesics from calibration to now, whatever the channels' scales.
    share
        Of the directions that may be replaced at most.

    Notes
    -----
    *In*: signal ``(n_channels,)`` without offset and drift (`Highpass(0.5)` before it). *Out*: the same channels,
    units and rate; float32 (float64 for float64), `lookahead` late. Every hop, at samples whose index is a multiple
    of it, the weighted signal's covariance over the last window is taken. Directions W whose power is below their
    threshold are kept; the signal becomes ``C W (W' C W)^-1 W' x``, C being `covariance`: what is most likely behind
    the kept ones. From hop to hop this changes by a raised cosine. Where nothing is replaced, numbers are
    those that came in, to the bit.

    An invalid channel leaves the covariance: with a hop of the window invalid it is neither cleaned nor used for
    others, and its output is invalid. (Were it kept, it would seem to have parted from its neighbours, as artefacts
    do.) A number lost among valid ones is invalid alone; for the other channels its last value stands in. Delay:
    `lookahead`, exact. Support: window, look-ahead and the weighting's memory. Settle: a window and a hop, or the
    look-ahead. Exact (LAPACK where there is an artefact).

    References
    ----------
    Mullen et al., IEEE Trans. Biomed. Eng. 62 (2015) 2553-2567. Kothe & Jung, US patent application 20160113587
    (2016), abandoned. Blum et al., Front. Hum. Neurosci. 13 (2019) 141 (Riemannian geometry).
    """

    tags: ClassVar[Tags] = Tags(exactness="exact", recursive=True)

    covariance: np.ndarray
    threshold: np.ndarray
    channels: tuple[str, ...]
    contract: Contract
    window: float = 0.5
    lookahead: float = 0.25
    hop: float = 0.05
    method: Literal["euclidean", "riemannian"] = "riemannian"
    share: float = 0.66

    def __post_init__(self) -> None:
        n = len(self.channels)
        for name in ("covariance", "threshold"):
            a = getattr(self, name)
            if not isinstance(a, np.ndarray) or a.dtype != np.float64 or a.shape != (n, n) or not np.isfinite(a).all():
                raise ContractError(
                    f"SubspaceReconstruction needs {name} as finite float64 ({n}, {n}); got "
                    f"{getattr(a, 'dtype', type(a).__name__)} {getattr(a, 'shape', '')}. Fit it again."
                )

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, self.contract.check(self, given))
        missing = [name for name in self.channels if name not in info.channels.names]
        if missing:
            raise ContractError(
                f"SubspaceReconstruction needs channels {missing[:4]}; got none so named. Fit it again."
            )
        steps = steps_of(self, info, self.window, self.lookahead, self.hop)
        if self.method not in ("euclidean", "riemannian") or not 0 <= self.share <= 1:
            raise ContractError(
                "SubspaceReconstruction needs method 'euclidean' or 'riemannian' and 0 <= share <= 1; got "
                f"{self.method!r} and {self.share:g}. Take 'euclidean' and 0.66 if in doubt."
            )
        memory = steps.late + steps.window + steps.hop + decay(weighting(float(info.rate)), FORGOTTEN)
        settle = max(steps.late, steps.window + steps.hop)
        step = info.origin.step
        return info.but(
            dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32),
            support=info.support + int(-(-memory * step // 1)),
            settle=info.settle + int(-(-settle * step // 1)),
            delay=info.delay + Fraction(steps.late) / info.rate,
        )

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels import _subspace

        out = self.describe(info)
        steps = steps_of(self, info, self.window, self.lookahead, self.hop)
        sections = weighting(float(info.rate))
        n, late = len(self.channels), steps.late
        products, counts = _subspace.rings(steps.hops, n)
        return State(
            Cleaner(self, steps, sections, out, _subspace),
            past=np.zeros((late, info.n_channels), out.dtype), past_ok=np.zeros((late, info.n_channels), bool),
            z=np.zeros((n, len(sections), 2)), gone=np.zeros(n, np.int64), held=np.zeros(n),
            products=products, counts=counts,
            removed=np.zeros((2, n, n)), trusted=np.zeros((2, n), bool), active=np.zeros(2, np.int64),
        )  # fmt: skip

    def step(self, state: State, block: Block) -> Block:
        cleaner = state.design
        y, w = cleaner.scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else w
        bad, a, hop = 0, 0, cleaner.steps.hop
        while a < block.n:
            b = min(((block.start + a) // hop + 1) * hop - block.start, block.n)
            bad += cleaner.go(state.arrays, block.start + a, x[a:b], ok[a:b], masked, y[a:b], w[a:b])
            a = b
        return Block(y, block.start, w if bad else None)


class Cleaner:
    """What does not change while it runs, and how the samples of one hop go through."""

    def __init__(self, who: SubspaceReconstruction, steps: Steps, sections: Sections, out: StreamInfo, kernels: Any):
        n = len(who.channels)
        self.who, self.steps, self.sections, self.kernels = who, steps, sections, kernels
        self.scratch = Scratch(out.shape, out.dtype)
        self.hear, self.put_out = kernels.hear[out.dtype], kernels.put_out[out.dtype]
        self.which = np.array([out.channels.names.index(name) for name in who.channels], np.int64)
        self.blend = (1 - np.cos(np.pi * np.arange(1, steps.hop + 1) / steps.hop)) / 2
        self.threshold = np.ascontiguousarray(who.threshold)
        self.now, self.room, self.rows = np.zeros((n, n)), np.zeros((n, n)), np.zeros((2, n))
        self.most = int(who.share * n)

    def go(self, s: dict[str, Array], start: int, x: Array, ok: Array, masked: bool, y: Array, w: Array) -> int:
        """Let samples of one hop through, the first being number `start`; return how many are invalid."""
        hop, slot = start // self.steps.hop, start // self.steps.hop % self.steps.hops
        begins, first = start - hop * self.steps.hop, max(self.steps.late, 1)
        if not begins:
            self.judge(s, slot)
            s["products"][slot] = 0
            s["counts"][slot] = 0
        bad: int = self.put_out(
            x, ok, masked, self.which, start % first, s["past"], s["past_ok"], s["held"], s["removed"], s["trusted"],
            s["active"], self.blend[begins:], self.rows, y, w,
        )  # fmt: skip
        self.hear(
            x, ok, masked, self.which, self.steps.window, self.sections, s["z"], s["gone"], self.rows[0],
            s["products"][slot], s["counts"][slot],
        )  # fmt: skip
        return bad

    def judge(self, s: dict[str, Array], oldest: int) -> None:
        """Find what is to be removed, from the window that has just ended."""
        s["removed"][0], s["trusted"][0], s["active"][0] = s["removed"][1], s["trusted"][1], s["active"][1]
        inside = s["trusted"][1]
        quiet = self.kernels.within(
            s["products"],
            s["counts"],
            oldest,
            self.steps.window - self.steps.hop,
            self.threshold,
            self.now,
            inside,
            self.room,
        )
        s["removed"][1] = 0
        s["active"][1] = 0
        if not quiet:
            places = np.ix_(*2 * (np.flatnonzero(inside),))
            away = self.away(self.now[places], self.who.covariance[places], self.threshold[places])
            if away is not None:
                s["removed"][1][places] = away.T
                s["active"][1] = 1

    def away(self, now: Array, covariance: Array, threshold: Array) -> Array | None:
        """Return the projection that is taken away, ``I - C W (W' C W)^-1 W'``; None where nothing is."""
        if self.who.method == "riemannian":
            lower = np.linalg.cholesky(covariance)
            half = np.linalg.solve(lower, now)
            values, turned = np.linalg.eigh(np.linalg.solve(lower, half.T))
            vectors = np.linalg.solve(lower.T, turned)
        else:
            values, vectors = np.linalg.eigh(now)
        over = values >= (vectors * (threshold @ vectors)).sum(axis=0)
        over[: max(len(over) - self.most, 0)] = False
        if not over.any():
            return None
        u = vectors[:, over]
        if self.who.method == "riemannian":
            return (covariance @ u) @ u.T
        weights = np.linalg.solve(covariance, u)
        return u @ np.linalg.solve(u.T @ weights, weights.T)
