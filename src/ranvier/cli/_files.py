"""What verbs are given on the command line: recordings, pipelines, trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ranvier.errors import ConfigError, FormatError

if TYPE_CHECKING:
    from ranvier.stage import Stage

StreamOption = Annotated[
    str | None, typer.Option("--stream", help="Which stream of a file that has several: name, type or place.")
]
PartialOption = Annotated[bool, typer.Option("--partial", help="Read what is whole of a file that was cut short.")]
TrialsOption = Annotated[
    list[str],
    typer.Option("--trials", help="Label of events that begin a trial (a glob), or LABEL=CLASS; give it for each."),
]
TminOption = Annotated[float | None, typer.Option("--tmin", help="Begin of a trial after its event (s); 0.")]
TmaxOption = Annotated[float | None, typer.Option("--tmax", help="End of a trial after its event (s); 4.")]


def need_file(path: Path, what: str) -> Path:
    """Refuse what is not a file (nor a recording, which is a folder), in words."""
    if path.suffix == ".rvr" and path.is_dir():
        return path
    if path.is_dir():
        raise FormatError(f"{what} needs a file; {path} is a folder. Name a file in it.")
    if not path.is_file():
        why = "is a pipe or a device" if path.exists() else "does not exist"
        raise FormatError(f"{what} needs a file; {path} {why}. Check the path.")
    return path


def open_recording(path: Path, stream: str | None = None, partial: bool = False) -> Any:
    """Open a recording with the options that were given."""
    from ranvier import record

    options: dict[str, Any] = {}
    if stream is not None:
        options["stream"] = int(stream) if stream.isdecimal() else stream
    if partial:
        options["partial"] = True
    return record.open(path if path.suffix == ".rvr" else need_file(path, "A recording"), **options)


def open_pipeline(path: Path) -> Any:
    """Return the stage, graph or recipe of a ``.toml`` or ``.rvm`` file, or of a shipped pipeline's name."""
    from ranvier.stage import load_pipeline

    if path.suffix not in (".toml", ".rvm"):
        known = shipped()
        if str(path) in known:
            path = known[str(path)]
        else:
            raise ConfigError(
                f"A pipeline needs to be a .toml or .rvm file, or one of {', '.join(known)}; got {str(path)!r}. "
                "Name one of them."
            )
    return load_pipeline(need_file(path, "A pipeline"))


def shipped() -> dict[str, Path]:
    """Return the pipelines that come with the package, name -> file."""
    folder = Path(__file__).parent / "pipelines"
    return {p.stem: p for p in sorted(folder.glob("*.toml"))}


def need_stage(pipeline: Any, path: Path) -> Stage:
    """Refuse a recipe where something fitted is needed."""
    from ranvier.stage import Recipe, Stage

    if isinstance(pipeline, Stage):
        return pipeline
    unfitted = [s for s in (pipeline.steps if isinstance(pipeline, Recipe) else [pipeline]) if not isinstance(s, Stage)]
    names = ", ".join(type(s).__name__ for s in unfitted)
    raise ConfigError(
        f"{path} needs to be fitted before it runs; {names} never was. "
        f"Run: ranvier fit {path} RECORDING --trials LABEL --out {path.stem}.rvm"
    )


def parse_trials(given: Sequence[str]) -> dict[str, str] | list[str]:
    """Return ``LABEL`` or ``LABEL=CLASS`` options as `Trials.from_events` wants them."""
    if not given:
        raise ConfigError("--trials is missing. Say which events begin a trial: --trials 'cue/*', or --trials T1=left.")
    pairs = [g.rpartition("=") for g in given]
    if all(not eq for _, eq, _ in pairs):
        return list(given)
    if not all(eq and label and name for label, eq, name in pairs):
        raise ConfigError(
            f"--trials needs LABEL in each, or LABEL=CLASS in each; got {', '.join(given)}. Write all alike."
        )
    return {label: name for label, _, name in pairs}
