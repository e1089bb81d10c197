"""ranvier bench: measure on this machine what docs/benchmarks.md shows."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer

from ranvier.cli._output import Json, aside, console, emit, line, table
from ranvier.errors import ConfigError

# name -> what it measures, and the function: no argument, returns {"rows": [flat tables], "notes": [texts]}
BENCHES: dict[str, tuple[str, str]] = {
    "start": ("what it takes to import, to start and to make the first decision", "ranvier.cli._bench_start:start"),
    "blocks": ("time a block through the shipped pipelines", "ranvier.cli._bench_blocks:blocks"),
}


def bench(
    name: Annotated[str | None, typer.Argument(help="Which one; without a name, they are listed.")] = None,
    json: Json = False,
) -> None:
    """Measure speed on this machine: list the benchmarks, or run one."""
    if name is None:
        listed = [{"name": n, "what": what} for n, (what, _) in BENCHES.items()]
        if json:
            emit("bench", {"benches": listed})
        else:
            console().print(table("benchmark", "measures", rows=[(b["name"], b["what"]) for b in listed]))
        return
    if name not in BENCHES:
        raise ConfigError(f"bench needs one of {', '.join(BENCHES)}; got {name!r}. Mend the name.")
    what, place = BENCHES[name]
    aside().print(line((f"measuring {what} ...", "dim")))
    module, _, function = place.partition(":")
    found: dict[str, Any] = getattr(import_module(module), function)()
    found = {"name": name, "what": what, "rows": [], "notes": [], "environment": _environment(), **found}
    if json:
        emit("bench", found)
        return
    out = console()
    if found["rows"]:
        columns = list(dict.fromkeys(k for r in found["rows"] for k in r))
        cells = [[_cell(r.get(c, "")) for c in columns] for r in found["rows"]]
        numbers = [c for c in columns if any(isinstance(r.get(c), int | float) for r in found["rows"])]
        out.print(table(*columns, rows=cells, right=numbers))
    for note in found["notes"]:
        out.print(line((note, "dim")))
    out.print(line((", ".join(f"{k} {v}" for k, v in found["environment"].items()), "dim")))


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _environment() -> dict[str, Any]:
    import os
    import platform
    from importlib.metadata import version

    versions = {name: version(name) for name in ("ranvier", "numpy", "numba")}
    return {"machine": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version(), **versions}
