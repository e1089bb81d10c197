"""Learner: a stage that adapts while running, by Controls, with a verb of its own."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

from ranvier.stage._stage import Stage
from ranvier.stage._state import State


class Learner(Stage):
    """A stage that can be told, late, what was meant; `process` never learns.

    What it learns arrives as a ``learn`` Control, applied at a sample and recorded, so that a replay
    learns the same.
    """

    @abc.abstractmethod
    def learn(self, state: State, targets: Mapping[str, Any]) -> None:
        """Adapt `state` to what was meant (`targets`: the payload of the Control)."""
