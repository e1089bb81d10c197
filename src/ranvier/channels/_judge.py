"""The judge that `BadChannels` and `ChannelVerdicts` share: statistics of hops, criteria, and a state machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi, tan
from typing import Any, NamedTuple

import numpy as np

from ranvier.channels._criteria import REASONS, SUDDEN, Criteria, Heard, neighbours
from ranvier.channels._names import electrodes
from ranvier.channels._predict import predictors
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, counter, need_number, need_signal
from ranvier.stream import Array, Block, Info, StreamInfo, is_all_valid

GOOD, SUSPECT, BAD = 0, 1, 2
CORRELATED = 200  # instants of a hop that channels are compared at, at most
PIECE = 1024  # samples that are copied at a time where they have to be
LEAST = 32  # samples of a hop
NOWHERE = -(2**63)  # no index
WIDTH = 3.0  # of the band that counts as mains [Hz]


class Change(NamedTuple):
    """A new verdict: on which channel, from which place of the block on, and why."""

    place: int
    channel: int
    verdict: int
    reason: int
    value: float


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
        from ranvier.kernels import _gram, _judge

        rate, hop = float(info.rate), self.hop_samples(info)
        chosen = electrodes(info.channels)
        n, wide = info.n_channels, _judge.groups(info.n_channels) * _judge.LANES
        listened = round(self.share * hop)
        stride = max(1, listened // CORRELATED)
        near, rank = neighbours(info.channels, chosen)
        design = _Design(
            hear=_judge.hear, begin=_judge.begin, named=_judge.named, add_products=_gram.add_products,
            stride=stride, hop=hop, listened=listened, k=_coefficients(rate, self.band, self.noise, self.mains),
            criteria=Criteria(
                judged=np.isin(np.arange(n), chosen), near=near, rank=rank, kernels=_judge, hop=hop / rate,
                predict=predictors(info.channels, chosen, self.ransac, self.seed),
                fast=self.noise < 0.45 * rate, mains=0 < self.mains < 0.45 * rate,
                correlation=self.correlation, deviation=self.deviation, rail=self.rail,
                ignore=tuple(REASONS.index(r) for r in self.ignore),
            ),
            machine=(self.patience, self.recovery), real=np.dtype("f4") if info.dtype == np.float32 else np.dtype("f8"),
            x=np.zeros((PIECE, wide), np.float32), ok=np.ones((PIECE, wide), bool),
            product=_gram.padded(wide, wide), mask=Scratch((n,), np.bool_), none=np.zeros(wide, np.float32),
        )  # fmt: skip
        return State(
            design,
            rows=_judge.memory(n), slow=_gram.padded(-(-listened // stride), wide), anchor=np.zeros(wide, design.real),
            mean=np.full(n, np.nan), verdict=np.zeros(n, np.int64), run=np.zeros(n, np.int64),
            next=counter(NOWHERE), since=counter(NOWHERE),
        )  # fmt: skip


@dataclass(slots=True)
class _Design:
    hear: Any
    begin: Any
    named: Any
    add_products: Any
    stride: int
    hop: int
    listened: int
    k: Array
    criteria: Criteria
    machine: tuple[int, int]
    real: Any
    x: Array
    ok: Array
    product: Array
    mask: Scratch
    none: Array


def advance(state: State, block: Block) -> Iterator[tuple[int, list[Change]]]:
    """Hear a block, and yield for each hop that ends in it the place of its last sample, and what changed there."""
    d: _Design = state.design
    if not block.n:
        return
    if state["next"][0] != block.start:
        state["since"][0] = block.start
    state["next"][0] = block.stop
    at = block.start
    while at < block.stop:
        end = min((at // d.hop + 1) * d.hop, block.stop)
        begin = at // d.hop * d.hop
        if at < begin + d.listened:
            piece = block.cut(at - block.start, min(end, begin + d.listened) - block.start)
            _hear(state, d, piece.data, None if is_all_valid(piece.valid) else piece.valid, at - begin)
        if end % d.hop == 0:
            if state["since"][0] <= end - d.hop:
                yield end - 1 - block.start, _judge(state, d, end - 1 - block.start)
            _begin(state, d)
        at = end


def _hear(state: State, d: _Design, x: Array, ok: Array | None, at: int) -> None:
    n, wide = x.shape[1], d.x.shape[1]
    anchor = state["anchor"]
    if x.dtype == np.float32 and n == wide and x.flags.c_contiguous:
        mask = d.ok if ok is None else np.ascontiguousarray(ok)
        d.hear(x, mask, ok is not None, at, d.stride, anchor, d.k, state["rows"], state["slow"])
        return
    with np.errstate(all="ignore"):  # what is invalid may be any number
        for a in range(0, len(x), PIECE):
            m = min(PIECE, len(x) - a)
            d.x[:m, :n] = x[a : a + m] - anchor[:n]
            if ok is not None:
                d.ok[:m, :n] = ok[a : a + m]
            d.hear(d.x[:m], d.ok[:m], ok is not None, at + a, d.stride, d.none, d.k, state["rows"], state["slow"])


def _judge(state: State, d: _Design, place: int) -> list[Change]:
    """Judge the hop that was heard: count failures and successes in a row, and change verdicts."""
    n = len(state["run"])
    slow = state["slow"]
    d.criteria.centre(slow)
    d.add_products(slow, slow, len(slow), d.product, n, n, True, True)
    heard = Heard.of(d.named(state["rows"], n), d.product, state["anchor"][:n], state["mean"], d.listened, d.stride)
    verdict, run = state["verdict"], state["run"]
    reason, value = d.criteria.reasons(heard, verdict == BAD)
    state["mean"][:] = np.where(heard.count > 0, heard.mean, state["mean"])
    failed, bad, before = reason > 0, verdict == BAD, verdict.copy()
    run[:] = np.where(failed != bad, run + 1, 0)
    patience, recovery = d.machine
    condemned = ~bad & failed & ((run >= patience) | SUDDEN[reason])
    acquitted = bad & (run >= recovery)
    verdict[:] = np.where(bad, BAD, np.where(failed, SUSPECT, GOOD))
    verdict[condemned], verdict[acquitted] = BAD, GOOD
    run[condemned | acquitted] = 0
    return [Change(place, int(c), int(verdict[c]), int(reason[c]), float(value[c]))
            for c in np.flatnonzero(verdict != before)]  # fmt: skip


def _begin(state: State, d: _Design) -> None:
    """Begin a hop: what is taken off every sample follows the mean, so that single precision is enough."""
    mean, anchor = state["rows"][:, 0], state["anchor"].reshape(-1, state["rows"].shape[2])
    moved = (anchor + mean).astype(d.real)
    mean -= (moved - anchor).astype(np.float32)
    anchor[:] = moved
    d.begin(state["rows"], d.listened < d.hop)
    state["slow"][:] = 0


def _coefficients(rate: float, band: tuple[float, float], noise: float, mains: float) -> Array:
    """Design the filters: mean, mains, slow and fast part; those beyond the rate let nothing through.

    Second-order sections by the bilinear transform (Oppenheim & Schafer, ch. 7); Butterworth but for the mains.
    """
    k = np.zeros(14)
    k[0] = 1 - np.exp(-2 * pi * band[0] / rate)
    if 0 < mains < 0.45 * rate:
        width = tan(pi * WIDTH / rate)
        k[1:4] = np.array([width, -2 * cos(2 * pi * mains / rate), 1 - width]) / (1 + width)
    for first, edge, signs in ((4, band[1], (1, 2, 1)), (9, noise, (1, -2, 1))):
        if edge >= 0.45 * rate and first == 9:
            continue
        w = tan(pi * edge / rate)
        scale = 1 / (1 + 2**0.5 * w + w * w)
        gain = w * w * scale if first == 4 else scale
        k[first : first + 3] = gain * np.array(signs)
        k[first + 3 : first + 5] = 2 * (w * w - 1) * scale, (1 - 2**0.5 * w + w * w) * scale
    return k.astype(np.float32)
