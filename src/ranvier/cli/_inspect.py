"""ranvier inspect: what a file holds, and what is plainly wrong with it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from ranvier.cli._files import PartialOption, StreamOption, need_file, open_recording
from ranvier.cli._output import Json, console, duration, emit, line, table

Seconds = Annotated[float, typer.Option(min=0, help="How much of it to search for faults (s); 0 for all.")]


def inspect(
    file: Annotated[Path, typer.Argument(help="A recording, a pipeline (.toml) or a model (.rvm).")],
    stream: StreamOption = None,
    partial: PartialOption = False,
    seconds: Seconds = 120.0,
    json: Json = False,
) -> None:
    """Show what a recording, a pipeline or a model holds: streams, channels, units, events, duration, faults."""
    need_file(file, "inspect")
    if file.suffix == ".toml" and _has_split(file):
        found = _protocol(file)
    elif file.suffix in (".toml", ".rvm"):
        found = _pipeline(file)
    else:
        found = _recording(file, stream, partial, seconds)
    if json:
        emit("inspect", found)
    elif found["kind"] == "recording":
        _show_recording(found)
    elif found["kind"] == "protocol":
        _show_protocol(found)
    else:
        _show_pipeline(found)


def _recording(file: Path, stream: str | None, partial: bool, seconds: float) -> dict[str, Any]:
    from dataclasses import asdict

    from ranvier import record

    rec = open_recording(file, stream, partial)
    info, events = rec.info, rec.events
    counts = Counter(int(c) for c in events.table["code"])
    channels: dict[tuple[str, str], list[str]] = {}
    for name, kind, unit in zip(info.channels.names, info.channels.kinds, info.channels.units, strict=True):
        channels.setdefault((kind, unit), []).append(name)
    rate = float(info.rate)
    return {
        "kind": "recording",
        "file": str(file),
        "streams": [e._asdict() for e in record.streams(file)],
        "stream": info.name,
        "rate": info.rate,
        "n_channels": info.n_channels,
        "n_samples": rec.n_samples,
        "duration": rec.n_samples / rate,
        "lazy": rec.lazy,
        "channels": [{"kind": k, "unit": u, "n": len(n), "names": n} for (k, u), n in channels.items()],
        "segments": [{"start": s.start / rate, "stop": s.stop / rate} for s in rec.segments],
        "events": [
            {"label": label, "n": counts[code], "first": _first(events, code) / rate}
            for code, label in rec.event_info.labels.items()
        ],
        "entities": {k: v for k, v in asdict(rec.entities).items() if v},
        "sha256": rec.digest(),
        "notes": list(rec.notes),
        "searched": min(seconds or rec.n_samples / rate, rec.n_samples / rate),
        "faults": [f._asdict() for f in record.faults(rec, seconds or None)],
    }


def _first(events: Any, code: int) -> float:
    own = events.table["sample"][events.table["code"] == code]
    return float(own[0]) if len(own) else float("nan")


def _pipeline(file: Path) -> dict[str, Any]:
    from ranvier.stage import Contract, Stage, load_pipeline, model_provenance, to_table

    pipeline = load_pipeline(file)
    contract = next((c for c in _contracts(pipeline) if isinstance(c, Contract)), None)
    arrays: dict[str, Any] = {}
    return {
        "kind": "model" if file.suffix == ".rvm" else "pipeline",
        "file": str(file),
        "fitted": isinstance(pipeline, Stage),
        "id": pipeline.id if isinstance(pipeline, Stage) else None,
        "inputs": [{"name": p.name, "kind": p.kind} for p in pipeline.inputs],
        "table": to_table(pipeline, arrays),
        "arrays": {name: {"dtype": str(a.dtype), "shape": list(a.shape)} for name, a in arrays.items()},
        "contract": None
        if contract is None
        else {"channels": contract.names, "units": contract.units, "rate": contract.rate, "shape": contract.shape},
        "provenance": model_provenance(file) if file.suffix == ".rvm" else {},
    }


def _has_split(file: Path) -> bool:
    """Say whether a TOML file is a protocol."""
    import tomllib

    try:
        return "split" in tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return False  # whoever reads it as a pipeline says what is wrong


def _protocol(file: Path) -> dict[str, Any]:
    from ranvier.evaluate import load_protocol

    asked = load_protocol(file)
    trials = asked.trials
    return {
        "kind": "protocol",
        "file": str(file),
        "name": asked.name,
        "id": asked.id,
        "metric": asked.metric,
        "trials": None if trials is None else {"labels": dict(trials.labels), "tmin": trials.tmin, "tmax": trials.tmax},
        "pipelines": [{"name": p.name, "id": p.id} for p in asked.pipelines],
        "peers": [{"name": p.name, "id": p.id} for p in asked.peers],
    }


def _contracts(pipeline: Any) -> list[Any]:
    """Return the input contracts of fitted stages, in the order of the data's way."""
    from ranvier.stage import Chain, Graph, Parallel, Recipe

    inner = {Chain: "stages", Recipe: "steps", Parallel: "branches"}.get(type(pipeline))
    if inner:
        return [c for s in getattr(pipeline, inner) for c in _contracts(s)]
    if isinstance(pipeline, Graph):
        return [c for n in pipeline.nodes for c in _contracts(n.stage)]
    return [getattr(pipeline, "contract", None)]


