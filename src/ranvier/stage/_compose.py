"""What chains, parallels and graphs share: ports that are wired by name, tags that add up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ranvier.errors import ContractError
from ranvier.stage._stage import Port, Stage, Tags
from ranvier.stream import EventInfo, Events, Info

_ORDER = ("portable", "exact", "bounded")


def combine_tags(stages: Iterable[Stage]) -> Tags:
    """Return what holds for all stages together: the weakest exactness, linear only if all are."""
    tags = [s.tags for s in stages]
    return Tags(
        exactness=max((t.exactness for t in tags), key=_ORDER.index),
        bound=sum(t.bound for t in tags),
        linear=all(t.linear for t in tags),
        permutable=all(t.permutable for t in tags),
        recursive=any(t.recursive for t in tags),
    )


def kind_of(chunk_or_info: Any) -> str:
    """Say whether a chunk, an info or a port is of a signal or of events."""
    if isinstance(chunk_or_info, Port):
        return chunk_or_info.kind
    return "events" if isinstance(chunk_or_info, EventInfo | Events) else "signal"


def check_ports(who: str, ports: Sequence[Port], given: Sequence[Any]) -> None:
    """Refuse chunks, infos or ports that are too few, too many, or of the wrong kind for the ports."""
    wanted = ", ".join(f"{p.name} ({p.kind})" for p in ports)
    if len(given) != len(ports):
        raise ContractError(f"{who} needs {len(ports)} input(s): {wanted}; got {len(given)}. Give one for each port.")
    for port, x in zip(ports, given, strict=True):
        if kind_of(x) != port.kind:
            raise ContractError(
                f"{who} needs {port.kind} at its port {port.name!r}; got {kind_of(x)}. "
                f"Give its inputs in this order: {wanted}."
            )


def union_ports(first: Sequence[Port], more: Iterable[Sequence[Port]]) -> tuple[Port, ...]:
    """Return ports without repeating names, in order of first appearance."""
    ports = {p.name: p for p in first}
    for others in more:
        for p in others:
            ports.setdefault(p.name, p)
    return tuple(ports.values())


def wire(ports: Sequence[Port], named: dict[str, Any], flow: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    """Return what goes into `ports`: what flows from the stage before, then what is named from outside."""
    return flow + tuple(named[p.name] for p in ports[len(flow) :])


def describe_infos(who: Stage, infos: Sequence[Info]) -> dict[str, Info]:
    """Check infos against a stage's ports and return them by port name."""
    check_ports(type(who).__name__, who.inputs, infos)
    return {p.name: i for p, i in zip(who.inputs, infos, strict=True)}
