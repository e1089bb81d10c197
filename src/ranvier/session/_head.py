"""What a recording says of the session that makes it: enough to run it again to the bit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ranvier.act import guard_table
from ranvier.channels import Scale
from ranvier.session._fingerprint import fingerprint
from ranvier.stage import Chain, Run, Stage, as_tuple, to_table
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
    """Return gain and unit by which a recording makes of counts what the entrance makes of them."""
    parts = entrance.stages if isinstance(entrance, Chain) else (entrance,)
    scale = next((p for p in parts if isinstance(p, Scale)), None)
    return {"gain": None, "unit": None} if scale is None else {"gain": scale.gain, "unit": scale.unit}
