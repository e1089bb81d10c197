"""ranvier replay: a recorded session once more, or another graph on what it recorded."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ranvier.cli._output import Json, console, emit, line, progress, table
from ranvier.errors import ConfigError


def replay(
    file: Annotated[Path, typer.Argument(help="The recording of a session with a graph (.rvr).")],
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 1 unless the decisions are the recorded ones.")
    ] = False,
    with_: Annotated[
        Path | None, typer.Option("--with", help="Another fitted pipeline, to be compared on the same inputs.")
    ] = None,
    json: Json = False,
) -> None:
    """Run the recorded inputs through the recorded graph, in several cuts, and compare to the bit."""
    from ranvier.session import replay as open_replay
    from ranvier.session import shadow

    if not file.exists():
        raise ConfigError(f"ranvier replay needs a recording; {file} does not exist. Check the path.")
    replayed = open_replay(file)
    n = replayed.inputs.n_samples
    if with_ is not None:
        from ranvier.cli._files import need_stage, open_pipeline

        other = need_stage(open_pipeline(with_), with_)
        with progress(f"replaying {file.name}, and {with_.name} beside it", 2 * n) as advance:
            found = asdict(shadow(replayed, other, advance))
        _out(json, {"file": str(file), "graph": replayed.graph.id, "other": other.id, **found}, _show_shadow)
        return
    with progress(f"replaying {file.name}", n * len(replayed.sizes())) as advance:
        verdict = replayed.check(advance=advance)
    _out(json, {"file": str(file), "graph": replayed.graph.id, "good": verdict.good, **asdict(verdict)}, _show)
    if check and not verdict.good:
        raise typer.Exit(1)


def _out(json: bool, found: dict[str, Any], show: Any) -> None:
    if json:
        emit("replay", found)
    else:
        show(found)


def _show(found: dict[str, Any]) -> None:
    out = console()
    cuts = ", ".join("as recorded" if b is None else str(b) for b in found["blocks"])
    word = ("identical to the bit", "bold green") if found["identical"] else (
        ("within the bound", "bold yellow") if found["good"] else ("NOT identical", "bold red")
    )  # fmt: skip
    place = "the same environment" if found["same_environment"] else "another environment"
    out.print(line(
        word, f"  {found['decisions']} decisions, {found['commands']} commands; blocks {cuts}; ",
        f"{found['exactness']}, {place}",
    ))  # fmt: skip
    if found["unproven"]:
        out.print(line((f"{found['unproven']} more have no samples: the recording broke off before them", "yellow")))
    if found["missing"] or found["more"]:
        out.print(line((f"{found['missing']} decisions did not come out, {found['more']} more did", "red")))
    if found["differences"]:
        rows = [(d["what"], d["sample"], _few(d["recorded"]), _few(d["replayed"])) for d in found["differences"]]
        out.print(table("what", "sample", "recorded", "replayed", rows=rows, right=("sample",)))
        out.print(line(f"largest difference {found['largest']:.3g} of a channel's largest number"))
    for f in found["flips"]:
        out.print(line(f"sample {f['sample']}: {f['recorded']} became {f['replayed']}, margin {f['margin']:.3g}"))


def _few(values: Any) -> str:
    flat = values if isinstance(values, list) else [values]
    return " ".join(f"{v:.6g}" for v in flat[:6]) + (" ..." if len(flat) > 6 else "")


def _show_shadow(found: dict[str, Any]) -> None:
    out = console()
    out.print(line(
        (f"{100 * found['agree']:.1f} % agree" if found["counts"] else f"correlation {found['agree']:.3f}", "bold"),
        f"  of {found['decisions']} decisions; {found['only_recorded']} of the recorded graph alone, "
        f"{found['only_other']} of the other alone",
    ))  # fmt: skip
    if found["counts"]:
        rows = sorted(found["counts"].items(), key=lambda kv: -kv[1])[:24]
        out.print(table("recorded -> other", "n", rows=rows, right=("n",)))
