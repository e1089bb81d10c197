"""Control: the only thing besides data that may influence an output, applied at a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A recorded influence: a swapped stage, a late label, a clock fit, a skipped action.

    Parameters
    ----------
    at_sample
        Source index from which it holds: the first sample that feels it.
    kind
        ``swap``, ``learn``, ``clock``, ``timeout`` ...
    node
        The node of the graph that it concerns; empty for the whole run.
    payload
        What it brings; plain numbers, texts and arrays only.
    """

    at_sample: int
    kind: str
    node: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
