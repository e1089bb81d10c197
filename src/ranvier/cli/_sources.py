"""ranvier sources: what can be recorded from now."""

from __future__ import annotations

from typing import Annotated

import typer

from ranvier.cli._output import Json, console, emit, line, progress, table


def sources(
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, max=60.0, help="How long to look for each kind (s).")
    ] = 1.0,
    json: Json = False,
) -> None:
    """List what can be found now: serial ports, LSL streams, devices on this machine; and every kind of source."""
    from ranvier import acquire

    with progress("looking"):
        found, failed = acquire.sources(timeout)
    kinds = sorted(acquire.schemes())
    if json:
        emit("sources", {"sources": [f._asdict() for f in found], "schemes": kinds, "not_looked": failed})
        return
    out = console()
    if found:
        out.print(table("source", "name", "what", rows=found))
    else:
        out.print(line("Nothing was found. "), line("Switch a device on, or try brainflow:synthetic."))
    for scheme, why in failed.items():
        out.print(line((f"{scheme}: ", "bold"), why))
    out.print(line(("kinds: ", "dim"), ", ".join(kinds)))
