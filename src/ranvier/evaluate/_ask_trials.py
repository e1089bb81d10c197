"""Ask a pipeline about trials: fold by fold, or as a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ranvier.errors import ConfigError, ContractError
from ranvier.evaluate._bench import Bench, same_when_streamed, trial_scores
from ranvier.evaluate._leak import clean
from ranvier.evaluate._peers import Peer
from ranvier.evaluate._protocol import PeerPipeline, Pipeline, Protocol
from ranvier.evaluate._rows import Facts
from ranvier.evaluate._scores import Outcome
from ranvier.evaluate._splits import FixedSplit, Fold, Streamed, Untrained
from ranvier.evaluate._streamed import stream_trials
from ranvier.evaluate._table import Table
from ranvier.stream import Recording, Trials


def part_of(table: Table, pipeline: Pipeline | PeerPipeline, lengths: Sequence[int]) -> Table:
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


def ask_trials(
    protocol: Protocol, pipeline: Pipeline | PeerPipeline, recordings: Sequence[Recording], table: Table
) -> tuple[Outcome, Facts]:
    """Fit and test one pipeline on trials."""
    trials = table.trials
    lengths = tuple(r.n_samples for r in recordings)
    classes = trials.classes
    truth = np.searchsorted(np.array(classes), trials.label)
    facts = Facts(trial_seconds=trials.tmax - trials.tmin)
    if isinstance(pipeline, PeerPipeline):
        folds = make_folds(protocol, table, lengths)
        scores = _ask_peer(pipeline, recordings, table, folds)
    else:
        bench = Bench.of(pipeline.what, recordings)
        if isinstance(protocol.split, Streamed):
            place, found, facts.extra["streamed"], fitted = stream_trials(
                bench, trials, protocol.split, classes, protocol.leak
            )
            folds, scores = [Fold(np.zeros(0, np.int64), place)], [found]
            if protocol.cuts:
                decisions = bench.decisions(fitted, np.unique(trials.recording[place]).tolist())
                facts.same = same_when_streamed(bench, fitted, decisions, protocol.cuts)
        else:
            folds = make_folds(protocol, table, lengths)
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
        reach, fitted, train = protocol.leak.reach([bench.info]), None, fold.train
        while bench.tail is not None:
            train = clean(trials, fold.train, fold.test, reach, protocol.leak, k)
            fitted = bench.fit(trials[train])
            further = protocol.leak.reach(bench.learned_from(fitted))
            if further <= reach:
                break
            reach = further
        facts.purged += len(fold.train) - len(train)
        where = np.unique(trials.recording[fold.test]).tolist()
        if k == 0 and protocol.cuts:
            decisions = bench.decisions(fitted, where)
            facts.same = same_when_streamed(bench, fitted, decisions, protocol.cuts)
        else:
            decisions = bench.decisions(fitted, where, trials[fold.test])
        scores.append(trial_scores(decisions, trials, fold.test, classes))
    return scores


def _ask_peer(
    pipeline: PeerPipeline, recordings: Sequence[Recording], table: Table, folds: Sequence[Fold]
) -> list[npt.NDArray[np.float64]]:
    peer = pipeline.what
    if not isinstance(peer, Peer):
        raise ConfigError(f"peer {pipeline.name!r} follows targets, but the protocol has trials. Take another peer.")
    prepared = peer.prepare(recordings, table)
    return [peer.decide(prepared, table.trials.label, f.train, f.test) for f in folds]
