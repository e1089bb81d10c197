"""ranvier check: the conformance suite for our stages and pipelines, and for anybody's.

The one place that ships and imports `ranvier.testing`, when it is called (docs/decisions).
"""

from __future__ import annotations

from concurrent.futures import Executor, as_completed
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from ranvier.cli._files import open_pipeline, open_recording, shipped
from ranvier.cli._output import Json, console, emit, line, progress, table
from ranvier.errors import ConfigError, RanvierError

Targets = Annotated[
    list[str] | None,
    typer.Argument(help="MODULE:STAGE, a built-in name, a pipeline (.toml, .rvm) or a shipped pipeline's name."),
]


def check(
    targets: Targets = None,
    everything: Annotated[bool, typer.Option("--all", help="Every public stage and every shipped pipeline.")] = False,
    recording: Annotated[
        Path | None, typer.Option("--recording", help="What flows into the targets is as in this file.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="How many processes work at it.")] = 2,
    json: Json = False,
) -> None:
    """Check that a stage or a pipeline keeps its word: any cut of the stream, the same bits. Exit 1 if not."""
    if bool(targets) == everything:
        raise ConfigError("check needs MODULE:STAGE or a file, or --all alone. Name what to check.")
    began = perf_counter()
    wanted = _all() if everything else list(targets or ())
    found = _in_parallel(wanted, recording, jobs) if len(wanted) > 1 and jobs > 1 else _in_turn(wanted, recording)
    found.sort(key=lambda r: (wanted.index(r["target"]), r["example"]))
    failures = [
        {"target": r["target"], "example": r["example"], "check": c["check"], "detail": c["detail"]}
        for r in found
        for c in r["results"]
        if c["status"] == "failed"
    ]
    counts = {k: sum(r[k] for r in found) for k in ("passed", "failed", "exempt")}
    counts |= {"targets": len(wanted), "examples": len(found)}
    report = {"counts": counts, "failures": failures, "seconds": round(perf_counter() - began, 3), "reports": found}
    if json:
        emit("check", report)
    else:
        _show(report)
    if failures:
        raise typer.Exit(1)


def _all() -> list[str]:
    from ranvier.stage import builtin

    return [*builtin(), *shipped()]


def _in_turn(wanted: list[str], recording: Path | None) -> list[dict[str, Any]]:
    found = []
    with progress("checking", len(wanted)) as advance:
        for target in wanted:
            found += report(target, recording)
            advance(1)
    return found


def _in_parallel(wanted: list[str], recording: Path | None, jobs: int) -> list[dict[str, Any]]:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    found = []
    pool: Executor = ProcessPoolExecutor(min(jobs, len(wanted)), get_context("spawn"))
    try:
        with progress("checking", len(wanted)) as advance:
            for done in as_completed([pool.submit(report, t, recording) for t in wanted]):
                found += done.result()
                advance(1)
    finally:
        pool.shutdown(cancel_futures=True)
    return found


def report(target: str, recording: Path | None = None) -> list[dict[str, Any]]:
    """Return what the suite says of each example of a target, as plain values."""
    from ranvier.testing import report_stage

    found = []
    for i, (stage, *infos) in enumerate(_examples(target, recording)):
        began = perf_counter()
        said = report_stage(stage, *infos).as_dict()
        given = ", ".join(_describe(info) for info in infos)
        seconds = round(perf_counter() - began, 3)
        found.append({"target": target, "example": i, "input": given, "seconds": seconds, **said})
    return found


def _describe(info: Any) -> str:
    if not hasattr(info, "shape"):
        return f"events at {float(info.rate):g} Hz"
    shape = " x ".join(map(str, info.shape))
    return f"{shape} {info.dtype} at {float(info.rate):g} Hz"


def _examples(target: str, recording: Path | None) -> list[tuple[Any, ...]]:
    from ranvier.stage import Trainable, infos_of
    from ranvier.testing import _examples as known

    if recording is None and target in known.EXAMPLES:
        return known.examples(target)
    if target in shipped():
        return [_shipped(target)]
    if ":" in target and not target.endswith((".toml", ".rvm")):
        stage, infos = _imported(target)
        if infos:
            return [(stage, *infos)]
    elif target.endswith((".toml", ".rvm")):
        stage = open_pipeline(Path(target))
        if isinstance(stage, Trainable):
            return [_fitted(stage, target, recording)]
    else:
        raise ConfigError(
            f"check needs MODULE:STAGE, a .toml or .rvm file, or a built-in name; got {target!r}. "
            "See `ranvier stages` for names."
        )
    if recording is not None:
        return [(stage, *infos_of(stage, open_recording(recording)))]
    signal = known.eeg()
    return [(stage, *[signal if p.kind == "signal" else known.marks(signal) for p in stage.inputs])]


def _shipped(name: str) -> tuple[Any, ...]:
    """Return a shipped pipeline, fitted on a simulated person."""
    from ranvier.cli._paradigms import PARADIGMS
    from ranvier.stage import infos_of

    subject, trials = PARADIGMS[name].calibration(n_each=3)
    stage = open_pipeline(Path(name)).fit(subject, trials)
    return (stage, *infos_of(stage, subject))


def _fitted(recipe: Any, target: str, recording: Path | None) -> tuple[Any, ...]:
    """Return somebody's recipe, fitted on a simulated person who imagines movements and looks at lights."""
    from ranvier.cli._paradigms import PARADIGMS
    from ranvier.stage import infos_of
    from ranvier.twin import SimulatedSubject, cued

    if recording is not None:
        raise ConfigError(f"{target} is to be fitted. Run: ranvier fit {target} {recording}, then check the model.")
    channels = tuple(dict.fromkeys(c for p in PARADIGMS.values() for c in p.channels))
    subject = SimulatedSubject(cues=cued(("left", "right"), 4, duration=5.0), seed=1, channels=channels)
    trials = subject.trials({"cue/left": "left", "cue/right": "right"}, 0.0, 5.0)
    try:
        stage = recipe.fit(subject, trials)
    except RanvierError as e:
        raise ConfigError(
            f"{target} cannot be fitted on a simulated person: {e} Fit it on a recording, then check the model: "
            "ranvier check model.rvm --recording FILE."
        ) from e
    return (stage, *infos_of(stage, subject))


def _imported(target: str) -> tuple[Any, tuple[Any, ...]]:
    """Import what the user asked for: an instance of a stage, or a class with defaults or with `example`."""
    import importlib
    import os
    import sys

    from ranvier.stage import Stage

    module, _, name = target.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        thing = getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as e:  # whatever somebody's module does
        raise ConfigError(
            f"check cannot import {target!r}: {type(e).__name__}: {e}. "
            "Name a module and what it holds: pkg.mod:MyStage."
        ) from e
    finally:
        sys.path.remove(os.getcwd())
    if isinstance(thing, type) and hasattr(thing, "example"):
        try:
            stage, *infos = thing.example()
        except Exception as e:
            raise ConfigError(
                f"check needs {name}.example() to return (stage, *infos); got {type(e).__name__}: {e}. Mend it."
            ) from e
        return stage, tuple(infos)
    if isinstance(thing, type) and issubclass(thing, Stage):
        try:
            return thing(), ()
        except Exception as e:
            raise ConfigError(
                f"check needs {name} with defaults for all parameters, or a classmethod example() that returns "
                f"(stage, *infos); got {e}. Add one of them, or name an instance."
            ) from e
    if isinstance(thing, Stage):
        return thing, ()
    raise ConfigError(f"check needs a stage; {target} is {type(thing).__name__}. Name a stage, or a class of one.")


def _show(found: dict[str, Any]) -> None:
    out = console()
    rows = [
        (
            r["target"],
            r["input"],
            r["passed"],
            line((str(r["failed"]), "red" if r["failed"] else "dim")),
            r["exempt"],
            f"{r['seconds']:.1f}",
        )
        for r in found["reports"]
    ]
    numbers = ("passed", "failed", "exempt", "s")
    out.print(table("stage", "on", *numbers, rows=rows, right=numbers))
    for f in found["failures"]:
        out.print(line((f"{f['target']} fails {f['check']}: ", "red"), f["detail"]))
    c = found["counts"]
    verdict = (f"{c['failed']} checks fail", "bold red") if c["failed"] else ("all keep their word", "bold green")
    out.print(
        line(verdict, f": {c['passed']} checks passed, {c['exempt']} exempt, on {c['examples']} examples of "
             f"{c['targets']} targets, {found['seconds']:.0f} s")
    )  # fmt: skip
