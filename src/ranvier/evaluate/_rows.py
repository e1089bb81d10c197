"""Rows: one line a subject, session and pipeline, with stable keys and plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ranvier.errors import ContractError
from ranvier.evaluate._intervals import of_row
from ranvier.evaluate._protocol import PeerPipeline, Pipeline, Protocol
from ranvier.evaluate._scores import Outcome, accuracy, chance, decided, metrics_for, score, wolpaw


@dataclass(frozen=True, eq=False)
class Row:
    """One line of results, and the decisions that it was made of.

    Parameters
    ----------
    values
        Stable keys, plain values that can be written as JSON.
    outcome
        What was decided in each trial: for paired comparisons.
    """

    values: Mapping[str, Any]
    outcome: Outcome

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def as_line(self) -> dict[str, Any]:
        """Return everything as plain values, decisions included."""
        o = self.outcome
        return {
            "row": dict(self.values),
            "outcome": {
                "names": list(o.names), "truth": o.truth.tolist(),
                "scores": [[None if np.isnan(v) else float(v) for v in row] for row in o.scores],
                "fold": o.fold.tolist(), "place": o.place.tolist(),
            },
        }  # fmt: skip

    @classmethod
    def from_line(cls, line: Mapping[str, Any]) -> Row:
        """Return what `as_line` wrote."""
        o = line["outcome"]
        truth = np.array(o["truth"])
        scores = np.array([[np.nan if v is None else v for v in row] for row in o["scores"]], dtype=np.float64)
        outcome = Outcome(
            names=tuple(o["names"]), truth=truth if truth.ndim == 2 else truth.astype(np.int64), scores=scores,
            fold=np.array(o["fold"], dtype=np.int64), place=np.array(o["place"], dtype=np.int64),
        )  # fmt: skip
        return cls(line["row"], outcome)


@dataclass(kw_only=True)
class Facts:
    """What is known about a run of one pipeline on one unit, besides its decisions."""

    seconds: float = 0.0
    purged: int = 0
    same: bool | None = None
    dropped: int = 0
    trial_seconds: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)


def make_row(
    protocol: Protocol,
    pipeline: Pipeline | PeerPipeline,
    subject: str,
    session: str,
    recordings: Sequence[str],
    outcome: Outcome,
    facts: Facts,
) -> Row:
    """Score decisions."""
    o, peer = outcome, isinstance(pipeline, PeerPipeline)
    found = score(o, protocol.metric)
    if np.isnan(found):
        raise ContractError(
            f"{protocol.metric} needs trials of every class in a test fold, and decisions on them; got none in "
            f"{len(np.unique(o.fold))} fold(s) of {subject or 'the recording'}. Take accuracy, or larger folds."
        )
    low, high, how = of_row(o, protocol.metric, protocol.seed)
    values: dict[str, Any] = {
        "protocol": protocol.id, "protocol_name": protocol.name,
        "pipeline": pipeline.id, "pipeline_name": pipeline.name, "peer": peer,
        "subject": subject, "session": session, "recordings": list(recordings),
        "n": o.n, "n_folds": len(np.unique(o.fold)), "names": list(o.names),
        "metric": protocol.metric, "score": found, "low": low, "high": high, "interval": how,
        "chance": chance(o, protocol.metric),
        "scores": {m: _number(score(o, m)) for m in metrics_for(o.continuous)},
        "seconds": round(facts.seconds, 3), "purged": facts.purged, "streamed_equals_offline": facts.same,
    }  # fmt: skip
    if not o.continuous:
        p, each = accuracy(o), facts.trial_seconds + protocol.pause
        values |= {
            "n_classes": len(o.names), "undecided": int((decided(o) < 0).sum()), "trial_seconds": facts.trial_seconds,
            "itr_bits_per_min": wolpaw(p, len(o.names)) * 60 / each if each else None,
        }  # fmt: skip
    if isinstance(pipeline, PeerPipeline):
        values["note"] = pipeline.what.note
        values["against"] = list(pipeline.against)
        values["libraries"] = pipeline.what.versions()
    return Row(values | facts.extra, o)


def _number(x: float) -> float | None:
    return None if np.isnan(x) else x
