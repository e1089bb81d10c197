"""How a graph is joined to the entrances of its sources: the same way live and in replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ranvier.acquire import MarkerSource
from ranvier.act import Map
from ranvier.denoise import Integrity
from ranvier.errors import ContractError
from ranvier.features import Epoch
from ranvier.stage import Align, Chain, Graph, Node, Parallel, Stage, chain

LAG = 0.1  # s by which markers come later than their watermark at most, while the loop keeps up


def split(graph: Stage) -> tuple[Stage, Map | None]:
    """Return what decides, and the map from decision to command that ends a chain; None where there is none."""
    if isinstance(graph, Chain) and isinstance(graph.stages[-1], Map):
        return chain(*graph.stages[:-1]), graph.stages[-1]
    if isinstance(graph, Map):
        raise ContractError(
            "Session needs something that decides before act.Map; got a Map alone. Write decoder | Map."
        )
    return graph, None


def entered(entrances: Sequence[Stage], graph: Stage) -> Stage:
    """Return a graph behind the entrances of its signal ports, one each, in order.

    A graph that begins with an `Integrity` of its own replaces the one of its source.
    """
    ports = [p for p in graph.inputs if p.kind == "signal"]
    if len(ports) != len(entrances):
        raise ContractError(
            f"Session needs one source for each signal of its graph; got {len(entrances)} for {len(ports)} "
            f"({', '.join(p.name for p in ports)}). Name a source for each."
        )
    if len(ports) == 1:
        return chain(*_without_second(entrances[0], graph), graph)
    nodes = [Node(f"entrance {p.name}", e, (p.name,)) for p, e in zip(ports, entrances, strict=True)]
    inside = tuple(f"entrance {p.name}" if p.kind == "signal" else p.name for p in graph.inputs)
    results = tuple(f"graph.{p.name}" for p in graph.outputs)
    return Graph(tuple(graph.inputs), (*nodes, Node("graph", graph, inside)), results)


def _without_second(entrance: Stage, graph: Stage) -> tuple[Stage, ...]:
    first = graph.stages[0] if isinstance(graph, Chain) else graph
    parts = entrance.stages if isinstance(entrance, Chain) else (entrance,)
    return tuple(p for p in parts if not (isinstance(first, Integrity) and isinstance(p, Integrity)))


def walk(stage: Stage, path: str = "") -> Iterator[tuple[str, Stage]]:
    """Yield a stage and all that are in it, each with its path, as `Run.control` takes it."""
    yield path, stage
    inside: list[tuple[str, Stage]] = []
    if isinstance(stage, Chain):
        inside = [(str(i), s) for i, s in enumerate(stage.stages)]
    elif isinstance(stage, Parallel):
        inside = [(str(i), s) for i, s in enumerate(stage.branches)]
    elif isinstance(stage, Graph):
        inside = [(n.name, n.stage) for n in stage.nodes]
    for name, s in inside:
        yield from walk(s, f"{path}/{name}" if path else name)


def need_patience(graph: Stage, markers: Mapping[str, MarkerSource]) -> None:
    """Refuse a graph that gives up on events before the last of them may have come: it would leave out all of them."""
    wait = max((m.watermark for m in markers.values()), default=0.0) + LAG
    epochs = [s for _, s in walk(graph) if isinstance(s, Epoch)]
    if markers and any(e.patience < wait for e in epochs):
        least = min(e.patience for e in epochs)
        raise ContractError(
            f"Session needs Epoch to wait for markers as long as they may take, {wait:g} s (their watermark and "
            f"{LAG:g} s); got patience={least:g} s. Give Epoch a longer patience, or the markers a shorter watermark."
        )


def find_align(graph: Stage) -> tuple[str, Any] | None:
    """Return the first `Align` of a graph with its path; None where there is none."""
    return next((found for found in walk(graph) if isinstance(found[1], Align)), None)


def lateness(align: tuple[str, Any] | None, names: Sequence[str]) -> list[float]:
    """Return the time of sample 0 of each signal of a graph after that of the first [s], as its `Align` has it."""
    late = dict(zip(align[1].names, align[1].offsets, strict=True)) if align else {}
    return [late.get(name, 0.0) for name in names]
