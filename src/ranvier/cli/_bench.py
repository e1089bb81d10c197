"""ranvier bench: measure on this machine what docs/benchmarks.md shows."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer

from ranvier.cli._output import Json, aside, console, emit, line, table
from ranvier.errors import ConfigError

# Beside those of ranvier.evaluate.bench: name -> what it measures, and the function; like theirs it takes Options and
# whom to tell of its progress, and returns {"rows": [flat tables], "notes": [texts]}
MORE: dict[str, tuple[str, str]] = {
    "start": ("what it takes to import, to start and to make the first decision", "ranvier.cli._bench_start:start"),
    "blocks": ("time a block through the shipped pipelines", "ranvier.cli._bench_blocks:blocks"),
}


WIDE = 10  # columns of a table


def bench(
    name: Annotated[str | None, typer.Argument(help="Which one, or all; without a name, they are listed.")] = None,
    channels: Annotated[int | None, typer.Option("--channels", help="How many (implant, eeg, ring, running).")] = None,
    block_ms: Annotated[
        str | None,
        typer.Option("--block-ms", help="Lengths of blocks, with commas: 1,5,20 (implant, eeg, ring, running)."),
    ] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help="Data to run over.")] = None,
    peers: Annotated[
        str | None, typer.Option("--peers", help="Who does the job beside us: scipy,ezmsg or pipe,pyzmq; or none.")
    ] = None,
    cores: Annotated[
        int | None, typer.Option("--cores", help="Threads that our engine may use (implant, running).")
    ] = None,
    masked: Annotated[
        bool | None, typer.Option("--masked/--no-masked", help="With Integrity and 1 % invalid samples too (implant).")
    ] = None,
    turns: Annotated[int | None, typer.Option("--turns", help="How often everything is timed.")] = None,
    json: Json = False,
) -> None:
    """Measure speed on this machine: list the benchmarks, or run one, or all."""
    from ranvier.evaluate.bench import BENCHES, Options

    whats = {n: what for n, (what, _) in (*BENCHES.items(), *MORE.items())}
    if name in (None, "list"):
        if json:
            emit("bench", {"benches": [{"name": n, "what": what} for n, what in whats.items()]})
        else:
            console().print(table("benchmark", "measures", rows=whats.items()))
        return
    if name != "all" and name not in whats:
        raise ConfigError(f"bench needs one of {', '.join(whats)}, all, list; got {name!r}. Mend the name.")
    given = {
        "channels": channels, "block_ms": _numbers(block_ms), "seconds": seconds, "peers": _names(peers),
        "turns": turns, "cores": cores, "masked": masked,
    }  # fmt: skip
    options = Options(**{k: v for k, v in given.items() if v is not None})
    with _peers_aside():
        found = [_measure(n, what, options) for n, what in whats.items() if name in ("all", n)]
    if json:
        emit("bench", {"results": found} if name == "all" else found[0])
        return
    for one in found:
        _show(one)


@contextmanager
def _peers_aside() -> Iterator[None]:
    """Let what peers and their processes print go to standard error: standard output is for what was measured."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _measure(name: str, what: str, options: Any) -> dict[str, Any]:
    from ranvier.evaluate.bench import BENCHES

    def tell(text: str) -> None:
        aside().print(line((text, "dim")))

    tell(f"measuring {what} ...")
    if name in BENCHES:
        return {"name": name, "what": what, **BENCHES[name][1](options, tell)}
    module, _, function = MORE[name][1].partition(":")
    found = getattr(import_module(module), function)(options, tell)
    return {"name": name, "what": what, **found, "environment": _environment()}


def _show(found: dict[str, Any]) -> None:
    from ranvier.evaluate.bench import BENCHES, sentences, tables

    out = console()
    if found["name"] in BENCHES:
        for heads, rows in tables(found):
            out.print(table(*heads, rows=rows))
        notes = sentences(found)
    else:
        columns = list(dict.fromkeys(k for r in found["rows"] for k in r))
        if len(columns) > WIDE:  # a column a row then
            head, *rest = columns
            rows = [[c, *(_cell(r.get(c, "")) for r in found["rows"])] for c in rest]
            names = [str(r[head]) for r in found["rows"]]
            out.print(table(head, *names, rows=rows, right=names))
            columns = []
        cells = [[_cell(r.get(c, "")) for c in columns] for r in found["rows"]]
        numbers = [c for c in columns if any(isinstance(r.get(c), int | float) for r in found["rows"])]
        if columns:
            out.print(table(*columns, rows=cells, right=numbers))
        notes = [*found["notes"], ", ".join(f"{k} {v}" for k, v in found["environment"].items())]
    for note in notes:
        out.print(line((note, "dim")))


def _numbers(text: str | None) -> tuple[float, ...] | None:
    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"bench needs --block-ms as numbers with commas; got {text!r}. Write 1,5,20.") from None


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else () if text == "none" else tuple(part.strip() for part in text.split(","))


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _environment() -> dict[str, Any]:
    import os
    import platform
    from importlib.metadata import version

    versions = {name: version(name) for name in ("ranvier", "numpy", "numba")}
    return {"machine": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version(), **versions}
