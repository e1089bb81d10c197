"""ranvier warm: compile what pipelines need, so that they start at once."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from ranvier.cli._files import StreamOption, open_pipeline, open_recording, shipped
from ranvier.cli._output import Json, aside, console, duration, emit, line, table
from ranvier.errors import ConfigError

MOST = 2**20  # channels
DTYPES = ("int16", "int32", "float32", "float64")


def warm(
    pipelines: Annotated[
        list[Path] | None,
        typer.Argument(help="Pipelines (.toml), models (.rvm), or names of shipped ones; all that ship unless given."),
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="What flows into them is as in this recording.")] = None,
    stream: StreamOption = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Or: samples per second (Hz),")] = None,
    channels: Annotated[int | None, typer.Option("--channels", min=1, help="how many channels,")] = None,
    group: Annotated[
        int | None, typer.Option("--group", min=1, help="how many to an amplifier; all unless given,")
    ] = None,
    dtype: Annotated[str | None, typer.Option("--dtype", help=f"and {', '.join(DTYPES)}; float32.")] = None,
    json: Json = False,
) -> None:
    """Compile what pipelines need, so that they start at once; without arguments, what ranvier demo needs."""
    signal, events = _stream(data, stream, rate, channels, group, dtype)
    began = perf_counter()
    rows = [_warm(path, signal, events) for path in pipelines or map(Path, shipped())]
    found = {"pipelines": rows, "seconds": round(perf_counter() - began, 3), "cache": _cache()}
    if json:
        emit("warm", found)
    else:
        _show(found)


def _stream(
    data: Path | None,
    stream: str | None,
    rate: float | None,
    channels: int | None,
    group: int | None,
    dtype: str | None,
) -> tuple[Any, Any]:
    """Return what the options describe, a signal and its events; nothing where there are no options."""
    from ranvier.stream import Channels, EventInfo, StreamInfo

    numbers = {"--rate": rate, "--channels": channels, "--group": group, "--dtype": dtype}
    given = [name for name, value in numbers.items() if value is not None]
    if data is not None:
        if given:
            raise ConfigError(f"warm needs --data or numbers; got both, {', '.join(given)}. Leave one out.")
        rec = open_recording(data, stream)
        return rec.info, rec.event_info
    if stream is not None:
        raise ConfigError(f"--stream says which stream of --data; got {stream!r} alone. Name the recording.")
    if not given:
        return None, None
    if rate is None or channels is None:
        raise ConfigError(f"warm needs --rate and --channels together; got {', '.join(given)}. Give both, or --data.")
    if not 0 < rate < 1e9:
        raise ConfigError(f"--rate needs to be above 0 and below 1e9 Hz; got {rate:g}. Mend it.")
    if dtype not in (None, *DTYPES):
        raise ConfigError(f"--dtype needs to be one of {', '.join(DTYPES)}; got {dtype!r}. Mend it.")
    if group is not None and channels % group:
        raise ConfigError(f"--group needs to divide --channels; got {group} and {channels}. Mend one of them.")
    if channels > MOST:
        raise ConfigError(f"--channels needs to be at most {MOST:,}; got {channels:,}. Mend it.")
    groups = [f"group{i // (group or channels)}" for i in range(channels)]
    info = StreamInfo.signal(rate, Channels.of(channels, groups=groups), dtype=dtype or "float32")
    return info, EventInfo.of(info, {0: "event"})


def _warm(path: Path, signal: Any, events: Any) -> dict[str, Any]:
    """Start one pipeline as it will be started; what that compiles stays in the cache."""
    from ranvier.kernels._watch import compiling
    from ranvier.stage import Run

    began = perf_counter()
    pipeline, unfitted = open_pipeline(path), []
    with compiling(lambda name: aside().print(line((f"{path}: compiling {name}", "dim")))) as compiled:
        if signal is None:
            stage, infos = _as_demonstrated(path, pipeline)
        else:
            stage, unfitted = _fixed(path, pipeline)
            infos = tuple(signal if p.kind == "signal" else events for p in stage.inputs)
        Run(stage, *infos)
    return {
        "pipeline": str(path), "pipeline_id": stage.id, "input": _describe(infos), "compiled": compiled,
        "unfitted": unfitted, "seconds": round(perf_counter() - began, 3),
    }  # fmt: skip


def _as_demonstrated(path: Path, pipeline: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return a shipped pipeline, fitted on a simulated person."""
    from ranvier.cli._paradigms import PARADIGMS
    from ranvier.stage import infos_of

    if str(path) not in PARADIGMS:
        raise ConfigError(
            f"warm needs to know what will flow into {path}: rates and channels decide what is compiled. "
            "Add --data RECORDING, or --rate and --channels."
        )
    subject, trials = PARADIGMS[str(path)].calibration(n_each=3)
    stage = pipeline.fit(subject, trials)
    return stage, infos_of(stage, subject)


def _fixed(path: Path, pipeline: Any) -> tuple[Any, list[str]]:
    """Return what of a pipeline can be started, and the names of what follows, which has to be fitted before."""
    from ranvier.stage import Recipe, Stage, chain

    if isinstance(pipeline, Stage):
        return pipeline, []
    steps = list(pipeline.steps) if isinstance(pipeline, Recipe) else [pipeline]
    n = next(i for i, s in enumerate(steps) if not isinstance(s, Stage))
    if not n:
        raise ConfigError(
            f"{path} begins with {type(steps[0]).__name__}, which was never fitted. Fit it, then warm the model: "
            f"ranvier fit {path} RECORDING --trials LABEL --out {path.stem}.rvm"
        )
    return chain(*steps[:n]), [type(s).__name__ for s in steps[n:]]


def _describe(infos: tuple[Any, ...]) -> str:
    shape = " x ".join(map(str, infos[0].shape))
    return f"{shape} {infos[0].dtype} at {float(infos[0].rate):g} Hz"


def _cache() -> str:
    from ranvier.kernels._cache import cache_folder

    return str(cache_folder())


def _show(found: dict[str, Any]) -> None:
    out = console()
    rows = [(r["pipeline"], r["input"], len(r["compiled"]), f"{r['seconds']:.1f}") for r in found["pipelines"]]
    numbers = ("compiled", "s")
    out.print(table("pipeline", "on", *numbers, rows=rows, right=numbers))
    for r in found["pipelines"]:
        if r["unfitted"]:
            later = f"{r['pipeline']}: {', '.join(r['unfitted'])} not yet: fit it, then warm the model."
            out.print(line((later, "yellow")))
    out.print(line(("warm", "bold green"), f" in {duration(found['seconds'])}: {found['cache']}"))
