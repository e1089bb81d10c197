"""Unit: what is split by itself, asked of one pipeline: one row a subject and session."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from ranvier.evaluate._ask_targets import ask_targets
from ranvier.evaluate._ask_trials import ask_trials, part_of
from ranvier.evaluate._protocol import PeerPipeline, Pipeline, Protocol
from ranvier.evaluate._rows import Row, make_row
from ranvier.evaluate._table import Table
from ranvier.stream import Recording, Targets


@dataclass(frozen=True, eq=False)
class Unit:
    """Recordings that are split by themselves.

    Parameters
    ----------
    recordings
        In the order of time.
    names
        What each is called in rows.
    table
        The trials in them; or
    targets
        what is to be followed in each.
    """

    recordings: tuple[Recording, ...]
    names: tuple[str, ...]
    table: Table | None = None
    targets: tuple[Targets, ...] = ()


def ask(protocol: Protocol, pipeline: Pipeline | PeerPipeline, unit: Unit) -> list[Row]:
    """Fit and test one pipeline on one unit."""
    begun = perf_counter()
    if unit.table is None:
        outcome, facts = ask_targets(protocol, pipeline, unit.recordings, unit.targets)
        rows = [_entity(unit.recordings[r]) for r in outcome.place[:, 0]]
        outcome = replace(outcome, place=outcome.place[:, 1])
    else:
        table = part_of(unit.table, pipeline, [r.n_samples for r in unit.recordings])
        outcome, facts = ask_trials(protocol, pipeline, unit.recordings, table)
        rows = [(str(table.subject[t]), str(table.session[t])) for t in outcome.place]
    facts.seconds = perf_counter() - begun
    out = []
    for who in dict.fromkeys(rows):
        mine = np.array([w == who for w in rows])
        part = outcome.take(mine)
        names = [n for n, r in zip(unit.names, unit.recordings, strict=True) if _entity(r) == who]
        if protocol.speller and unit.table is not None:
            facts.extra["letters"] = protocol.speller.letters(table, part, protocol.pause)
        out.append(make_row(protocol, pipeline, *who, names, part, facts))
    return out


def _entity(rec: Recording) -> tuple[str, str]:
    return rec.entities.subject, rec.entities.session
