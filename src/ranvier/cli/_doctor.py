"""ranvier doctor: does this machine, with this device and graph, hold what a session needs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ranvier.cli._output import Json, aside, console, emit, line, progress, table
from ranvier.errors import StateError

COLOURS = {"good": "green", "doubtful": "yellow", "bad": "bold red"}


def doctor(
    file: Annotated[Path | None, typer.Argument(help="A session file; the machine alone unless given.")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="Planned length of the recording (min).")] = 60.0,
    folder: Annotated[Path | None, typer.Option("--folder", help="Where the recording would go.")] = None,
    set_: Annotated[list[str], typer.Option("--set", help="Another value of the session file: KEY=VALUE.")] = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Examine timer, disk, memory, device and graph in under ten seconds; exit with 1 if something is bad."""
    from ranvier.session import load_session

    session = None
    if file is not None:
        from ranvier.cli._files import need_file

        session = load_session(need_file(file, "ranvier doctor"), set_)
    found = _examine(session, folder, minutes)
    worst = _worst(found)
    if json:
        emit("doctor", {"status": worst, "findings": [asdict(f) for f in found]})
    else:
        _show(console(), found)
    if worst == "bad":
        raise typer.Exit(1)


def demand(session: Any, minutes: float) -> None:
    """Examine a session before it starts, and refuse to start it if something is bad."""
    found = _examine(session, None, minutes)
    if _worst(found) != "good":
        _show(aside(), [f for f in found if f.status != "good"])
    if _worst(found) == "bad":
        bad = "; ".join(f"{f.what}: {f.found}, needed {f.needed}" for f in found if f.status == "bad")
        raise StateError(
            f"The session demands a machine that holds; got {bad}. See ranvier doctor, or leave out [doctor]."
        )


def _examine(session: Any, folder: Path | None, minutes: float) -> list[Any]:
    from ranvier.session import doctor as examine

    with progress("examining") as advance:
        return examine(session, folder, minutes, lambda what: advance(0, what=f"examining {what}"))


def _worst(found: list[Any]) -> str:
    return next((s for s in ("bad", "doubtful") if any(f.status == s for f in found)), "good")


def _show(out: Any, found: list[Any]) -> None:
    rows = [(f.what, line((f.status, COLOURS[f.status])), f.found, f.needed) for f in found]
    out.print(table("", "", "found", "needed", rows=rows))
    for f in found:
        if f.status != "good" and f.advice:
            out.print(line((f"{f.what}: ", COLOURS[f.status]), f.advice))
