"""ranvier clean: what is wrong with a recording, what that justifies, and what it does; a report to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ranvier.cli._files import PartialOption, StreamOption, open_pipeline, open_recording
from ranvier.cli._output import Json, _plain, console, duration, emit, line, progress, table

Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder for the report; FILE-clean where you are unless given."),
]
Pipeline = Annotated[
    Path | None, typer.Option("--pipeline", help="Run this pipeline (.toml, .rvm) instead of the proposed one.")
]
Stimulation = Annotated[
    float | None, typer.Option("--stimulation", help="Frequency of stimulation as set (Hz); looked for unless given.")
]
Force = Annotated[bool, typer.Option("--force", help="Write into a folder that holds something.")]
LEVELS = {
    "fault": ("to mend", "yellow"),
    "note": ("note", "cyan"),
    "good": ("fine", "green"),
    "unknown": ("not judged", "dim"),
}


def clean(
    file: Annotated[Path, typer.Argument(help="A recording.")],
    out: Out = None,
    pipeline: Pipeline = None,
    stimulation: Stimulation = None,
    force: Force = False,
    stream: StreamOption = None,
    partial: PartialOption = False,
    json: Json = False,
) -> None:
    """Inspect a recording, propose a cleaning pipeline with reasons, run it, and write a report with pictures."""
    from ranvier.evaluate import cleaning
    from ranvier.evaluate.cleaning import _folder as place

    rec = open_recording(file, stream, partial)
    folder = out or Path.cwd() / f"{file.stem}-clean"  # never among the recordings unless asked
    place.check_folder(folder, force)
    given = None if pipeline is None else open_pipeline(pipeline)
    with progress(f"looking at {file.name}", rec.n_samples * 8.0) as advance:
        asked = cleaning.recommend(
            rec, stimulation=stimulation, told=lambda n, what: advance(n, what=f"{what} {file.name}")
        )
    passes = rec.n_samples * (1.0 if given is None else 4.0)
    with progress(f"cleaning {file.name}", passes) as advance:
        done = cleaning.clean(rec, asked, given, advance)
        found = _found(file, folder, rec, asked, done, pipeline)
        commands = _commands(file, folder, done)
        page = cleaning.report(file.name, asked, done.cleaned, done.toml, commands, given is not None)
        model = done.cleaned.pipeline if done.learned else None
        provenance = {"file": file.name, "sha256": rec.digest(), "recipe_toml": done.toml}
        found["written"] = place.write_folder(
            folder, page, done.toml, model, provenance, _plain({"schema": 1, "verb": "clean", **found}), force
        )
    if json:
        emit("clean", found)
    else:
        _show(found, commands)


def _found(file: Path, folder: Path, rec: Any, asked: Any, done: Any, pipeline: Path | None) -> dict[str, Any]:
    info = done.cleaned.info
    return {
        "file": str(file), "sha256": rec.digest(), "out": str(folder),
        **asked.as_table(),
        "pipeline": "proposed" if pipeline is None else str(pipeline),
        "pipeline_id": done.cleaned.pipeline.id, "learned": done.learned,
        "delay": float(info.delay), "settle": info.settle / float(info.rate),
        "output_sha256": done.cleaned.digest,
        "channels": done.cleaned.channels(asked.seen.mains if asked.seen is not None else None),
    }  # fmt: skip


def _commands(file: Path, folder: Path, done: Any) -> list[str]:
    import shlex

    from ranvier.evaluate.cleaning import _folder as place

    name = place.MODEL if done.learned else place.TOML
    run = f"ranvier run {shlex.quote(str(folder / name))} {shlex.quote(str(file))} --out cleaned.npz"
    return ["# the cleaned signal, the same to the bit, as it would have come live", run]


def _show(found: dict[str, Any], commands: list[str]) -> None:
    show = console()
    show.print(line((Path(found["file"]).name, "bold"), f"  {found['findings'][0]['text']}"))
    show.print(line(found["summary"]))
    rows = [(line(LEVELS[f["level"]]), f["topic"], f["text"]) for f in found["findings"][1:]]
    show.print(table("", "looked for", "found", rows=rows))
    given = found["pipeline"] != "proposed"
    stages = [(k, p["use"], p["reason"], f"{1000 * p['delay']:.3g} ms", f"{p['settle']:.3g} s")
            for k, p in enumerate(found["proposed"], 1)]  # fmt: skip
    title = "proposed (not run)" if given else "proposed"
    show.print(table("", title, "because", "delay", "settle", rows=stages, right=("delay", "settle")))
    if given:
        show.print(line(("run instead ", "cyan"), found["pipeline"]))
    elif found["declined"]:
        show.print(line((f"{len(found['declined'])} other stages were thought of; report.html says why not", "dim")))
    late = duration(found["delay"]) if found["delay"] >= 5e-5 else "0 s"
    show.print(line(("written ", "green"), f"{found['out']}: {' '.join(found['written'])}", (f"  delay {late}", "dim")))
    show.print(line((commands[-1], "dim")), soft_wrap=True)
