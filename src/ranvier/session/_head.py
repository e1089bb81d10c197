"""What a recording says of the session that makes it: enough to run it again to the bit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ranvier.act import guard_table
from ranvier.channels import Pick, Scale
from ranvier.session._fingerprint import fingerprint
from ranvier.stage import Chain, Parallel, Run, Stage, as_tuple, to_table
from ranvier.stream import info_to_table

OUTPUT = "output"  # name of the stream of what the graph puts out


def head_of(session: Any, run: Run | None) -> dict[str, Any]:
    """Return the head of a recording of a session whose sources are open."""
    sources = {
        name: {"type": type(s).__name__, "settings": s.settings, "entrance": to_table(s.entrance)}
        for name, s in session.sources.items()
    }
    head: dict[str, Any] = {
        "device": sources,
        "entities": session.head,
        "session": {
            "environment": fingerprint(), "cores": session.cores, "host": asdict(session.host),
            "budget": None if session.budget is None else asdict(session.budget),
            "guard": None if session.guard is None else guard_table(session.guard.within(session.actuator.limits)),
            "actuator": None if session.actuator is None else type(session.actuator).__name__,
        },
    }  # fmt: skip
    if session.labels:
        head["session"]["events"] = info_to_table(session.events)
    if run is not None:
        head["ids"] = {"graph": run.stage.id, "model": session.graph.id, "exactness": run.stage.tags.exactness}
    return head


def output_of(run: Run | None) -> dict[str, Any]:
    """Return the description of what the graph puts out first, by its name in the recording."""
    return {} if run is None else {OUTPUT: info_to_table(as_tuple(run.info)[0])}


def stored_of(entrance: Stage) -> dict[str, Any]:
    """Return gain and unit by which a recording makes of counts what the entrance makes of them.

    Where channels differ in unit, the entrance ends with a branch for each stretch of channels of one unit.
    """
    for part in entrance.stages if isinstance(entrance, Chain) else (entrance,):
        if isinstance(part, Scale):
            return {"gain": part.gain, "unit": part.unit}
        if isinstance(part, Parallel) and all(branches := [_branch(b) for b in part.branches]):
            gains, units = zip(*[pair for branch in branches for pair in branch], strict=True)
            return {"gain": gains, "unit": units}
    return {"gain": None, "unit": None}


def _branch(branch: Stage) -> list[tuple[float, str]]:
    """Return gain and unit of each channel of ``Pick(names) | Scale``; nothing of anything else."""
    match branch:
        case Chain(stages=(Pick(what=tuple(names)), Scale(gain=gain, unit=unit))):
            gains = gain if isinstance(gain, tuple) else (gain,) * len(names)
            return [(g, unit) for g in gains]
    return []
