"""Unit: what is split by itself, asked of one pipeline: one row a subject and session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ConfigError, ContractError
from ranvier.evaluate._bench import Bench, followed, same_when_streamed, trial_scores
from ranvier.evaluate._leak import clean, stretches
from ranvier.evaluate._peers import Follower, Peer
from ranvier.evaluate._protocol import PeerPipeline, Pipeline, Protocol
from ranvier.evaluate._rows import Facts, Row, make_row
from ranvier.evaluate._scores import Outcome
from ranvier.evaluate._splits import FixedSplit, Fold, KFold, Select, Streamed, Untrained
from ranvier.evaluate._streamed import stream_trials
from ranvier.evaluate._table import Table, fits
from ranvier.stream import Recording, Targets, Trials

Stretch = tuple[int, int, int]  # recording, from sample, to sample


@dataclass(frozen=True, eq=False)
class Unit:
    """Recordings that are split by themselves.

    Parameters
    ----------
    recordings
        In the order of time.
    names
        What each is called in rows.
    table
        The trials in them; or
    targets
        what is to be followed in each.
    """

    recordings: tuple[Recording, ...]
    names: tuple[str, ...]
    table: Table | None = None
    targets: tuple[Targets, ...] = ()

    @property
    def lengths(self) -> tuple[int, ...]:
        return tuple(r.n_samples for r in self.recordings)


def ask(protocol: Protocol, pipeline: Pipeline | PeerPipeline, unit: Unit) -> list[Row]:
    """Fit and test one pipeline on one unit."""
    begun = perf_counter()
    if unit.table is None:
        outcome, facts = _ask_targets(protocol, pipeline, unit)
        rows = [_who(unit, r) for r in outcome.place[:, 0]]
        outcome = replace(outcome, place=outcome.place[:, 1])
    else:
        table = _part(unit.table, pipeline, unit.lengths)
        outcome, facts = _ask_trials(protocol, pipeline, unit, table)
        rows = [(str(table.subject[t]), str(table.session[t])) for t in outcome.place]
    facts.seconds = perf_counter() - begun
    out = []
    for who in dict.fromkeys(rows):
        mine = np.array([w == who for w in rows])
        part = outcome.take(mine)
        names = [n for n, r in zip(unit.names, unit.recordings, strict=True) if _entity(r) == who]
        if protocol.speller and unit.table is not None:
            facts.extra["letters"] = protocol.speller.letters(table, part, protocol.pause)
        out.append(make_row(protocol, pipeline, *who, names, part, facts))
    return out


def _entity(rec: Recording) -> tuple[str, str]:
    return rec.entities.subject, rec.entities.session


def _who(unit: Unit, r: int) -> tuple[str, str]:
    return _entity(unit.recordings[r])


def _part(table: Table, pipeline: Pipeline | PeerPipeline, lengths: Sequence[int]) -> Table:
    """Return the trials with the part that the pipeline asks for."""
    t = table.trials
    tmin = t.tmin if pipeline.tmin is None else pipeline.tmin
    tmax = t.tmax if pipeline.tmax is None else pipeline.tmax
    out = replace(table, trials=replace(t, tmin=tmin, tmax=tmax))
    return out.take((out.trials.begin >= 0) & (out.trials.end <= np.array(lengths)[t.recording]))


def make_folds(protocol: Protocol, table: Table, lengths: tuple[int, ...]) -> list[Fold]:
    """Return the folds of trials."""
    split = protocol.split
    if isinstance(split, Streamed):
        raise ContractError("Streamed makes no folds; its decisions come in arrival order.")
    return split.folds(table, lengths) if isinstance(split, FixedSplit) else split.folds(table)


def _ask_trials(
    protocol: Protocol, pipeline: Pipeline | PeerPipeline, unit: Unit, table: Table
) -> tuple[Outcome, Facts]:
    trials = table.trials
    classes = trials.classes
    truth = np.searchsorted(np.array(classes), trials.label)
    facts = Facts(trial_seconds=trials.tmax - trials.tmin)
    if isinstance(pipeline, PeerPipeline):
        folds = make_folds(protocol, table, unit.lengths)
        scores = _ask_peer(pipeline, unit, table, folds)
    else:
        bench = Bench.of(pipeline.what, unit.recordings)
        if isinstance(protocol.split, Streamed):
            place, found, facts.extra["streamed"], fitted = stream_trials(
                bench, trials, protocol.split, classes, protocol.leak
            )
            folds, scores = [Fold(np.zeros(0, np.int64), place)], [found]
            if protocol.cuts:
                decisions = bench.decisions(fitted, np.unique(trials.recording[place]).tolist())
                facts.same = same_when_streamed(bench, fitted, decisions, protocol.cuts)
        else:
            folds = make_folds(protocol, table, unit.lengths)
            scores = _ask_pipeline(protocol, bench, trials, folds, classes, facts)
    place = np.concatenate([f.test for f in folds])
    fold = np.repeat(np.arange(len(folds)), [len(f.test) for f in folds])
    outcome = Outcome(names=classes, truth=truth[place], scores=np.concatenate(scores), fold=fold, place=place)
    return outcome, facts


def _ask_pipeline(
    protocol: Protocol, bench: Bench, trials: Trials, folds: Sequence[Fold], classes: tuple[str, ...], facts: Facts
) -> list[npt.NDArray[np.float64]]:
    if isinstance(protocol.split, Untrained) and bench.tail is not None:
        raise ConfigError(
            "split.kind untrained needs pipelines that learn nothing; got one with something to be fitted. "
            "Take kfold, or FBCCA."
        )
    scores = []
    for k, fold in enumerate(folds):
        fitted = None
        if bench.tail is not None:
            reach = protocol.leak.reach([bench.info])
            train = clean(trials, fold.train, fold.test, reach, protocol.leak, k)
            fitted = bench.fit(trials[train])
            further = protocol.leak.reach(bench.learned_from(fitted))
            if further > reach:
                kept = clean(trials, fold.train, fold.test, further, protocol.leak, k)
                if len(kept) < len(train):
                    train, fitted = kept, bench.fit(trials[kept])
            facts.purged += len(fold.train) - len(train)
        where = np.unique(trials.recording[fold.test]).tolist()
        if k == 0 and protocol.cuts:
            decisions = bench.decisions(fitted, where)
            facts.same = same_when_streamed(bench, fitted, decisions, protocol.cuts)
        else:
            decisions = bench.decisions(fitted, where, trials[fold.test])
        scores.append(trial_scores(decisions, trials, fold.test, classes))
    return scores


def _ask_peer(pipeline: PeerPipeline, unit: Unit, table: Table, folds: Sequence[Fold]) -> list[npt.NDArray[np.float64]]:
    peer = pipeline.what
    if not isinstance(peer, Peer):
        raise ConfigError(f"peer {pipeline.name!r} follows targets, but the protocol has trials. Take another peer.")
    prepared = peer.prepare(unit.recordings, table)
    return [peer.decide(prepared, table.trials.label, f.train, f.test) for f in folds]


# continuous targets ---------------------------------------------------------------------------
def _chosen(select: Select, unit: Unit) -> list[Stretch]:
    out = []
    for r, rec in enumerate(unit.recordings):
        e = rec.entities
        inside = select.recordings is None or select.recordings[0] <= r < select.recordings[1]
        if inside and all(fits(getattr(e, k), getattr(select, k)) for k in ("subject", "session", "run")):
            a, b = select.range(rec.n_samples)
            if a < b:
                out.append((r, a, b))
    return out


def time_folds(split: Any, unit: Unit) -> list[tuple[list[Stretch], list[Stretch]]]:
    """Return training and test time of each fold; k-fold parts are neighbours in time."""
    if isinstance(split, FixedSplit):
        return [(_chosen(split.train, unit), _chosen(split.test, unit))]
    if not isinstance(split, KFold):
        raise ConfigError(f"split.kind needs to be fixed or kfold for targets; got {split.kind!r}.")
    out = []
    for j in range(split.k):
        cuts = [(r, j * n // split.k, (j + 1) * n // split.k, n) for r, n in enumerate(unit.lengths)]
        train = [(r, a, b) for r, c, d, n in cuts for a, b in ((0, c), (d, n)) if a < b]
        out.append((train, [(r, c, d) for r, c, d, _ in cuts if c < d]))
    return out


def _ask_targets(protocol: Protocol, pipeline: Pipeline | PeerPipeline, unit: Unit) -> tuple[Outcome, Facts]:
    facts = Facts()
    parts: list[tuple[Any, Any, Any, int, int]] = []  # truth, values, places, recording, fold
    bench = None if isinstance(pipeline, PeerPipeline) else Bench.of(pipeline.what, unit.recordings)
    for k, (train, test) in enumerate(time_folds(protocol.split, unit)):
        if not train or not test:
            raise ContractError(
                f"Evaluation needs time to fit on and time to test on; got {len(train)} and {len(test)} stretches. "
                "Correct split.train and split.test, or give the recordings that they name."
            )
        if bench is None:
            parts += [(*_follow(pipeline, unit, train, s), s[0], k) for s in test]
            continue
        reach = protocol.leak.reach([bench.info])
        kept = stretches(train, test, reach, protocol.leak)
        facts.purged += sum(b - a for _, a, b in train) - sum(b - a for _, a, b in kept)
        goals = [unit.targets[r].cut(a, b) for r, a, b in kept]
        fitted = bench.fit(goals, [bench.streams[r] for r, _, _ in kept])
        decisions = bench.decisions(fitted, sorted({r for r, _, _ in test}))
        if k == 0 and protocol.cuts:
            facts.same = same_when_streamed(bench, fitted, decisions, protocol.cuts)
        parts += [(*followed(decisions[r], unit.targets[r], a, b), r, k) for r, a, b in test]
    outcome = Outcome(
        names=unit.targets[0].names,
        truth=np.concatenate([p[0] for p in parts]),
        scores=np.concatenate([p[1] for p in parts]),
        fold=np.concatenate([np.full(len(p[2]), p[4], np.int64) for p in parts]),
        place=np.concatenate([np.stack([np.full(len(p[2]), p[3]), p[2]], axis=1) for p in parts]),
    )
    return outcome, facts


def _follow(pipeline: Any, unit: Unit, train: Sequence[Stretch], test: Stretch) -> tuple[Any, Any, Any]:
    peer = pipeline.what
    r, a, b = test
    if not isinstance(peer, Follower) or any(q != r for q, _, _ in train):
        raise ConfigError(f"peer {pipeline.name!r} needs targets, and time of one recording to fit and test on.")
    rec, z = unit.recordings[r], unit.targets[r].values
    names = set(unit.targets[r].names)
    use = [i for i, n in enumerate(rec.info.channels.names) if n not in names]
    x = np.concatenate([block.data for block in rec.blocks(4096)])[:, use].astype(np.float64)
    return z[a:b], peer.follow(x, z, [(c, d) for _, c, d in train], a, b), np.arange(a, b)
