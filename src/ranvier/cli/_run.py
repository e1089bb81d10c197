"""ranvier run: let a recording flow through a pipeline, and write what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ranvier.cli._files import PartialOption, StreamOption, need_stage, open_pipeline, open_recording
from ranvier.cli._output import Json, console, duration, emit, line, progress, table
from ranvier.errors import ConfigError

Block = Annotated[
    int | None, typer.Option("--block", min=1, help="Samples that flow in at a time: changes nothing but the speed.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Write what comes out: .npz, or .parquet for plain signals.")]
LISTED = 24  # stretches of decisions that are shown; JSON has all


def run(
    pipeline: Annotated[Path, typer.Argument(help="A pipeline (.toml), a model (.rvm) or a shipped pipeline's name.")],
    file: Annotated[Path, typer.Argument(help="A recording.")],
    block: Block = None,
    out: Out = None,
    start: Annotated[float, typer.Option(min=0, help="From here on (s).")] = 0.0,
    stop: Annotated[float | None, typer.Option(min=0, help="Until here (s); to the end unless given.")] = None,
    stream: StreamOption = None,
    partial: PartialOption = False,
    json: Json = False,
) -> None:
    """Run a recording through a pipeline; list its decisions, write its outputs."""
    from ranvier.cli._results import check_out, collect, decisions, is_decisions, write

    check_out(out, pipeline, file)
    stage = need_stage(open_pipeline(pipeline), pipeline)
    rec = open_recording(file, stream, partial)
    first, last = _range(rec, start, stop)
    size = block or max(1, round(rec.info.rate))
    with progress(f"running {file.name}", last - first) as advance:
        results = collect(stage, rec, size, first, last, advance)
    if out is not None:
        write(out, results)
    found = {
        "file": str(file),
        "sha256": rec.digest(),
        "pipeline": str(pipeline),
        "pipeline_id": stage.id,
        "block": size,
        "start": first,
        "stop": last,
        "out": None if out is None else str(out),
        "outputs": [r.summary() for r in results],
        "decisions": [d for r in results if is_decisions(r.info) for d in decisions(r)],
    }
    if json:
        emit("run", found)
    else:
        _show(found)


def _range(rec: Any, start: float, stop: float | None) -> tuple[int, int]:
    """Return the samples that seconds mean."""
    rate = float(rec.info.rate)
    end_of = rec.n_samples / rate  # also of what is infinite
    first = round(min(start, end_of) * rate)
    last = rec.n_samples if stop is None else round(min(stop, end_of) * rate)
    if first >= last:
        end = duration(end_of)
        until = "the end" if stop is None else f"{stop:g} s"
        raise ConfigError(
            f"--start and --stop need a stretch of the recording, which lasts {end}; got {start:g} s to {until}. "
            "Lower --start or raise --stop."
        )
    return first, last


def _show(found: dict[str, Any]) -> None:
    out = console()
    name = Path(found["file"]).name
    out.print(line((name, "bold"), " through ", (found["pipeline"], "bold"), (f"  {found['pipeline_id']}", "dim")))
    rows = [
        (
            o["port"],
            o["n"],
            " x ".join(map(str, o["shape"])),
            f"{o['rate']:g} Hz" if o["rate"] else "at events",
            f"{100 * o['valid']:.1f} %",
            " ".join(o["channels"][:8]) + (f" ... ({len(o['channels'])})" if len(o["channels"]) > 8 else ""),
        )
        for o in found["outputs"]
    ]
    columns = ("output", "n", "shape of one", "rate", "valid", "channels")
    out.print(table(*columns, rows=rows, right=("n", "rate", "valid")))
    if found["decisions"]:
        held = found["decisions"]
        listed = [(f"{d['from']:.2f}", f"{d['to']:.2f}", d["decision"], f"{d['score']:.2f}", d["n"]) for d in held]
        numbers = ("from [s]", "to [s]", "score", "n")
        out.print(table("from [s]", "to [s]", "decision", "score", "n", rows=listed[:LISTED], right=numbers))
        if len(held) > LISTED:
            out.print(line((f"... and {len(held) - LISTED} more: --json lists all", "dim")))
    if found["out"]:
        out.print(line(("written ", "green"), found["out"]))
