"""Graph: an ordered table of named nodes with typed ports."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

from ranvier.errors import ContractError
from ranvier.stage._compose import check_ports, combine_tags, describe_infos
from ranvier.stage._stage import Port, Stage, Tags, as_tuple
from ranvier.stage._state import State
from ranvier.stream import Info


@dataclass(frozen=True, eq=False)
class Node:
    """A stage with a name, and where its inputs come from.

    Parameters
    ----------
    name
        Unique in the graph.
    stage
        What it does.
    inputs
        For each port of the stage: an input of the graph, a node above, or ``node.port`` of one with
        several outputs.
    """

    name: str
    stage: Stage
    inputs: tuple[str, ...]


@final
@dataclass(frozen=True, eq=False)
class Graph(Stage):
    """Stages wired by name, evaluated from the top of the table to its end.

    Parameters
    ----------
    ports
        Inputs of the graph: ``Port(name, "signal" | "events")``.
    nodes
        The table; a node may use what stands above it only.
    results
        What comes out: names of nodes, or ``node.port``.
    """

    ports: tuple[Port, ...]
    nodes: tuple[Node, ...]
    results: tuple[str, ...]

    def __post_init__(self) -> None:
        kinds = {p.name: p.kind for p in self.ports}
        for node in self.nodes:
            who = f"Graph node {node.name!r}"
            if node.name in kinds:
                raise ContractError(f"{who} needs a name of its own; {node.name!r} is taken. Rename it.")
            if "." in node.name:
                raise ContractError(f"{who} needs a name without a dot, which names ports. Rename it.")
            for source in node.inputs:
                if source not in kinds:
                    raise ContractError(
                        f"{who} needs inputs that stand above it; got {source!r}, known are "
                        f"{', '.join(kinds)}. Mend the name or move the node down."
                    )
            check_ports(who, node.stage.inputs, [Port(s, kinds[s]) for s in node.inputs])
            kinds[node.name] = node.stage.outputs[0].kind
            kinds |= {f"{node.name}.{p.name}": p.kind for p in node.stage.outputs}
        for name in self.results:
            if name not in kinds:
                raise ContractError(
                    f"Graph needs results that exist; got {name!r}, known are {', '.join(kinds)}. Mend the name."
                )

    @cached_property
    def inputs(self) -> tuple[Port, ...]:  # type: ignore[override]
        return self.ports

    @cached_property
    def outputs(self) -> tuple[Port, ...]:  # type: ignore[override]
        kinds = {f"{n.name}.{p.name}": p.kind for n in self.nodes for p in n.stage.outputs}
        kinds |= {n.name: n.stage.outputs[0].kind for n in self.nodes} | {p.name: p.kind for p in self.ports}
        return tuple(Port(name, kinds[name]) for name in self.results)

    @cached_property
    def tags(self) -> Tags:  # type: ignore[override]
        return combine_tags(n.stage for n in self.nodes)

    def infos(self, *infos: Info) -> dict[str, Info]:
        """Return what flows on every wire."""
        wires = describe_infos(self, infos)
        for node in self.nodes:
            self._put(wires, node, node.stage.describe(*[wires[s] for s in node.inputs]))
        return wires

    @staticmethod
    def _put(wires: dict[str, Any], node: Node, out: Any) -> None:
        outs = as_tuple(out)
        wires[node.name] = outs[0]
        for port, x in zip(node.stage.outputs, outs, strict=True):
            wires[f"{node.name}.{port.name}"] = x

    def _results(self, wires: dict[str, Any]) -> Any:
        out = tuple(wires[name] for name in self.results)
        return out if len(out) > 1 else out[0]

    def describe(self, *infos: Info) -> Any:
        return self._results(self.infos(*infos))

    def init(self, *infos: Info) -> State:
        wires = self.infos(*infos)
        return State(children={n.name: n.stage.init(*[wires[s] for s in n.inputs]) for n in self.nodes})

    def process(self, state: State, *chunks: Any) -> Any:
        wires: dict[str, Any] = {p.name: c for p, c in zip(self.ports, chunks, strict=True)}
        for node in self.nodes:
            out = node.stage.process(state.children[node.name], *[wires[s] for s in node.inputs])
            self._put(wires, node, out)
        return self._results(wires)
