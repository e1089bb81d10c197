"""Splits: which trials a decoder is fitted on, and which it is tested on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError
from ranvier.evaluate._select import Select
from ranvier.evaluate._table import Table

Index = npt.NDArray[np.int64]
Within = Literal["run", "session", "subject", "all"]
COLUMNS: dict[str, tuple[str, ...]] = {
    "run": ("subject", "session", "recording"),
    "session": ("subject", "session"),
    "subject": ("subject",),
    "all": (),
}


@dataclass(frozen=True, eq=False)
class Fold:
    """Places of the trials to fit on and of those to test on."""

    train: Index
    test: Index


@dataclass(frozen=True, kw_only=True)
class KFold:
    """Cut the trials into k parts; each is tested once, by a decoder fitted on the others.

    With the defaults these are MOABB's folds within a session.

    Parameters
    ----------
    k
        Number of parts.
    seed
        Of the shuffle.
    within
        What is cut by itself: each run, session, subject, or all together.
    stratified
        Give every part its share of each class.
    shuffle
        False: parts are neighbours in time.
    """

    kind: ClassVar[str] = "kfold"
    k: int = 5
    seed: int = 42
    within: Within = "session"
    stratified: bool = True
    shuffle: bool = True

    def folds(self, table: Table) -> list[Fold]:
        """Return the folds of one unit."""
        from sklearn import model_selection as ms

        label = table.trials.label
        least = min(np.unique(label, return_counts=True)[1], default=0) if self.stratified else len(table)
        if not 2 <= self.k <= least:
            raise ContractError(
                f"KFold needs 2 <= k <= the number of trials{' of the rarest class' if self.stratified else ''}; got "
                f"k={self.k} for {least} (within={self.within!r}). Lower k, or cut larger units."
            )
        make = ms.StratifiedKFold if self.stratified else ms.KFold
        parts = make(self.k, shuffle=self.shuffle, random_state=self.seed if self.shuffle else None)
        return [Fold(np.asarray(a), np.asarray(b)) for a, b in parts.split(np.zeros(len(table)), label)]


@dataclass(frozen=True, kw_only=True)
class LeaveOut:
    """Leave each run, session, subject or block out once, and fit on the others.

    Parameters
    ----------
    by
        What is left out.
    within
        Where the others are taken from; None for the next larger thing (runs and blocks: the session;
        sessions: the subject; subjects: all).
    """

    kind: ClassVar[str] = "leave_out"
    by: Literal["run", "session", "subject", "block"] = "run"
    within: Within | None = None

    def __post_init__(self) -> None:
        if self.within is None:
            larger = {"run": "session", "block": "session", "session": "subject", "subject": "all"}
            object.__setattr__(self, "within", larger[self.by])

    def folds(self, table: Table) -> list[Fold]:
        """Return the folds of one unit."""
        columns = (*COLUMNS["run"], "block") if self.by == "block" else COLUMNS[self.by]
        key = table.key(*columns)
        names = list(dict.fromkeys(key.tolist()))
        if len(names) < 2:
            raise ContractError(
                f"LeaveOut needs two or more {self.by}s; got {len(names)} (within={self.within!r}). "
                f"Give recordings of more {self.by}s, or take KFold."
            )
        return [Fold(np.flatnonzero(key != n), np.flatnonzero(key == n)) for n in names]


@dataclass(frozen=True, kw_only=True)
class FixedSplit:
    """One decoder, fitted on what `train` chooses and tested on what `test` chooses."""

    kind: ClassVar[str] = "fixed"
    train: Select = field(default_factory=Select)
    test: Select = field(default_factory=Select)
    within: Within = "subject"

    def folds(self, table: Table, n_samples: tuple[int, ...]) -> list[Fold]:
        """Return the one fold of a unit."""
        train, test = (np.flatnonzero(s.choose(table, n_samples)) for s in (self.train, self.test))
        if not len(train) or not len(test):
            raise ContractError(
                f"FixedSplit needs trials to fit on and trials to test on; got {len(train)} and {len(test)} of "
                f"{len(table)}. Correct split.train and split.test, or give the recordings that they name."
            )
        return [Fold(train, test)]


@dataclass(frozen=True, kw_only=True)
class Untrained:
    """Test on everything: for decoders that need no calibration."""

    kind: ClassVar[str] = "untrained"
    within: Within = "session"

    def folds(self, table: Table) -> list[Fold]:
        """Return one fold without training trials."""
        return [Fold(np.zeros(0, np.int64), np.arange(len(table)))]


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """Let the recordings run in arrival order, in small chunks; labels come late, decisions as they are made.

    The decoder is fitted on the first trials and tested on all later ones. Where `refit` is given, it is
    fitted anew on every trial whose label has arrived, and swapped while running.

    Parameters
    ----------
    warmup
        Trials that the first decoder is fitted on.
    refit
        After how many new labels it is fitted anew; 0 for never.
    label_delay
        From the end of a trial until its label is known [s].
    block
        Length of a chunk [samples].
    rest
        Class or globs of event labels during which nothing should be activated.
    dwell
        How long one class must lead until it counts as an activation [s].
    margin
        By how much it must lead over the second.
    within
        What is streamed by itself.
    """

    kind: ClassVar[str] = "streamed"
    warmup: int = 20
    refit: int = 0
    label_delay: float = 0.0
    block: int = 32
    rest: tuple[str, ...] = ()
    dwell: float = 0.5
    margin: float = 0.0
    within: Within = "session"

    def __post_init__(self) -> None:
        if self.warmup < 2 or self.refit < 0 or self.block < 1 or self.label_delay < 0 or self.dwell < 0:
            raise ContractError(
                "Streamed needs warmup >= 2 trials, refit >= 0 trials, block >= 1 sample, label_delay >= 0 s and "
                f"dwell >= 0 s; got {self.warmup}, {self.refit}, {self.block}, {self.label_delay:g} s and "
                f"{self.dwell:g} s. Correct the split."
            )


Split = KFold | LeaveOut | FixedSplit | Untrained | Streamed
SPLITS: dict[str, type[Split]] = {s.kind: s for s in (KFold, LeaveOut, FixedSplit, Untrained, Streamed)}
