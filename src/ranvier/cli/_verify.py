"""ranvier verify: whether every byte of a recording is sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ranvier.cli._output import Json, console, emit, line, progress, table

SHOWN = 20  # places of damage that are listed; --json has all


def verify(
    recording: Annotated[Path, typer.Argument(help="A recording (a folder that ends in .rvr).")], json: Json = False
) -> None:
    """Look at every byte of a .rvr recording; exit 1 where something is damaged, 0 where not (2: no such recording)."""
    from ranvier import record

    size = sum(p.stat().st_size for p in recording.rglob("*") if p.is_file()) if recording.is_dir() else None
    with progress(f"verifying {recording.name}", size) as advance:
        report = record.verify(recording, advance)
    if json:
        emit("verify", report.as_dict())
    else:
        _show(recording, report)
    if not report.clean:
        raise typer.Exit(1)


def _show(path: Path, report: Any) -> None:
    out = console()
    total = sum(report.bytes.values())
    state = "closed" if report.closed else "not closed: it is being written, or its writer was interrupted"
    out.print(line((path.name, "bold"), f"  {total:,} bytes, {state}"))
    rows = [(s["name"], s["samples"], s["first"], s["stop"], len(s["gaps"])) for s in report.streams]
    numbers = ("samples", "from", "to", "gaps")
    out.print(table("stream", *numbers, rows=rows, right=numbers))
    if report.notes:
        out.print(line("notes  ", (", ".join(f"{n} {kind}" for kind, n in report.notes.items()), "dim")))
    out.print(line("bytes  ", (", ".join(f"{n:,} {kind}" for kind, n in report.bytes.items()), "dim")))
    for word, style, places in (("torn", "yellow", report.torn), ("damage", "red", report.damage)):
        for p in places[:SHOWN]:
            out.print(line((f"{word:<7}", style), f"{p.file}, byte {p.at}, {p.length} bytes: {p.what}"))
        if len(places) > SHOWN:
            out.print(line((f"{word:<7}", style), f"and {len(places) - SHOWN} more (--json)"))
    if report.clean:
        out.print(line(("every byte is sound", "bold green"), " or was never finished" if report.torn else ""))
    else:
        verdict = (f"{len(report.damage)} places are damaged", "bold red")
        out.print(line(verdict, "; open it with partial=True for the rest"))
