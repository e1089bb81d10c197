"""Cross-validate: one pipeline, some recordings, their trials or targets; how well does it do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ranvier.errors import ContractError
from ranvier.evaluate._find import group
from ranvier.evaluate._leak import LeakRule, check_copies
from ranvier.evaluate._protocol import Pipeline, Protocol, TargetRule
from ranvier.evaluate._results import Results
from ranvier.evaluate._rows import Row
from ranvier.evaluate._run import software
from ranvier.evaluate._select import Select
from ranvier.evaluate._splits import FixedSplit, KFold, Split, Within
from ranvier.evaluate._table import Table, TrialRule
from ranvier.evaluate._unit import Unit, ask
from ranvier.stage import Stage, Trainable
from ranvier.stream import Recording, Targets, Trials


def cross_validate(
    pipeline: Stage | Trainable,
    recordings: Recording | Sequence[Recording],
    trials: Trials | Sequence[Targets],
    *,
    by: Within = "session",
    split: Split | None = None,
    metric: str | None = None,
    leak: LeakRule | None = None,
    cuts: tuple[int, ...] = (1, 37, 256),
    seed: int = 0,
) -> Results:
    """Fit and test a pipeline in folds; what need not be refitted runs once, what is trained is refitted.

    Parameters
    ----------
    pipeline
        A recipe, a trainable, or a stage that needs no training.
    recordings
        One or several.
    trials
        The trials in all of them (`Trials.concatenate`), or targets, one each.
    by
        What is split by itself: ``run``, ``session``, ``subject``, or ``all`` together.
    split
        Anything else than five stratified folds (targets: than the first 80 % and the rest).
    metric
        What rows are compared by: accuracy for several classes, ROC-AUC for two, R2 for targets.
    leak
        How far back a training sample is held to see.
    cuts
        Block lengths for which streamed decisions are held against offline ones [samples].
    seed
        Of the bootstrap.

    Returns
    -------
    Results
        One row a subject and session.

    Raises
    ------
    LeakError
        Where a training trial can see a test trial.
    """
    several = [recordings] if isinstance(recordings, Recording) else list(recordings)
    names = [f"{r.info.name}[{i}]" for i, r in enumerate(several)]
    check_copies(several, names)
    asked = (Pipeline(name="pipeline", what=pipeline),)
    rows: list[Row] = []
    common: dict[str, Any] = {
        "name": "cross_validate", "pipelines": asked, "leak": leak or LeakRule(), "cuts": cuts, "seed": seed
    }  # fmt: skip
    if isinstance(trials, Trials):
        table = Table.of(trials, [r.entities for r in several])
        rule = TrialRule(labels={c: c for c in trials.classes}, tmin=trials.tmin, tmax=trials.tmax)
        usual = "roc_auc" if len(trials.classes) == 2 else "accuracy"
        protocol = Protocol(trials=rule, split=split or KFold(within=by), metric=metric or usual, **common)
        for unit in group(protocol, several):
            mine = table.take(np.isin(trials.recording, unit))
            place = np.searchsorted(np.array(unit), mine.trials.recording).astype(np.int64)
            mine = replace(mine, trials=replace(mine.trials, recording=place))
            rows += ask(protocol, asked[0], Unit(_pick(several, unit), _pick(names, unit), mine))
    else:
        goals = list(trials)
        if len(goals) != len(several):
            raise ContractError(
                f"cross_validate needs targets for each recording; got {len(goals)} for {len(several)}. Give one each."
            )
        first = FixedSplit(train=Select(part=(0.0, 0.8)), test=Select(part=(0.8, 1.0)), within=by)
        follow = TargetRule(channels=goals[0].names)
        protocol = Protocol(targets=follow, split=split or first, metric=metric or "r2", **common)
        for unit in group(protocol, several):
            whole = Unit(_pick(several, unit), _pick(names, unit), targets=_pick(goals, unit))
            rows += ask(protocol, asked[0], whole)
    return Results({"name": protocol.name, "id": protocol.id}, tuple(rows), (), seed, software())


def _pick(things: Sequence[Any], places: Sequence[int]) -> tuple[Any, ...]:
    return tuple(things[i] for i in places)
