"""check_trainable: what every trainable owes, whatever it learns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import comb
from typing import Any

import numpy as np

from ranvier.errors import ContractError
from ranvier.stage import Chain, Stage, Trainable, infos_of, through
from ranvier.stage._trainable import Stream, inside
from ranvier.stream import Block, Recording, StreamInfo, Trials
from ranvier.testing._compare import need
from ranvier.testing._stage import check_stage

FOLDS = 5
RARE = 0.001  # how often a sound trainable is called unsound by chance, and chance called skill
CHEAP = ("contract", "block_invariance", "serialises")


def check_trainable(
    trainable: Trainable, recordings: Recording | Sequence[Recording], trials: Trials, *, seed: int = 0
) -> None:
    """Raise `ConformanceError` unless a trainable learns from labels, from training trials alone, the same twice.

    Parameters
    ----------
    trainable
        A recipe or an estimator whose fitted stage gives one channel a class, named like it.
    recordings
        One or several, with something in them that can be learned.
    trials
        Their trials, at least five of each class.
    seed
        Of the folds and of the permutation of the labels.

    Notes
    -----
    Five stratified folds; a trial is decided by the mean of the outputs whose windows lie wholly in
    it. With n trials, the largest class a share p of them, the score must be above the 99.9 % point of
    the binomial (n, p) with the true labels, and not above it with permuted ones. For the leak the
    last fifth of the trials is held out, so that filters cannot carry their samples into training.

    Raises
    ------
    ConformanceError
        Which duty was broken, and by how much.
    """
    recs = [recordings] if isinstance(recordings, Recording) else list(recordings)
    _, counts = np.unique(trials.label, return_counts=True)
    if len(counts) < 2 or counts.min() < FOLDS:
        raise ContractError(
            f"check_trainable needs two classes or more of at least {FOLDS} trials each; got "
            f"{', '.join(map(str, counts)) or 'none'}. Give more trials."
        )
    fitted = trainable.fit(recs, trials)
    again = trainable.fit(recs, trials)
    need(fitted.id == again.id, f"the same data gave two stages: {fitted.id}, then {again.id}; name every seed")
    _check_leak(trainable, recs, trials)
    _check_scores(trainable, recs, trials, seed)
    infos = infos_of(fitted, recs[0])
    _check_refusals(fitted, infos)
    check_stage(fitted, *infos, only=CHEAP)


class _Changed:
    """A recording that has other samples in some stretches."""

    def __init__(self, of: Any, stretches: Sequence[tuple[int, int]]) -> None:
        self._of, self._stretches = of, stretches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)

    def blocks(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        for block in self._of.blocks(size, start, stop):
            data = block.data.copy()
            for a, b in self._stretches:
                part = slice(max(a - block.start, 0), max(b - block.start, 0))
                data[part] = 30 - 2 * data[part]
            yield Block(data, block.start, block.valid, block.at)


def _check_leak(trainable: Trainable, recs: Sequence[Any], trials: Trials) -> None:
    train = np.ones(len(trials), bool)
    changed = []
    for r, rec in enumerate(recs):
        mine = np.flatnonzero(trials.recording == r)
        held = mine[np.argsort(trials.begin[mine])][-max(1, len(mine) // FOLDS) :]
        first = trials.begin[held].min(initial=rec.n_samples)
        train[mine] = trials.end[mine] <= first
        changed.append(_Changed(rec, [(int(trials.begin[t]), int(trials.end[t])) for t in held]))
    before, after = trainable.fit(recs, trials[train]), trainable.fit(changed, trials[train])
    need(before.id == after.id, "it learned from samples of trials that it was not given: it fits before it splits")


def _check_scores(trainable: Trainable, recs: Sequence[Any], trials: Trials, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, share = len(trials), float(np.unique(trials.label, return_counts=True)[1].max() / len(trials))
    limit = chance_limit(n, share)
    said = f"chance is {share:.0%}, and up to {limit} of {n} within its 99.9 % bound"
    right = _right(trainable, recs, trials, rng)
    need(right > limit, f"with the true labels it decides {right} of {n} trials right; {said}: it does not learn")
    permuted = replace(trials, label=rng.permutation(trials.label))
    right = _right(trainable, recs, permuted, rng)
    need(right <= limit, f"with permuted labels it decides {right} of {n} trials right; {said}: it knew the answers")


def chance_limit(n: int, share: float) -> int:
    """Return the least count that chance exceeds less often than once in a thousand.

    >>> chance_limit(10, 0.5)
    9
    """
    total = 0.0
    for k in range(n + 1):
        total += comb(n, k) * share**k * (1 - share) ** (n - k)
        if total >= 1 - RARE:
            return k
    return n


def _right(trainable: Trainable, recs: Sequence[Any], trials: Trials, rng: np.random.Generator) -> int:
    """Return how many trials are decided right, each by a stage that was fitted without it."""
    fold = np.empty(len(trials), int)
    for name in trials.classes:
        mine = rng.permutation(np.flatnonzero(trials.label == name))
        fold[mine] = np.arange(len(mine)) % FOLDS
    right = 0
    for f in range(FOLDS):
        fitted = trainable.fit(recs, trials[fold != f])
        for r, rec in enumerate(recs):
            info: Any = fitted.describe(*infos_of(fitted, rec))
            need(set(info.channels.names) >= set(trials.classes),
                 f"the fitted stage needs a channel for each of {', '.join(trials.classes)}; "
                 f"it has {', '.join(info.channels.names)}")  # fmt: skip
            stream = Stream(info, through(fitted, rec))
            held = trials[(fold == f) & (trials.recording == r)]
            said = [_decided(stream, int(a), int(b)) for a, b in zip(held.begin, held.end, strict=True)]
            right += int(np.sum(np.array(said, dtype=np.str_) == held.label))
    return right


def _decided(stream: Stream, begin: int, end: int) -> str:
    rows = [b.data[inside(stream, b, begin, end)] for b in stream.blocks]
    scores = np.concatenate(rows) if rows else np.empty((0, 1))
    return stream.info.channels.names[int(scores.mean(axis=0).argmax())] if len(scores) else ""


def _check_refusals(fitted: Stage, infos: tuple[Any, ...]) -> None:
    """Another order of the channels is refused from outside; another rate by a stage that learned at its own."""
    turned = [
        i.but(channels=i.channels.take(range(i.n_channels)[::-1])) if isinstance(i, StreamInfo) else i for i in infos
    ]
    need(_refuses(fitted, turned), "the fitted stage takes channels in another order; keep a Contract")
    stages = fitted.stages if isinstance(fitted, Chain) else (fitted,)
    inputs = fitted.infos(*infos) if isinstance(fitted, Chain) else [infos]
    faster = [[i.but(rate=i.rate * 2 or 1) if isinstance(i, StreamInfo) else i for i in given] for given in inputs]
    refused = any(_refuses(stage, given) for stage, given in zip(stages, faster, strict=False))
    need(refused, "the fitted stage takes another rate; keep a Contract")


def _refuses(stage: Stage, infos: Sequence[Any]) -> bool:
    try:
        stage.describe(*infos)
    except ContractError:
        return True
    return False
