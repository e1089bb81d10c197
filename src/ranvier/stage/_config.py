"""Pipelines as plain tables, for TOML and for model files; every error names the key."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import numpy as np

from ranvier.errors import ConfigError, ContractError
from ranvier.stage._chain import Chain, chain
from ranvier.stage._contract import Contract
from ranvier.stage._graph import Graph, Node
from ranvier.stage._parallel import Parallel
from ranvier.stage._registry import name_of, resolve
from ranvier.stage._stage import Port, Stage
from ranvier.stage._trainable import Recipe, Trainable, recipe

SCHEMA = 1
Arrays = dict[str, np.ndarray[Any, Any]]


def to_table(stage: Stage | Trainable, arrays: Arrays | None = None) -> dict[str, Any]:
    """Return a pipeline as a plain table; learned arrays go to `arrays` and are named ``@0`` in the table."""
    if isinstance(stage, Graph):
        nodes = [{"name": n.name, "inputs": list(n.inputs), "stage": _steps(n.stage, arrays)} for n in stage.nodes]
        return {
            "schema": SCHEMA, "results": list(stage.results), "ports": {p.name: p.kind for p in stage.ports},
            "node": nodes,
        }  # fmt: skip
    return {"schema": SCHEMA, "stage": _steps(stage, arrays)}


def _steps(stage: Any, arrays: Arrays | None) -> list[dict[str, Any]]:
    steps = stage.stages if isinstance(stage, Chain) else stage.steps if isinstance(stage, Recipe) else (stage,)
    return [_step(s, arrays) for s in steps]


def _step(stage: Any, arrays: Arrays | None) -> dict[str, Any]:
    if isinstance(stage, Parallel):
        return {"use": "Parallel", "branch": [{"stage": _steps(b, arrays)} for b in stage.branches]}
    if isinstance(stage, Graph):
        raise ConfigError("A graph cannot stand inside a chain in a file. Write its nodes into the outer graph.")
    return {"use": name_of(stage), **plain_fields(stage, arrays)}


def plain_fields(thing: Any, arrays: Arrays | None) -> dict[str, Any]:
    """Return the parameters that differ from their defaults, as plain values."""
    out: dict[str, Any] = {}
    for f in fields(thing):
        value = getattr(thing, f.name)
        if value is not None and not (f.default is not MISSING and _same(value, f.default)):
            out[f.name] = _plain(value, arrays)
    return out


def _same(a: Any, b: Any) -> bool:
    return not isinstance(a, np.ndarray) and type(a) is type(b) and bool(a == b)


def _plain(value: Any, arrays: Arrays | None) -> Any:
    if isinstance(value, np.ndarray):
        if arrays is None:
            raise ConfigError("A fitted stage holds arrays, which do not fit into TOML. Save it as a model file.")
        name = f"@{len(arrays)}"
        arrays[name] = value
        return name
    if isinstance(value, Stage):
        return _step(value, arrays)
    if is_dataclass(value):
        return plain_fields(value, arrays)
    if isinstance(value, tuple | list):
        return [_plain(v, arrays) for v in value]
    return value


def from_table(table: Mapping[str, Any], arrays: Arrays | None = None) -> Any:
    """Return the stage, graph or recipe that a table describes; unknown keys are errors."""
    if not isinstance(table, Mapping):
        raise ConfigError(
            f"A pipeline needs a table; got {type(table).__name__}. Begin the file with schema = {SCHEMA}."
        )
    if table.get("schema") != SCHEMA or isinstance(table.get("schema"), bool):
        raise ConfigError(
            f"schema needs to be {SCHEMA}; got {table.get('schema')!r}. Begin the file with schema = {SCHEMA}."
        )
    if "node" in table:
        _known(table, {"schema", "ports", "node", "results"}, "")
        return _graph(table, arrays)
    _known(table, {"schema", "stage"}, "")
    return _sequence(table.get("stage"), "stage", arrays)


def _known(table: Any, keys: set[str], where: str) -> None:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where or 'the file'} needs a table; got {table!r}. Write [{where}] with keys below it.")
    for key in table:
        if key not in keys:
            raise ConfigError(
                f"{where + '.' if where else ''}{key} is not known here; known are {', '.join(sorted(keys))}. "
                "Mend or remove the key."
            )


def _sequence(steps: Any, where: str, arrays: Arrays | None) -> Any:
    if not isinstance(steps, list | tuple) or not steps:
        raise ConfigError(f"{where} needs a list of stages; got {steps!r}. Write [[{where}]] for each.")
    built = [_build(s, f"{where}[{i}]", arrays) for i, s in enumerate(steps)]
    return _checked(where, lambda: chain(*built) if all(isinstance(b, Stage) for b in built) else recipe(*built))


def _checked(where: str, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ContractError as e:
        raise ConfigError(f"{where}: {e}") from e


def _graph(table: Mapping[str, Any], arrays: Arrays | None) -> Graph:
    ports, nodes = table.get("ports", {}), []
    if not isinstance(ports, Mapping) or not ports or any(k not in ("signal", "events") for k in ports.values()):
        raise ConfigError(f'ports needs a table name = "signal" or "events"; got {ports!r}. Name each input.')
    if not isinstance(table["node"], list):
        raise ConfigError("node needs a list of tables. Write [[node]] for each.")
    for i, n in enumerate(table["node"]):
        where = f"node[{i}]"
        _known(n, {"name", "inputs", "stage"}, where)
        name, inputs = n.get("name"), n.get("inputs")
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{where}.name needs a text; got {name!r}. Give the node a name.")
        if not isinstance(inputs, list) or not all(isinstance(s, str) for s in inputs):
            raise ConfigError(f"{where}.inputs needs a list of names; got {inputs!r}. Name where its inputs come from.")
        stage = _sequence(n.get("stage"), f"{where}.stage", arrays)
        if not isinstance(stage, Stage):
            raise ConfigError(f"{where}.stage needs fitted stages; a graph holds no trainables. Fit it first.")
        nodes.append(Node(name, stage, tuple(inputs)))
    results = table.get("results")
    if not isinstance(results, list) or not results or not all(isinstance(r, str) for r in results):
        raise ConfigError(f"results needs a list of node names; got {results!r}. Say what comes out.")
    return _checked(  # type: ignore[no-any-return]
        "node", lambda: Graph(tuple(Port(k, v) for k, v in ports.items()), tuple(nodes), tuple(results))
    )


def _build(table: Any, where: str, arrays: Arrays | None) -> Any:
    if not isinstance(table, Mapping) or "use" not in table:
        raise ConfigError(f'{where}.use is missing; got {table!r}. Name the stage: use = "denoise.Bandpass".')
    if table["use"] == "Parallel":
        _known(table, {"use", "branch"}, where)
        branches = table.get("branch")
        if not isinstance(branches, list) or not branches:
            raise ConfigError(f"{where}.branch needs a list; got {branches!r}. Write [[{where}.branch]] for each.")
        built = []
        for i, b in enumerate(branches):
            _known(b, {"stage"}, f"{where}.branch[{i}]")
            built.append(_sequence(b.get("stage"), f"{where}.branch[{i}].stage", arrays))
        if not all(isinstance(b, Stage) for b in built):
            raise ConfigError(f"{where}.branch needs stages; got something to be fitted. Put trainables after it.")
        return Parallel(tuple(built))
    cls = resolve(table["use"], f"{where}.use")
    return build_dataclass(cls, {k: v for k, v in table.items() if k != "use"}, where, arrays)


def build_dataclass(cls: Any, table: Mapping[str, Any], where: str, arrays: Arrays | None = None) -> Any:
    """Make a dataclass from a table, checking every value against its annotation."""
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in fields(cls) if f.init}
    _known(table, set(known), where)
    values = {name: _coerce(v, hints[name], f"{where}.{name}", arrays) for name, v in table.items()}
    for name, f in known.items():
        if name not in values and f.default is MISSING and f.default_factory is MISSING:
            raise ConfigError(f"{where}.{name} is missing; {cls.__name__} needs it. Add the key.")
    return _checked(where, lambda: cls(**values))


def _coerce(value: Any, hint: Any, where: str, arrays: Arrays | None) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for option in args:
            try:
                return _coerce(value, option, where, arrays)
            except ConfigError:
                continue
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    elif (hint in (str, bool) and isinstance(value, hint)) or (origin is typing.Literal and value in args):
        return value
    elif hint is type(None) and value is None:
        return None
    elif origin is tuple and isinstance(value, list | tuple):
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_coerce(v, args[0], f"{where}[{i}]", arrays) for i, v in enumerate(value))
        if len(args) == len(value):
            return tuple(
                _coerce(v, a, f"{where}[{i}]", arrays) for i, (v, a) in enumerate(zip(value, args, strict=True))
            )
    elif origin is dict and isinstance(value, Mapping):
        return dict(value)
    elif (hint is np.ndarray or origin is np.ndarray) and arrays is not None and isinstance(value, str):
        if value in arrays:
            return arrays[value]
    elif hint is Contract and isinstance(value, Mapping):
        return build_dataclass(Contract, value, where)
    elif isinstance(hint, type) and issubclass(hint, Stage) and isinstance(value, Mapping):
        return _build(value, where, arrays)
    wanted = getattr(hint, "__name__", None) if not args else str(hint)
    raise ConfigError(f"{where} needs {wanted or hint}; got {value!r}. Mend the value.")
