"""Draft: a pipeline that grows while a recording is judged; what was proposed, and what was not, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ranvier.channels import Pick
from ranvier.evaluate.cleaning._findings import Finding
from ranvier.evaluate.cleaning._look import Look
from ranvier.evaluate.cleaning._panes import Advance
from ranvier.evaluate.cleaning._profile import Profile
from ranvier.stage import Stage, chain, name_of
from ranvier.stream import Recording


@dataclass(frozen=True)
class Proposed:
    """A stage of the proposed pipeline: as it is written, as it runs, and why."""

    stage: Any
    runs: Stage
    reason: str

    @property
    def name(self) -> str:
        return name_of(self.stage)


@dataclass(frozen=True)
class Declined:
    """A stage that was thought of and is not proposed, and why."""

    name: str
    reason: str


@dataclass(eq=False)
class Draft:
    """A pipeline that grows, in the order of the data's way.

    Parameters
    ----------
    recording, known, seen
        What is cleaned, its kind, and what one look at it found.
    advance
        Told how many samples more were read.
    """

    recording: Recording
    known: Profile
    seen: Look
    advance: Advance
    steps: list[Proposed] = field(default_factory=list)
    declined: list[Declined] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def front(self) -> Stage:
        return chain(*[p.runs for p in self.steps])

    def propose(self, stage: Any, reason: str, runs: Stage | None = None) -> None:
        self.declined = [x for x in self.declined if x.name != name_of(stage) or isinstance(stage, Pick)]
        self.steps.append(Proposed(stage, stage if runs is None else runs, reason))

    def pick(self, stage: Pick, reason: str) -> None:
        """Put a choice of channels behind the entrance, in the place of one that is there."""
        self.steps = [p for p in self.steps if not isinstance(p.stage, Pick)]
        self.steps.insert(1, Proposed(stage, stage, reason))

    def place(self, stage: Stage, reason: str) -> None:
        """Put what only describes electrodes behind the choice of channels, once."""
        if not self.has(type(stage)):
            self.steps.insert(1 + self.has(Pick), Proposed(stage, stage, reason))

    def decline(self, name: str, reason: str) -> None:
        self.declined.append(Declined(name, reason))

    def has(self, kind: type) -> bool:
        return any(isinstance(p.stage, kind) for p in self.steps)
