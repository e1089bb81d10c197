"""Fitting on the recording itself: what is learned without labels, from calm stretches, valid throughout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ranvier.denoise import ASR, Whiten
from ranvier.errors import ConfigError, ContractError
from ranvier.evaluate.cleaning._measure import Measure
from ranvier.evaluate.cleaning._panes import Advance, paired, pane_size, panes, side_by_side
from ranvier.stage import Estimator, Recipe, Samples, Stage, chain
from ranvier.stream import Array, Recording

CALM = 2.0  # times its usual rms that a channel may have in a calm hop
LONGEST = 180.0  # calm signal that is kept, spread over the recording [s]
NUMBERS = 1 << 25  # numbers that are kept at most
STRETCH = 3  # hops that make a stretch


def fitted(what: Any, recording: Recording, advance: Advance) -> Stage:
    """Return a pipeline with everything in it fitted: ASR and Whiten, on the recording itself.

    Raises
    ------
    ConfigError
        It holds something that learns from labels.
    ContractError
        There is too little calm signal.
    """
    steps: Sequence[Any] = what.steps if isinstance(what, Recipe) else (what,)
    done: list[Stage] = []
    for step in steps:
        if isinstance(step, ASR | Whiten):
            done.append(fit_one(step, chain(*done) if done else None, recording, advance))
        elif isinstance(step, Stage):
            done.append(step)
        else:
            raise ConfigError(
                f"clean needs stages, ASR or Whiten; got {type(step).__name__}, which learns from labels. Leave it "
                "out, or fit the pipeline with `ranvier fit` and give the model."
            )
    return chain(*done)


def fit_one(step: Estimator, front: Stage | None, recording: Recording, advance: Advance) -> Stage:
    """Fit one estimator on what comes out of a front; two passes."""
    if front is None:
        raise ConfigError(
            f"clean needs denoise.Integrity at the entrance, before {type(step).__name__}; got nothing before it. Put "
            "it first."
        )
    info = front.describe(recording.info)
    size = pane_size(info)
    measure = Measure(info, recording.n_samples, spectrum=False)
    for p in panes(paired(side_by_side(front, None, recording, advance), 0), size):
        measure.add(p.after, p.after_ok, p.start)
    begins = _calm(measure)
    kept = _spread(begins, measure.hop, int(min(LONGEST * info.rate, NUMBERS // info.n_channels)))
    x, trial = _gathered(front, recording, kept, measure.hop, advance)
    if not len(x):
        raise ContractError(
            f"{type(step).__name__} needs calm stretches of {STRETCH} s in which all channels are valid; got none. "
            "Leave out channels that are bad for long, or give a longer recording."
        )
    return step.fit_samples(info, Samples(x=x, y=np.full(len(x), "calm"), stretch=trial))


def _calm(measure: Measure) -> list[int]:
    """Return where the calm hops begin: all valid, no channel much larger than usual."""
    levels, usual = measure.levels, measure.usual
    if not len(levels):
        return []
    with np.errstate(all="ignore"):
        calm = (measure.shares == 1).all(axis=1) & ~(levels > CALM * usual).any(axis=1)
    return [s for s, good in zip(measure.starts, calm, strict=True) if good]


def _spread(begins: list[int], hop: int, most: int) -> list[tuple[int, int]]:
    """Return stretches of calm hops, every so many of them where there are more than enough [samples]."""
    runs: list[list[int]] = []
    for b in begins:
        if runs and runs[-1][1] == b and runs[-1][1] - runs[-1][0] < 10 * hop:
            runs[-1][1] = b + hop
        else:
            runs.append([b, b + hop])
    runs = [r for r in runs if r[1] - r[0] >= min(STRETCH * hop, most)]
    total = sum(b - a for a, b in runs)
    every = max(1, -(-total // most))
    return [(a, b) for a, b in runs[::every]]


def _gathered(
    front: Stage, recording: Recording, kept: list[tuple[int, int]], hop: int, advance: Advance
) -> tuple[Array, Array]:
    parts: list[Array] = []
    which: list[Array] = []
    k = 0
    for (block,) in side_by_side(front, None, recording, advance):
        while k < len(kept) and kept[k][1] <= block.start:
            k += 1
        j = k
        while j < len(kept) and kept[j][0] < block.stop:
            a, b = max(kept[j][0], block.start), min(kept[j][1], block.stop)
            parts.append(block.data[a - block.start : b - block.start].copy())
            which.append(np.full(b - a, j, np.int64))
            j += 1
    if not parts:
        return np.empty((0, front.describe(recording.info).n_channels), "f4"), np.empty(0, np.int64)
    return np.concatenate(parts), np.concatenate(which)
