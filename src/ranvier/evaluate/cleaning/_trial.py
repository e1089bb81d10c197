"""Tried: what a stage takes off this very recording, before it is proposed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ranvier.evaluate.cleaning._measure import Measure
from ranvier.evaluate.cleaning._panes import Advance, paired, pane_size, panes, side_by_side
from ranvier.stage import Stage, chain
from ranvier.stream import Array, Recording, StreamInfo


@dataclass(frozen=True, eq=False)
class Tried:
    """What a stage does to some channels of a recording.

    Parameters
    ----------
    before, after, removed
        The signal in front of it, behind it, and their difference, where both are valid.
    """

    before: Measure
    after: Measure
    removed: Measure

    @property
    def explained(self) -> Array:
        """Part of the power that is taken off, a channel each."""
        with np.errstate(all="ignore"):
            return np.asarray(np.nan_to_num(self.removed.squares / self.before.squares))

    @property
    def large(self) -> Array:
        """Whether in a hop more is taken off some channel than its usual rms."""
        with np.errstate(all="ignore"):
            return np.asarray((self.removed.levels > self.before.usual).any(axis=1))

    @property
    def shrunk(self) -> float:
        """By which part the range falls in these hops, of the channel of which most is taken off (median)."""
        hops = np.flatnonzero(self.large)
        if not len(hops):
            return 0.0
        worst = np.nan_to_num(self.removed.levels[hops]).argmax(axis=1)
        with np.errstate(all="ignore"):
            return float(np.nanmedian(1 - self.after.ranges[hops, worst] / self.before.ranges[hops, worst]))


def try_stage(front: Stage, stage: Stage, recording: Recording, names: tuple[str, ...], advance: Advance) -> Tried:
    """Run a recording through a front, and through the front and the stage, and compare channels."""
    both = chain(front, stage)
    a: StreamInfo = front.describe(recording.info)
    b: StreamInfo = both.describe(recording.info)
    late = round((b.delay - a.delay) * a.rate)
    one = [a.channels.names.index(n) for n in names]
    other = [b.channels.names.index(n) for n in names]
    some = a.but(channels=a.channels.take(one), shape=(len(one),))
    tried = Tried(*(Measure(some, recording.n_samples, spectrum=False) for _ in range(3)))
    for p in panes(paired(side_by_side(front, both, recording, advance), late), pane_size(a)):
        x, y = p.before[:, one], p.after[:, other]
        ok = p.before_ok[:, one] & p.after_ok[:, other]
        tried.before.add(x, ok, p.start)
        tried.after.add(y, ok, p.start)
        tried.removed.add(x.astype(np.float64) - y, ok, p.start)
    return tried
