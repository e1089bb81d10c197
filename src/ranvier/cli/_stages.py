"""ranvier stages: the catalogue of what pipelines are made of."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ranvier.cli._output import Json, console, emit, line, table
from ranvier.errors import ConfigError


def stages(
    name: Annotated[str | None, typer.Argument(help="One of them, such as denoise.Bandpass; all unless given.")] = None,
    json: Json = False,
) -> None:
    """List every stage: parameters with units and defaults, delay, support, settle, exactness."""
    from ranvier.stage import builtin

    known = builtin()
    if name is not None and name not in known:
        near = [n for n in known if name.lower() in n.lower()] or list(known)
        raise ConfigError(f"stages needs the name of a stage; got {name!r}. Known: {', '.join(near)}.")
    found = [_entry(n, cls, alone=n == name) for n, cls in known.items() if name in (None, n)]
    if json:
        emit("stages", {"stages": found})
    elif name is None:
        _list(found)
    else:
        _one(found[0])


def _entry(name: str, cls: Any, *, alone: bool) -> dict[str, Any]:
    from ranvier.cli._docs import parameters, sections, without_markup
    from ranvier.stage import Trainable

    doc = sections(cls.__doc__ or "")
    trainable = issubclass(cls, Trainable)
    listed = parameters(cls)
    needs_fit = trainable or any(p["name"] == "contract" for p in listed)
    return {
        "name": name,
        "kind": "trainable" if trainable else "fitted" if needs_fit else "stage",
        "summary": without_markup(doc[""]),
        "parameters": listed,
        "notes": without_markup(doc.get("Notes", "")),
        "references": without_markup(doc.get("References", "")),
        "example": _example(name) if alone or not needs_fit else None,
    }


def _example(name: str) -> dict[str, Any] | None:
    """Return what the first example of a stage declares; of a trainable, what the stage that it becomes does."""
    from ranvier.stage import as_tuple, to_table
    from ranvier.stream import EventInfo
    from ranvier.testing._examples import EXAMPLES

    if name not in EXAMPLES:
        return None
    stage, *infos = EXAMPLES[name]()[0]
    given, out = infos[0], as_tuple(stage.describe(*infos))[0]
    step = to_table(stage, {})["stage"][0]
    return {
        "use": step["use"],
        "values": {k: v for k, v in step.items() if k not in ("use", "contract")},
        "rate": float(given.rate),
        "out_rate": float(out.rate),
        "out_shape": None if isinstance(out, EventInfo) else list(out.shape),
        "delay": float(out.delay - given.delay),
        "support": (out.support - given.support) / float(out.origin.rate),
        "settle": (out.settle - given.settle) / float(out.origin.rate),
        "exactness": stage.tags.exactness,
        "linear": stage.tags.linear,
    }


def _call(p: dict[str, Any]) -> str:
    unit = f" {p['unit']}" if p["unit"] else ""
    return f"{p['name']}{unit}" if p["required"] else f"{p['name']}={p['default']}{unit}"


def _milliseconds(seconds: float) -> str:
    ms = 1000 * seconds
    return f"{ms:.0f}" if ms >= 10 or ms == 0 else f"{ms:.2g}"


def _list(found: list[dict[str, Any]]) -> None:
    out = console()
    numbers = ("delay [ms]", "support [ms]", "settle [ms]")
    for room in dict.fromkeys(f["name"].split(".")[0] for f in found):
        rows = []
        for f in found:
            if f["name"].split(".")[0] != room:
                continue
            e = f["example"]
            figures = [_milliseconds(e[k]) for k in ("delay", "support", "settle")] if e else ["", "", ""]
            known = ", ".join(_call(p) for p in f["parameters"]) if f["kind"] != "fitted" else "made by fitting"
            what = line(f["summary"], (f"\n{known}", "dim"))
            rows.append((line((f["name"].split(".")[1], "bold")), what, *figures, e["exactness"] if e else f["kind"]))
        made = table(room, "what it does, parameters", *numbers, "exactness", rows=rows, right=numbers)
        out.print(made)
    rates = sorted({f["example"]["rate"] for f in found if f["example"] and f["example"]["rate"]})
    at = " or ".join(f"{r:g} Hz" for r in rates)
    out.print(line((f"Figures are those of an example at {at}. More on one: ranvier stages NAME", "dim")))


def _one(f: dict[str, Any]) -> None:
    out = console()
    out.print(line((f["name"], "bold"), f"  {f['kind']}\n", f["summary"]))
    rows = [
        (p["name"], p["type"], "needed" if p["required"] else p["default"], p["unit"], p["text"])
        for p in f["parameters"]
    ]
    out.print(table("parameter", "type", "default", "unit", "what it means", rows=rows))
    out.print(line(f["notes"]))
    if f["references"]:
        out.print(line((f["references"], "dim")))
    if e := f["example"]:
        values = ", ".join(f"{k}={v}" for k, v in e["values"].items())
        shape = "events" if e["out_shape"] is None else " x ".join(map(str, e["out_shape"]))
        out.print(
            line(
                ("\nExample  ", "cyan"),
                f"{e['use']}({values}) at {e['rate']:g} Hz gives {shape} at {e['out_rate']:g} Hz: "
                f"delay {_milliseconds(e['delay'])} ms, support {_milliseconds(e['support'])} ms, "
                f"settle {_milliseconds(e['settle'])} ms, {e['exactness']}",
            )
        )
