"""ranvier demo: a person, a decoder that learns from them, and what it decodes while they go on."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ranvier.cli._output import Json, aside, console, duration, emit, line, progress, table
from ranvier.errors import ConfigError

if TYPE_CHECKING:
    from ranvier.cli._live import Live
    from ranvier.cli._plan import Plan
    from ranvier.stage import Stage

BLOCK = 0.04  # [s] that come at a time
SECONDS = 60.0
MANY = 40_000  # samples beyond which the replay leaves out blocks of one


class Task(StrEnum):
    """What is decoded."""

    ssvep = "ssvep"
    mi = "mi"


Recordings = Annotated[
    list[Path],
    typer.Option(
        "--recording",
        help="A recording with labelled trials, instead of a simulated person; its first half is learned from. "
        "Of several, the last is decoded, the others are learned from.",
    ),
]


def demo(
    recording: Recordings = [],  # noqa: B006  typer copies it
    paradigm: Annotated[
        Task | None,
        typer.Option(help="Flickering lights or imagined movement; a recording's electrodes say it unless given."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=5, help="How long it decodes (s): 60; with --recording and --fast, to the end.")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="As fast as it can, instead of in real time.")] = False,
    trials: Annotated[
        list[str], typer.Option("--trials", help="Of --recording: LABEL or LABEL=CLASS of events; once for each.")
    ] = [],  # noqa: B006  typer copies it
    tmin: Annotated[float, typer.Option(help="Of --recording: begin of a trial after its event (s).")] = 0.5,
    tmax: Annotated[float | None, typer.Option(help="Of --recording: end of a trial (s); 4 or the next.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which simulated person.")] = 7,
    json: Json = False,
) -> None:
    """Watch a brain being decoded live: a simulated person, or a recording of a real one."""
    began = time.perf_counter()
    say = aside() if json else console()
    who = recording[-1].name if recording else "a simulated person"
    say.print(line(("Ranvier", "bold cyan"), f"  decoding {who}"))
    if not recording and (trials or tmax is not None):
        raise ConfigError("--trials and --tmax are about a recording; got no --recording. Name one, or leave them out.")
    from ranvier.cli._plan import recorded, simulated

    plan = (
        simulated(paradigm or "ssvep", seconds or SECONDS, seed)
        if not recording
        else recorded(recording, paradigm, seconds or (float("inf") if fast else SECONDS), trials, tmin, tmax)
    )
    model, fit_seconds = _learn(plan, say)
    with TemporaryDirectory(prefix="ranvier-demo-") as folder:
        live = _decode(plan, model, Path(folder), fast, json, say)
        sound, verdict = _prove(live)
    found = _report(plan, live, fit_seconds, sound, verdict, fast, live.first - began)
    if json:
        emit("demo", found)
    else:
        _show(say, found)
    if not (found["verified"] and found["replay"]["identical"]):
        raise typer.Exit(1)


def _learn(plan: Plan, say: Any) -> tuple[Stage, float]:
    """Return the pipeline fitted on what came earlier, and how long it took [s]."""
    t = plan.training
    each = ", ".join(f"{int((t.label == c).sum())} {c}" for c in t.classes)
    say.print(line((plan.title, "bold")))
    signal = f"{duration(plan.learned)} of {plan.n_electrodes} electrodes at {float(plan.recording.info.rate):g} Hz"
    say.print(line((f"learns from {signal}: {len(t)} trials ({each}) ...", "dim")))
    began = time.perf_counter()
    with progress("compiling (the first time only) and fitting"):
        model = plan.recipe.fit(plan.earlier, t)
    took = time.perf_counter() - began
    say.print(line((f"learned in {took:.1f} s: pipeline {plan.paradigm}, model {model.id}", "dim")))
    return model, took


def _decode(plan: Plan, model: Stage, folder: Path, fast: bool, json: bool, say: Any) -> Live:
    """Run the decoder over the rest, in sight."""
    from ranvier.cli._live import Live
    from ranvier.cli._view import Lines, Picture

    size = max(1, round(BLOCK * float(plan.recording.info.rate)))
    channels = plan.recording.info.channels.names
    shown = next((channels.index(c) for c in ("Oz", "C3") if c in channels), 0)
    live = Live(
        stage=model, recording=plan.recording, trials=plan.trials, start=plan.start, stop=plan.stop, size=size,
        shown=shown, folder=folder,
    )  # fmt: skip
    picture = not json and sys.stdout.isatty()
    pace = "as fast as it can" if fast else "in real time"
    with Picture(plan.title) if picture else Lines(f"decoding {pace}", json) as view:
        live.go(fast, view.look)
    return live


def _prove(live: Live) -> tuple[Any, Any]:
    """Verify the recording that was made, and replay it in blocks of other sizes."""
    from ranvier import record

    n = live.stop - live.start
    sizes = [s for s in (1, 7, 64, n) if s > 1 or n <= MANY]
    with progress("verifying the recording"):
        sound = record.verify(live.path)
    with progress(f"replaying in blocks of {', '.join(map(str, sizes))}", n * len(sizes)) as advance:
        return sound, live.check(sizes, advance)


def _report(
    plan: Plan, live: Live, fit_seconds: float, sound: Any, verdict: Any, fast: bool, first: float
) -> dict[str, Any]:
    from ranvier.cli._view import accuracy

    right, n, low, high = accuracy(live)
    classes, rate, table = live.referee.classes, live.rate, live.report.as_table()
    compute, age = (table["latency_us"].get(k, {}) for k in ("compute", "input age"))
    busy = max(compute.get("mean", 1.0) * compute.get("n", 0) / 1e6, 1e-9)
    return {
        "title": plan.title,
        "paradigm": plan.paradigm,
        "model": live.stage.id,
        "channels": list(plan.recording.info.channels.names),
        "rate": rate,
        "classes": list(classes),
        "training": {"n": len(plan.training), "seconds": plan.learned, "took": fit_seconds},
        "paced": not fast,
        "decoded_seconds": (live.stop - live.start) / rate,
        "trials": [
            {"onset": a.onset / rate, "cue": a.cue, "decision": a.decision(classes) or None, "score": a.score(),
             "right": a.decision(classes) == a.cue}
            for a in live.referee.over
        ],
        "n": n,
        "right": right,
        "accuracy": right / n if n else float("nan"),
        "low": low,
        "high": high,
        "chance": 1 / len(classes),
        "block": live.size,
        "compute_us": {k: compute.get(k) for k in ("p50", "p99", "max")},
        "input_age_ms": {k: age[k] / 1e3 if age else None for k in ("p50", "p99", "max")},
        "real_time_factor": (live.stop - live.start) / rate / busy,
        "commands": {"approved": table["counts"]["approved"], "refused": table["counts"]["refused"]},
        "recording": {k: table["recording"].get(k) for k in ("bytes", "lost", "state")},
        "verified": sound.clean,
        "first_decision_seconds": first,
        "replay": {"blocks": verdict.blocks, "identical": verdict.identical, "decisions": verdict.decisions},
    }  # fmt: skip


def _show(say: Any, found: dict[str, Any]) -> None:
    us, ms = found["compute_us"], found["input_age_ms"]
    share = "no trial ended" if not found["n"] else f"{100 * found['accuracy']:.0f} %"
    interval = f"95 % interval {100 * found['low']:.0f} to {100 * found['high']:.0f} %"
    rows: list[tuple[Any, Any]] = [
        ("decoded", f"{duration(found['decoded_seconds'])}, {found['n']} trials of {', '.join(found['classes'])}"),
        (
            "right",
            line(
                (share, "bold green"),
                f"  {found['right']} of {found['n']}, {interval}, chance {100 * found['chance']:.0f} %",
            ),
        ),
        ("computing", f"{us['p50']:.0f} us a block; p99 {us['p99']:.0f}, largest {us['max']:.0f} us"),
    ]
    if found["paced"]:
        rows.append(("input age", f"{ms['p50']:.1f} ms when a decision is there; p99 {ms['p99']:.1f} ms"))
    rows.append(("speed", f"{found['real_time_factor']:.0f} times real time"))
    given, rec = found["commands"], found["recording"]
    rows.append(("commands", f"{given['approved']} approved by the guard, {given['refused']} refused"))
    sound = ("sound", "bold green") if found["verified"] else ("DAMAGED", "bold red")
    rows.append(("recorded", line(sound, f"  {(rec['bytes'] or 0) / 1e6:.1f} MB, every byte accounted for")))
    sizes = ", ".join(map(str, found["replay"]["blocks"]))
    verdict = ("identical to the bit", "bold green") if found["replay"]["identical"] else ("NOT identical", "bold red")
    rows.append(("replayed", line(verdict, f"  the recording's samples in blocks of {sizes}")))
    say.print()
    say.print(table("", "", rows=rows, head=False))
    say.print()
    say.print(line(("A recording of your own: ranvier demo --recording FILE   All verbs: ranvier --help", "dim")))
