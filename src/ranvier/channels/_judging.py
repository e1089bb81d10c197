"""What `BadChannels` and `ChannelVerdicts` share: their parameters, and what is worked out before they start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ranvier.channels._bands import HIGHEST, WIDTH, coefficients
from ranvier.channels._criteria import REASONS, Criteria
from ranvier.channels._judge import NOWHERE, PIECE, Judge
from ranvier.channels._populations import judged, populations
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, counter, need_number, need_signal
from ranvier.stream import Info, StreamInfo

CORRELATED = 200  # instants of a hop that channels are compared at, at most
LEAST = 32  # samples of a hop


@dataclass(frozen=True, eq=False)
class JudgeStage(BlockStage):
    """What both stages need to know; see `BadChannels` for the parameters."""

    hop: float = 1.0
    patience: int = 3
    recovery: int = 5
    band: tuple[float, float] = (1.0, 40.0)
    noise: float = 50.0
    mains: float = 50.0
    correlation: float = 0.4
    deviation: float = 5.0
    ransac: int = 25
    seed: int = 0
    rail: float | None = None
    ignore: tuple[str, ...] = ()
    share: float = 1.0

    def checked(self, given: Info) -> StreamInfo:
        """Check parameters and return the stream; it settles when a channel that was lost has recovered."""
        info = need_signal(self, given)
        who, rate = type(self).__name__, float(info.rate)
        if not LEAST <= self.hop * rate <= 2**24:
            raise ContractError(
                f"{who} needs hop of {LEAST} to 2^24 samples, {LEAST / rate:.3g} to {2**24 / rate:.3g} s at "
                f"{rate:g} Hz; got hop={self.hop:g} s. Take 1 s if in doubt."
            )
        for name, number in (("patience", self.patience), ("recovery", self.recovery)):
            if not 1 <= number <= 1000:
                raise ContractError(f"{who} needs 1 to 1000 hops of {name}; got {number}. Take 3 if in doubt.")
        if not 0 < self.band[0] < self.band[1] < rate / 2:
            raise ContractError(
                f"{who} needs a band with 0 < low < high < rate/2; got {self.band[0]:g} to {self.band[1]:g} Hz at "
                f"{rate:g} Hz. Take the band in which neighbours see the same: (1, 40) for EEG."
            )
        need_number(self, "noise", self.noise, 0, 1e9, "Hz", "Take 50 Hz for EEG.")
        if self.mains:
            need_number(self, "mains", self.mains, WIDTH, 1e6, "Hz", "Take 50 or 60 Hz, or 0 for none.")
        need_number(self, "correlation", self.correlation, -1e-9, 1, "", "Take 0.4 if in doubt; 0 for never.")
        need_number(self, "deviation", self.deviation, 0, 1e6, "robust standard deviations", "Take 5 if in doubt.")
        if self.rail is not None:
            need_number(
                self, "rail", self.rail, 0, 1e30, info.channels.units[0], "Give the amplifier's limit, or None."
            )
        if not 0 <= self.ransac <= 1000:
            raise ContractError(f"{who} needs 0 to 1000 subsets for ransac; got {self.ransac}. Take 25 if in doubt.")
        if not LEAST <= self.share * self.hop * rate <= self.hop * rate:
            raise ContractError(
                f"{who} needs to listen to {LEAST} samples of a hop at least, share={LEAST / rate / self.hop:.3g}, and "
                f"share <= 1; got share={self.share:g}. Take 1 if in doubt."
            )
        if unknown := sorted(set(self.ignore) - set(REASONS)):
            raise ContractError(
                f"{who} needs reasons to ignore that it knows, {', '.join(REASONS)}; got {unknown}. Mend the word."
            )
        return info

    def hop_samples(self, info: StreamInfo) -> int:
        return round(self.hop * info.rate)

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels import _alike, _gram, _heard

        rate, hop, n = float(info.rate), self.hop_samples(info), info.n_channels
        wide = _heard.groups(n) * _heard.LANES
        listened = round(self.share * hop)
        stride = max(1, listened // CORRELATED)
        real = np.dtype("f4") if info.dtype == np.float32 else np.dtype("f8")
        criteria = Criteria(
            judged=judged(info.channels), populations=populations(info.channels, self.ransac, self.seed),
            hop=hop / rate, fast=self.noise < HIGHEST * rate, mains=0 < self.mains < HIGHEST * rate,
            correlation=self.correlation, deviation=self.deviation, rail=self.rail,
            ignore=tuple(REASONS.index(r) for r in self.ignore), kernels=_alike,
        )  # fmt: skip
        design = Judge(
            kernels=_heard, add_products=_gram.add_products, stride=stride, hop=hop, listened=listened,
            k=coefficients(rate, self.band, self.noise, self.mains), criteria=criteria,
            patience=self.patience, recovery=self.recovery, real=real, x=np.zeros((PIECE, wide), np.float32),
            ok=np.ones((PIECE, wide), bool), product=_gram.padded(wide, wide), mask=Scratch((n,), np.bool_),
            none=np.zeros(wide, np.float32),
        )  # fmt: skip
        return State(
            design, rows=_heard.memory(n), slow=_gram.padded(-(-listened // stride), wide),
            anchor=np.zeros(wide, real), mean=np.full(n, np.nan), verdict=np.zeros(n, np.int64),
            run=np.zeros(n, np.int64), next=counter(NOWHERE), since=counter(NOWHERE),
        )  # fmt: skip
