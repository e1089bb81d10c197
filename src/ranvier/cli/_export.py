"""ranvier export: a recording in a format that others read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ranvier.cli._files import PartialOption, StreamOption, open_recording
from ranvier.cli._output import Json, console, duration, emit, line, progress

To = Annotated[
    str, typer.Option("--to", help="xdf, edf (16 bit), bdf (24 bit), nwb or bids; else by the end of --out.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="File, or root of the BIDS data set; beside the recording unless given."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Said = Annotated[str | None, typer.Option(help="BIDS: where the recording does not say it.")]
Line = Annotated[float | None, typer.Option("--line-frequency", help="BIDS: of the mains (Hz).")]


def export(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    to: To = "",
    out: Out = None,
    force: Force = False,
    stream: StreamOption = None,
    partial: PartialOption = False,
    subject: Said = None,
    session: Said = None,
    task: Said = None,
    run: Said = None,
    line_frequency: Line = None,
    json: Json = False,
) -> None:
    """Write a recording as XDF, EDF+, BDF+, NWB or BIDS, with its events and decisions; says what is not exact."""
    from ranvier import record
    from ranvier.errors import ConfigError

    if not to and out is None:
        raise ConfigError(f"export needs a format; got none. Run: ranvier export {file} --to edf")
    rec = open_recording(file, stream, partial)
    where = out or (file.parent / "bids" if to == "bids" else file.with_suffix(f".{to}"))
    said = {"subject": subject, "session": session, "task": task, "run": run, "line_frequency": line_frequency}
    options = {k: v for k, v in said.items() if v is not None}
    with progress(f"export {file.name}", float(rec.n_samples)) as advance:
        done = record.export(rec, where, to, force=force, advance=advance, **options)
    if json:
        emit("export", {"file": str(file), "to": to or where.suffix[1:], "out": str(where), **done._asdict()})
        return
    show = console()
    length = duration(done.n_samples / float(rec.info.rate))
    show.print(line((str(where), "bold"), f"  {rec.info.n_channels} channels, {length}, {done.n_events} events"))
    for note in (*rec.notes, *done.notes):
        show.print(line(("note   ", "cyan"), note))
