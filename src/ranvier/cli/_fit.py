"""ranvier fit: from a recipe and recordings with trials to a model file that says where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ranvier.cli._files import (
    StreamOption,
    TmaxOption,
    TminOption,
    TrialsOption,
    need_file,
    open_pipeline,
    open_recording,
    parse_trials,
)
from ranvier.cli._output import Json, console, emit, line, progress, table
from ranvier.errors import ConfigError


def fit(
    recipe: Annotated[Path, typer.Argument(help="A pipeline with something to be fitted (.toml, or a shipped name).")],
    files: Annotated[list[Path], typer.Argument(help="Recordings to fit it on.")],
    out: Annotated[Path, typer.Option("--out", help="The model file to write (.rvm).")],
    trials: TrialsOption = [],  # noqa: B006  typer copies it
    tmin: TminOption = None,
    tmax: TmaxOption = None,
    protocol: Annotated[
        Path | None, typer.Option(help="A protocol (.toml) that says what a trial is, instead.")
    ] = None,
    stream: StreamOption = None,
    json: Json = False,
) -> None:
    """Fit a recipe on trials of recordings and write the model, with what it was made from."""
    from ranvier.stage import Stage, save_model
    from ranvier.stream import Trials

    if out.suffix != ".rvm" or not out.parent.is_dir():
        raise ConfigError(f"--out needs a name that ends in .rvm, in a folder that exists; got {out}. Mend it.")
    wanted, begin, end = _what(trials, tmin, tmax, protocol)
    trainable = open_pipeline(recipe)
    if isinstance(trainable, Stage):
        raise ConfigError(f"{recipe} has nothing to be fitted; it can run as it is. Run: ranvier run {recipe} FILE")
    recordings = [open_recording(f, stream) for f in files]
    each = [r.trials(wanted, tmin=begin, tmax=end, group=f.stem) for r, f in zip(recordings, files, strict=True)]
    together = Trials.concatenate(each)
    with progress(f"fitting {recipe.stem} on {len(together)} trials"):
        model = trainable.fit(recordings, together)
    provenance = _provenance(recipe, trainable, files, recordings, each, wanted, begin, end)
    save_model(model, out, provenance)
    found = {"out": str(out), "id": model.id, "recipe": str(recipe), "classes": _counts(together), **provenance}
    if json:
        emit("fit", found)
        return
    show = console()
    show.print(line(("written ", "green"), str(out), (f"  {model.id}", "dim")))
    rows = [(r["file"], r["subject"] or "-", r["n_trials"]) for r in provenance["recordings"]]
    show.print(table("recording", "subject", "trials", rows=rows, right=("trials",)))
    show.print(line(", ".join(f"{n} {c}" for c, n in found["classes"].items())))
    show.print(line(("How good it is, on trials that it has not seen: ranvier evaluate", "dim")))


def _what(
    given: list[str], tmin: float | None, tmax: float | None, protocol: Path | None
) -> tuple[dict[str, str] | list[str], float, float]:
    """Return what a trial is: labels, begin and end [s]."""
    if protocol is not None:
        from ranvier.evaluate import load_protocol

        if given or tmin is not None or tmax is not None:
            raise ConfigError(
                "--protocol says what a trial is; leave out --trials, --tmin and --tmax, or leave it out."
            )
        rule = load_protocol(need_file(protocol, "A protocol")).trials
        if rule is None:
            raise ConfigError(f"--protocol needs one with trials; {protocol} has none. Give --trials, --tmin, --tmax.")
        return dict(rule.labels), rule.tmin, rule.tmax
    begin, end = tmin or 0.0, 4.0 if tmax is None else tmax
    if not begin < end:
        raise ConfigError(f"--tmin needs to be below --tmax; got {begin:g} s and {end:g} s. Swap them.")
    return parse_trials(given), begin, end


def _counts(trials: Any) -> dict[str, int]:
    return {c: int((trials.label == c).sum()) for c in trials.classes}


def _provenance(
    recipe: Path, trainable: Any, files: list[Path], recordings: list[Any], each: list[Any], wanted: Any,
    tmin: float, tmax: float,
) -> dict[str, Any]:  # fmt: skip
    """Return what a model was made from: the same inputs give the same words."""
    import platform

    import numpy as np

    from ranvier import __version__
    from ranvier.stage import dump_pipeline

    return {
        "recipe_toml": dump_pipeline(trainable),
        "trials": wanted,
        "tmin": tmin,
        "tmax": tmax,
        "recordings": [
            {"file": f.name, "sha256": r.digest(), "subject": r.entities.subject, "session": r.entities.session,
             "run": r.entities.run, "n_trials": len(t)}
            for f, r, t in zip(files, recordings, each, strict=True)
        ],
        "versions": {"ranvier": __version__, "numpy": np.__version__, "python": platform.python_version()},
    }  # fmt: skip
