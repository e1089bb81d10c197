"""Ask a pipeline about continuous targets, split by time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ranvier.errors import ConfigError, ContractError
from ranvier.evaluate._bench import Bench, followed, same_when_streamed
from ranvier.evaluate._leak import stretches
from ranvier.evaluate._peers import Follower
from ranvier.evaluate._protocol import PeerPipeline, Pipeline, Protocol
from ranvier.evaluate._rows import Facts
from ranvier.evaluate._scores import Outcome
from ranvier.evaluate._select import Select
from ranvier.evaluate._splits import FixedSplit, KFold, Split
from ranvier.evaluate._table import fits
from ranvier.stream import Recording, Targets

Stretch = tuple[int, int, int]  # recording, from sample, to sample


def time_folds(split: Split, recordings: Sequence[Recording]) -> list[tuple[list[Stretch], list[Stretch]]]:
    """Return training and test time of each fold; k-fold parts are neighbours in time."""
    if isinstance(split, FixedSplit):
        folds = [(_chosen(split.train, recordings), _chosen(split.test, recordings))]
    elif isinstance(split, KFold):
        folds = []
        for j in range(split.k):
            cuts = [(r, j * n // split.k, (j + 1) * n // split.k, n) for r, n in enumerate(_lengths(recordings))]
            train = [(r, a, b) for r, c, d, n in cuts for a, b in ((0, c), (d, n)) if a < b]
            folds.append((train, [(r, c, d) for r, c, d, _ in cuts if c < d]))
    else:
        raise ConfigError(f"split.kind needs to be fixed or kfold for targets; got {split.kind!r}. Split by time.")
    for train, test in folds:
        if not train or not test:
            raise ContractError(
                f"Evaluation needs time to fit on and time to test on; got {len(train)} and {len(test)} stretches. "
                "Correct split.train and split.test, or give the recordings that they name."
            )
    return folds


def _lengths(recordings: Sequence[Recording]) -> list[int]:
    return [r.n_samples for r in recordings]


def _chosen(select: Select, recordings: Sequence[Recording]) -> list[Stretch]:
    out = []
    for r, rec in enumerate(recordings):
        inside = select.recordings is None or select.recordings[0] <= r < select.recordings[1]
        if inside and all(fits(getattr(rec.entities, k), getattr(select, k)) for k in ("subject", "session", "run")):
            a, b = select.range(rec.n_samples)
            if a < b:
                out.append((r, a, b))
    return out


def ask_targets(
    protocol: Protocol,
    pipeline: Pipeline | PeerPipeline,
    recordings: Sequence[Recording],
    targets: Sequence[Targets],
) -> tuple[Outcome, Facts]:
    """Fit and test one pipeline on targets; `place` of the outcome is recording and sample."""
    facts = Facts()
    parts: list[tuple[Any, Any, Any, int, int]] = []  # truth, values, places, recording, fold
    bench = None if isinstance(pipeline, PeerPipeline) else Bench.of(pipeline.what, recordings)
    for k, (train, test) in enumerate(time_folds(protocol.split, recordings)):
        if bench is None:
            parts += [(*_follow(pipeline, recordings[s[0]], targets[s[0]], train, s), s[0], k) for s in test]
            continue
        reach, fitted, kept = protocol.leak.reach([bench.info]), None, train
        while bench.tail is not None:
            kept = stretches(train, test, reach, protocol.leak)
            fitted = bench.fit([targets[r].cut(a, b) for r, a, b in kept], [bench.streams[r] for r, _, _ in kept])
            further = protocol.leak.reach(bench.learned_from(fitted))
            if further <= reach:
                break
            reach = further
        facts.purged += sum(b - a for _, a, b in train) - sum(b - a for _, a, b in kept)
        decisions = bench.decisions(fitted, sorted({r for r, _, _ in test}))
        if k == 0 and protocol.cuts:
            facts.same = same_when_streamed(bench, fitted, decisions, protocol.cuts)
        parts += [(*followed(decisions[r], targets[r], a, b), r, k) for r, a, b in test]
    outcome = Outcome(
        names=targets[0].names,
        truth=np.concatenate([p[0] for p in parts]),
        scores=np.concatenate([p[1] for p in parts]),
        fold=np.concatenate([np.full(len(p[2]), p[4], np.int64) for p in parts]),
        place=np.concatenate([np.stack([np.full(len(p[2]), p[3]), p[2]], axis=1) for p in parts]),
    )
    return outcome, facts


def _follow(
    pipeline: Any, rec: Recording, targets: Targets, train: Sequence[Stretch], test: Stretch
) -> tuple[Any, Any, Any]:
    peer = pipeline.what
    r, a, b = test
    if not isinstance(peer, Follower) or any(q != r for q, _, _ in train):
        raise ConfigError(f"peer {pipeline.name!r} needs targets, and time of one recording to fit and test on.")
    names = set(targets.names)
    use = [i for i, n in enumerate(rec.info.channels.names) if n not in names]
    x = np.concatenate([block.data for block in rec.blocks(4096)])[:, use].astype(np.float64)
    values = peer.follow(x, targets.values, [(c, d) for _, c, d in train], a, b)
    return targets.values[a:b], values, np.arange(a, b)
