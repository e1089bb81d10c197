"""Referee: what was decided in each trial, while it happens, by the rule that offline scores follow too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ranvier.stage import Stream
from ranvier.stream import Block, StreamInfo, Trials


@dataclass(kw_only=True)
class Attempt:
    """One trial, and what was decided in it: the class with the largest mean score."""

    onset: int
    begin: int
    end: int
    cue: str
    total: Any
    n: int = 0
    over: bool = False

    def decision(self, classes: tuple[str, ...]) -> str:
        """Return what is decided so far; empty while nothing is."""
        return classes[int(np.argmax(self.total))] if self.n else ""

    def score(self) -> float:
        """Return the mean score of what is decided."""
        return float(np.max(self.total) / self.n) if self.n else float("nan")


@dataclass
class Referee:
    """Follows the decisions of a live run.

    Parameters
    ----------
    info
        Description of the decisions: one score a class.
    trials
        What was asked, in order.

    Notes
    -----
    A decision counts for a trial if the window that it stands for lies wholly inside, and if it is valid.
    """

    info: StreamInfo
    trials: Trials
    attempts: list[Attempt] = field(init=False)
    latest: Any = field(init=False, default=None)
    _next: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        t = self.trials
        rows = zip(t.onset, t.begin, t.end, t.label, strict=True)
        self.attempts = [
            Attempt(onset=int(o), begin=int(a), end=int(b), cue=str(c), total=np.zeros(len(self.classes)))
            for o, a, b, c in rows
        ]

    @property
    def classes(self) -> tuple[str, ...]:
        return self.info.channels.names

    def hear(self, block: Block, now: int) -> list[Attempt]:
        """Take decisions made by source sample `now`; return the trials that have ended since the last time."""
        span = self.info.origin.span
        for k, newest in enumerate(Stream(self.info, []).newest(block)):
            if not block.valid[k].all():
                continue
            self.latest = block.data[k].astype(np.float64)
            for a in self.attempts[self._next :]:
                if a.begin > newest:
                    break
                if a.begin + span - 1 <= newest < a.end:
                    a.total += self.latest
                    a.n += 1
        ended = []
        while self._next < len(self.attempts) and self.attempts[self._next].end <= now:
            self.attempts[self._next].over = True
            ended.append(self.attempts[self._next])
            self._next += 1
        return ended

    def current(self, now: int) -> Attempt | None:
        """Return the trial that goes on at a source sample."""
        if self._next < len(self.attempts) and self.attempts[self._next].onset <= now:
            return self.attempts[self._next]
        return None

    @property
    def over(self) -> list[Attempt]:
        return self.attempts[: self._next]

    @property
    def right(self) -> int:
        """How many of the trials that are over were decided as asked."""
        return sum(a.decision(self.classes) == a.cue for a in self.over)