def _show_recording(found: dict[str, Any]) -> None:
    out = console()
    rate = f"  {duration(found['duration'])} at {float(found['rate']):g} Hz"
    out.print(line((Path(found["file"]).name, "bold"), rate))
    if who := "  ".join(f"{k} {v}" for k, v in found["entities"].items() if k != "extra"):
        out.print(line((who, "dim")))
    rows: list[tuple[Any, ...]]
    if len(found["streams"]) > 1:
        rows = [
            (
                ("* " if s["name"] == found["stream"] else "  ") + s["name"],
                s["type"],
                f"{s['rate']:g}",
                s["n_channels"],
                "?" if s["n_samples"] is None else s["n_samples"],
            )
            for s in found["streams"]
        ]
        numbers = ("rate [Hz]", "channels", "samples")
        out.print(table("  stream", "type", *numbers, rows=rows, right=numbers))
    rows = [(c["kind"], c["unit"], c["n"], " ".join(c["names"])) for c in found["channels"]]
    out.print(table("kind", "unit", "n", "channels", rows=rows, right=("n",)))
    if found["events"]:
        rows = [(e["label"], e["n"], f"{e['first']:.3f}") for e in found["events"]]
        out.print(table("event", "n", "first [s]", rows=rows, right=("n", "first [s]")))
    for note in found["notes"]:
        out.print(line(("note   ", "cyan"), note))
    for f in found["faults"]:
        out.print(line((f"{f['kind']:<6} ", "yellow"), f["text"]))
    if not found["faults"]:
        out.print(line(("no obvious fault", "green"), f" in {duration(found['searched'])}"))


def _show_pipeline(found: dict[str, Any]) -> None:
    out = console()
    state = "fitted" if found["fitted"] else "to be fitted (ranvier fit)"
    out.print(line((Path(found["file"]).name, "bold"), f"  {found['kind']}, {state}  ", (found["id"] or "", "dim")))
    for text, rest in steps_as_lines(found["table"]):
        out.print(line(text, (rest, "dim")), soft_wrap=True)
    if found["contract"]:
        c = found["contract"]
        out.print(line(f"fitted on {len(c['channels'])} channels at {c['rate']} Hz: {' '.join(c['channels'][:16])}"))
    for r in found["provenance"].get("recordings", ()):
        said = f"{r.get('file')}, {r.get('n_trials')} trials, sha256 {str(r.get('sha256'))[:16]}"
        out.print(line(("from   ", "cyan"), said))


def steps_as_lines(table: dict[str, Any], indent: str = "  ") -> list[tuple[str, str]]:
    """Return each step of a pipeline's table as its name, indented, and its parameters."""
    found = []
    for step in table.get("stage") or table.get("node") or ():
        name = step.get("use") or f"{step['name']} <- {', '.join(step['inputs'])}"
        values = [
            f"{k}={v}" for k, v in step.items() if k not in ("use", "name", "inputs", "branch", "stage", "contract")
        ]
        found.append((f"{indent}{name}  ", "  ".join(values)))
        for branch in step.get("branch", ()):
            found += steps_as_lines(branch, indent + "  | ")
        if "stage" in step:
            found += steps_as_lines(step, indent + "  ")
    return found


def _show_protocol(found: dict[str, Any]) -> None:
    out = console()
    out.print(line((Path(found["file"]).name, "bold"), f"  protocol: {found['name']}  ", (found["id"], "dim")))
    if t := found["trials"]:
        labels = ", ".join(f"{label} = {name}" for label, name in t["labels"].items())
        out.print(line(f"trials {t['tmin']:g} to {t['tmax']:g} s from {labels}; {found['metric']}"))
    rows = [(p["name"], kind, p["id"]) for kind in ("pipelines", "peers") for p in found[kind]]
    out.print(table("asks", "of", "id", rows=rows))
