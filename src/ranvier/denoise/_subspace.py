"""SubspaceReconstruction: directions in which a signal is larger than calibration ever was, replaced by an estimate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal, final

import numpy as np

from ranvier.denoise._cleaner import Cleaner
from ranvier.denoise._design import decay
from ranvier.denoise._hops import steps_of
from ranvier.denoise._weighting import weighting
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Contract, State, Tags, need_signal
from ranvier.stream import Block, Info, StreamInfo, is_all_valid

FORGOTTEN = 1e-6  # part of a disturbance that is left where the support ends


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
        least = float(np.linalg.eigvalsh(self.covariance).min(initial=1.0))
        if not least > 0:
            raise ContractError(
                f"SubspaceReconstruction needs a positive definite covariance; got a least eigenvalue of {least:.3g} "
                "uV^2. Fit it again."
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
        from ranvier.kernels._exceed import rings

        out = self.describe(info)
        steps = steps_of(self, info, self.window, self.lookahead, self.hop)
        sections = weighting(float(info.rate))
        n, late = len(self.channels), steps.late
        products, counts = rings(steps.hops, n)
        return State(
            Cleaner(self, steps, sections, out),
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
