"""The judge: hears hops, asks the criteria, and changes verdicts with hysteresis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ranvier.channels._criteria import SUDDEN, Criteria
from ranvier.channels._hop import Heard, centre
from ranvier.stage import Scratch, State
from ranvier.stream import Array, Block, is_all_valid

GOOD, SUSPECT, BAD = 0, 1, 2
PIECE = 1024  # samples that are copied at a time where they have to be
NOWHERE = -(2**63)  # no index


class Change(NamedTuple):
    """A new verdict: on which channel, from which place of the block on, and why."""

    place: int
    channel: int
    verdict: int
    reason: int
    value: float


@dataclass(slots=True)
class Judge:
    """What a running judge works with."""

    kernels: Any
    add_products: Any
    stride: int
    hop: int
    listened: int
    k: Array
    criteria: Criteria
    patience: int
    recovery: int
    real: Any
    x: Array
    ok: Array
    product: Array
    mask: Scratch
    none: Array


def advance(state: State, block: Block) -> Iterator[tuple[int, list[Change]]]:
    """Hear a block, and yield for each hop that ends in it the place of its last sample, and what changed there."""
    d: Judge = state.design
    start, stop = block.start, block.stop
    if start == stop:
        return
    if state["next"][0] != start:
        state["since"][0] = start
    state["next"][0] = stop
    at = start
    while at < stop:
        begin = at // d.hop * d.hop
        end, heard = min(begin + d.hop, stop), min(begin + d.listened, stop)
        if at < heard:
            ok = None if is_all_valid(block.valid) else block.valid[at - start : heard - start]
            _hear(state, d, block.data[at - start : heard - start], ok, at - begin)
        if end == begin + d.hop:
            if state["since"][0] <= begin:
                yield end - 1 - start, _judge(state, d, end - 1 - start)
            _begin(state, d)
        at = end


def _hear(state: State, d: Judge, x: Array, ok: Array | None, at: int) -> None:
    n, wide = x.shape[1], d.x.shape[1]
    anchor = state["anchor"]
    if x.dtype == np.float32 and n == wide and x.flags.c_contiguous:
        mask = d.ok if ok is None else np.ascontiguousarray(ok)
        d.kernels.hear(x, mask, ok is not None, at, d.stride, anchor, d.k, state["rows"], state["slow"])
        return
    with np.errstate(all="ignore"):  # what is invalid may be any number
        for a in range(0, len(x), PIECE):
            m = min(PIECE, len(x) - a)
            d.x[:m, :n] = x[a : a + m] - anchor[:n]
            if ok is not None:
                d.ok[:m, :n] = ok[a : a + m]
            d.kernels.hear(
                d.x[:m], d.ok[:m], ok is not None, at + a, d.stride, d.none, d.k, state["rows"], state["slow"]
            )


def _judge(state: State, d: Judge, place: int) -> list[Change]:
    """Judge the hop that was heard: count failures and successes in a row, and change verdicts."""
    n = len(state["run"])
    slow = state["slow"]
    with np.errstate(all="ignore"):  # numbers near the largest that there are overflow
        centre(slow)
        d.add_products(slow, slow, len(slow), d.product, n, n, True, True)
        heard = Heard.of(
            d.kernels.named(state["rows"], n), d.product, state["anchor"][:n], state["mean"], d.listened, d.stride
        )
    verdict, run = state["verdict"], state["run"]
    reason, value = d.criteria.reasons(heard, verdict == BAD)
    state["mean"][:] = np.where(heard.count > 0, heard.mean, state["mean"])
    failed, bad, before = reason > 0, verdict == BAD, verdict.copy()
    run[:] = np.where(failed != bad, run + 1, 0)
    condemned = ~bad & failed & ((run >= d.patience) | SUDDEN[reason])
    acquitted = bad & (run >= d.recovery)
    verdict[:] = np.where(bad, BAD, np.where(failed, SUSPECT, GOOD))
    verdict[condemned], verdict[acquitted] = BAD, GOOD
    run[condemned | acquitted] = 0
    return [Change(place, int(c), int(verdict[c]), int(reason[c]), float(value[c]))
            for c in np.flatnonzero(verdict != before)]  # fmt: skip


def _begin(state: State, d: Judge) -> None:
    """Begin a hop: what is taken off every sample follows the mean, so that single precision is enough."""
    mean, anchor = state["rows"][:, 0], state["anchor"].reshape(-1, state["rows"].shape[2])
    moved = (anchor + mean).astype(d.real)
    mean -= (moved - anchor).astype(np.float32)
    anchor[:] = moved
    d.kernels.begin(state["rows"], d.listened < d.hop)
    state["slow"][:] = 0
