"""ranvier evaluate: what pipelines are worth on recordings, by a protocol that names no path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ranvier.cli._files import need_file
from ranvier.cli._output import Json, console, emit, line, progress, table
from ranvier.errors import ConfigError

Out = Annotated[
    Path | None, typer.Option("--out", help="Folder that keeps results: what stands there is not computed again.")
]


def evaluate(
    protocol: Annotated[Path, typer.Argument(help="A protocol (.toml).")],
    data: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="How many processes work at it.")] = 1,
    out: Out = None,
    json: Json = False,
) -> None:
    """Train and test pipelines in folds or streamed; one row a subject, session and pipeline, with intervals."""
    from ranvier import evaluate as room

    asked = room.load_protocol(need_file(protocol, "A protocol"))
    for path in data:
        if not path.exists():
            raise ConfigError(f"evaluate needs recordings that exist; {path} does not. Check the path.")
    if out is not None and out.exists() and not out.is_dir():
        raise ConfigError(f"--out needs a folder; {out} is a file. Name a folder.")
    done = 0
    with progress(protocol.stem, None) as advance:

        def tell(now: int, total: int, what: str) -> None:
            nonlocal done
            advance(now - done, total, what)
            done = now

        results = room.run(asked, data, out=out, jobs=jobs, progress=tell)
    found = results.as_dict()
    if json:
        emit("evaluate", found)
    else:
        _show(protocol, found)


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(low: Any, high: Any) -> str:
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _show(protocol: Path, found: dict[str, Any]) -> None:
    out = console()
    out.print(line((found["protocol"]["name"], "bold"), (f"  {protocol}, id {found['protocol']['id']}", "dim")))
    rows = [
        (
            line((r["pipeline_name"], "dim" if r["peer"] else "")),
            r["subject"],
            r["session"],
            r["n"],
            _number(r["score"]),
            _interval(r["low"], r["high"]),
            _number(r["chance"]),
            _same(r["streamed_equals_offline"]),
        )
        for r in found["rows"]
    ]
    metric = found["rows"][0]["metric"] if found["rows"] else "score"
    columns = ("pipeline", "subject", "session", "n", metric, "95 % interval", "chance", "streamed")
    out.print(table(*columns, rows=rows, right=("n", metric, "chance")))
    summary = []
    for s in found["summary"]:
        behind = [f"{d['peer']}: {_signed(d['mean'])} ({_interval(d['low'], d['high'])})" for d in s["differences"]]
        mean = line((_number(s["mean"]), "bold"))
        name = line((s["pipeline_name"], "dim" if s["peer"] else "bold"))
        summary.append((name, s["n_subjects"], mean, _interval(s["low"], s["high"]), "\n".join(behind), s["seconds"]))
    heads = ("pipeline", "subjects", "mean", "95 % interval", "less the peer's", "s")
    out.print(table(*heads, rows=summary, right=("subjects", "mean", "s")))
    for s in found["skipped"]:
        out.print(line(("left out  ", "yellow"), "  ".join(str(v) for v in s.values())))


def _same(value: bool | None) -> Any:
    if value is None:
        return ""
    return line(("= offline", "green") if value else ("DIFFERS", "bold red"))


def _signed(value: Any) -> str:
    return "-" if value is None else f"{value:+.3f}"
