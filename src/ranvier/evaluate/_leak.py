"""Leaks: what a training trial saw of a test trial, by its window, or by the memory of what comes before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ranvier.errors import LeakError
from ranvier.stream import Recording, StreamInfo, Trials

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class LeakRule:
    """How far back a training sample is held to see, and what happens when that is into a test trial.

    Parameters
    ----------
    memory
        ``support``: until the memory of recursive filters has decayed to 1e-6. ``settle``: to 1e-2, the
        least there is; published protocols that draw neighbouring trials at random need it. Windows, FIR
        filters and whatever else ends count in full either way.
    purge
        True: such training trials are left out, and counted. False: they are refused.
    """

    memory: Literal["support", "settle"] = "support"
    purge: bool = False

    def reach(self, infos: Iterable[StreamInfo]) -> int:
        """Return how far before its window a sample sees, over all streams that something is fitted on."""
        return max(self._before(i) for i in infos)

    def _before(self, info: StreamInfo) -> int:
        span = info.origin.span
        settle = max(0, info.settle - (span - 1))
        return settle if self.memory == "settle" else max(settle, info.support - span)


def seen(trials: Trials, train: Index, test: Index, reach: int) -> npt.NDArray[np.int64]:
    """Return for each training trial the place of a test trial that it sees, or -1."""
    found = np.full(len(train), -1, dtype=np.int64)
    begin, end = trials.begin - reach, trials.end
    for r in np.unique(trials.recording[train]):
        mine = np.flatnonzero(trials.recording[train] == r)
        theirs = test[trials.recording[test] == r]
        if not len(theirs):
            continue
        a, b = begin[train[mine]][:, None], end[train[mine]][:, None]
        touch = (a < trials.end[theirs]) & (trials.begin[theirs] < b)
        found[mine] = np.where(touch.any(axis=1), theirs[touch.argmax(axis=1)], -1)
    return found


def clean(trials: Trials, train: Index, test: Index, reach: int, rule: LeakRule, fold: int) -> Index:
    """Return the training trials that see no test trial; refuse the others unless they may be purged."""
    touched = seen(trials, train, test, reach)
    bad = np.flatnonzero(touched >= 0)
    if not len(bad):
        return train
    if rule.purge:
        return train[touched < 0]
    a, b = int(train[bad[0]]), int(touched[bad[0]])
    rate = float(trials.rate)
    hint = "" if rule.memory == "settle" else ' count filter memory to 1 % (memory = "settle");'
    raise LeakError(
        f"Evaluation needs training trials that cannot see test trials; got {len(bad)} of {len(train)} in fold {fold} "
        f"that do: trial {a} (recording {trials.recording[a]}, samples {trials.begin[a]} to {trials.end[a]}) sees "
        f"{reach} samples ({reach / rate:.3g} s) before its window, and trial {b} is samples {trials.begin[b]} to "
        f"{trials.end[b]}. Leave such trials out (purge = true);{hint} leave out whole blocks or runs; or take stages "
        "with less memory."
    )


def stretches(
    wanted: Sequence[tuple[int, int, int]], tests: Sequence[tuple[int, int, int]], reach: int, rule: LeakRule
) -> list[tuple[int, int, int]]:
    """Return what is left of stretches of training time (recording, from, to) when none may see test time."""
    out = list(wanted)
    for r, c, d in tests:
        kept: list[tuple[int, int, int]] = []
        for q, a, b in out:
            if q != r or b <= c or a - reach >= d:
                kept.append((q, a, b))
                continue
            if not rule.purge:
                raise LeakError(
                    f"Evaluation needs training time that cannot see test time; got training on samples {a} to {b} of "
                    f"recording {r}, which see {reach} samples back, and a test on {c} to {d}. Leave it out "
                    "(purge = true), or move the ranges apart."
                )
            kept += [(q, x, y) for x, y in ((a, c), (max(a, d + reach), b)) if x < y]
        out = kept
    return out


def check_copies(recordings: Sequence[Recording], names: Sequence[str]) -> None:
    """Refuse a recording that is there twice, under whatever name."""
    first: dict[Any, str] = {}
    for rec, name in zip(recordings, names, strict=True):
        mark = fingerprint(rec)
        if mark in first:
            raise LeakError(
                f"Evaluation needs each recording once; got {name} with the same samples as {first[mark]}. "
                "Leave one of them out: a decoder would be tested on what it was fitted on."
            )
        first[mark] = name


def fingerprint(rec: Recording) -> str:
    """Return a hash of the length and of the first samples, which survives a new header."""
    import hashlib

    digest = hashlib.sha256(f"{rec.n_samples} {rec.info.shape}".encode())
    for block in rec.blocks(4096):
        digest.update(np.ascontiguousarray(block.data).tobytes())
        break
    return digest.hexdigest()
