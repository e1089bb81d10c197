"""Moments: the panes worth looking at, kept while a recording goes by."""

from __future__ import annotations

import numpy as np

from ranvier.evaluate.cleaning._panes import Pane

WORST, SAMPLED = 2, 24  # panes that are kept: those in which most is taken off, and some by the way
APART = 3  # panes between two worst ones


class Moments:
    """Keeps the worst panes and a sample of the others, whatever the length of the recording.

    Parameters
    ----------
    rate
        Of the streams [Hz].
    size
        Samples of a whole pane; shorter ones are kept only as long as there is no whole one.
    """

    def __init__(self, rate: float, size: int) -> None:
        self.rate, self.size = rate, size
        self._worst: list[tuple[float, int, Pane]] = []
        self._some: list[tuple[float, int, Pane]] = []
        self._seen, self._every = 0, 1

    def add(self, pane: Pane) -> None:
        """Look at a pane, and keep it if it is worth it."""
        score = _score(pane)
        if score is None:
            return
        if len(pane.after) < self.size and self._seen:
            return
        kept = (score, pane.start, pane)
        self._worst = _spread([*self._worst, kept], APART * self.size)
        if self._seen % self._every == 0:
            self._some.append(kept)
            if len(self._some) > SAMPLED:
                self._some = self._some[::2]
                self._every *= 2
        self._seen += 1

    @property
    def worst(self) -> list[Pane]:
        """The panes in which most is taken off, in the order of time."""
        return [p for _, _, p in sorted(self._worst, key=lambda k: k[1])]

    @property
    def typical(self) -> Pane | None:
        """The pane in which a middling amount is taken off."""
        if not self._some:
            return None
        ordered = sorted(self._some, key=lambda k: k[:2])
        worst = {at for _, at, _ in self._worst}
        others = [k for k in ordered if k[1] not in worst] or ordered
        return others[len(others) // 2][2]


def _score(pane: Pane) -> float | None:
    """Return how much is taken off, about the mean, by its largest channel; None where nothing is valid."""
    ok = pane.ok
    if not ok.any():
        return None
    away = np.where(ok, pane.before.astype(np.float64) - pane.after, 0)
    n = np.maximum(ok.sum(axis=0), 1)
    mean = away.sum(axis=0) / n
    off = np.sqrt((np.where(ok, away - mean, 0) ** 2).sum(axis=0) / n)
    size = np.where(ok, pane.before, 0).astype(np.float64)
    level = np.sqrt((np.where(ok, size - size.sum(axis=0) / n, 0) ** 2).sum(axis=0) / n)
    return float((off + 1e-3 * level).max())


def _spread(kept: list[tuple[float, int, Pane]], apart: int) -> list[tuple[float, int, Pane]]:
    out: list[tuple[float, int, Pane]] = []
    for one in sorted(kept, key=lambda k: (-k[0], k[1])):
        if len(out) < WORST and all(abs(one[1] - other[1]) >= apart for other in out):
            out.append(one)
    return out
