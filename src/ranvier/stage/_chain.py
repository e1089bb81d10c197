"""Chain: stages in sequence, ``a | b``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

from ranvier.errors import ContractError
from ranvier.stage._compose import check_ports, combine_tags, describe_infos, union_ports, wire
from ranvier.stage._plan import make_plan
from ranvier.stage._stage import Port, Stage, Tags, as_tuple
from ranvier.stage._state import State
from ranvier.stream import Info


@final
@dataclass(frozen=True, eq=False)
class Chain(Stage):
    """Stages one after the other; made by ``a | b``, which flattens.

    What a stage puts out goes into the first ports of the next; ports that are left over (the events
    of an `Epoch`) become ports of the chain.

    Parameters
    ----------
    stages
        In the order of the data's way.
    """

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        if not self.stages:
            raise ContractError("Chain needs at least one stage; got none. Write a | b.")
        for a, b in zip(self.stages, self.stages[1:], strict=False):
            check_ports(type(b).__name__, b.inputs[: len(a.outputs)], a.outputs)

    @cached_property
    def inputs(self) -> tuple[Port, ...]:  # type: ignore[override]
        pairs = zip(self.stages, self.stages[1:], strict=False)
        return union_ports(self.stages[0].inputs, (b.inputs[len(a.outputs) :] for a, b in pairs))

    @cached_property
    def outputs(self) -> tuple[Port, ...]:  # type: ignore[override]
        return self.stages[-1].outputs

    @cached_property
    def tags(self) -> Tags:  # type: ignore[override]
        return combine_tags(self.stages)

    def infos(self, *infos: Info) -> list[tuple[Info, ...]]:
        """Return what goes into each stage, and last what comes out of the chain."""
        named = describe_infos(self, infos)
        flow: tuple[Any, ...] = ()
        out = []
        for stage in self.stages:
            given = wire(stage.inputs, named, flow)
            out.append(given)
            flow = as_tuple(stage.describe(*given))
        return [*out, flow]

    def describe(self, *infos: Info) -> Any:
        flow = self.infos(*infos)[-1]
        return flow if len(flow) > 1 else flow[0]

    def allocate(self, *infos: Info) -> State:
        given = self.infos(*infos)[:-1]
        return State(None, {str(i): s.allocate(*g) for i, (s, g) in enumerate(zip(self.stages, given, strict=True))})

    def bind(self, state: State, *infos: Info) -> None:
        """Plan, and compile the loops; anew after a stage and its state were exchanged."""
        state.design = make_plan(self.stages, self.infos(*infos)[:-1], tuple(state.children.values()))

    def init(self, *infos: Info) -> State:
        state = self.allocate(*infos)
        self.bind(state, *infos)
        return state

    def process(self, state: State, *chunks: Any) -> Any:
        if state.design.straight:
            (out,) = chunks
            for part in state.design.parts:
                out = part(out)
            return out
        named = {p.name: c for p, c in zip(self.inputs, chunks, strict=True)}
        flow: tuple[Any, ...] = ()
        for part in state.design.parts:
            flow = as_tuple(part(*wire(part.inputs, named, flow)))
        return flow if len(flow) > 1 else flow[0]


def chain(*stages: Stage) -> Stage:
    """Put stages in sequence, flattening chains; one stage stays what it is."""
    flat: list[Stage] = []
    for s in stages:
        flat += s.stages if isinstance(s, Chain) else (s,)
    return flat[0] if len(flat) == 1 else Chain(tuple(flat))
