"""From a session file to a session, ready to start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ranvier.acquire import marker_source, source
from ranvier.act import Map, Watchdog, actuator, guard_from
from ranvier.errors import ConfigError
from ranvier.session._budget import Budget
from ranvier.session._file import SessionFile, read_session
from ranvier.session._host import Host
from ranvier.session._session import Session
from ranvier.stage import Stage, build_dataclass, chain, load_pipeline


def load_session(path: str | Path, overrides: Sequence[str] = (), **changes: Any) -> Session:
    """Make the session that a file describes; nothing is opened yet.

    Parameters
    ----------
    path
        TOML; what files it names lie beside it.
    overrides
        ``a.b=value`` each, as of ``--set``.
    changes
        What is given to `Session` besides, such as `look`.
    """
    path = Path(path)
    return build(read_session(path, overrides), path.parent, **changes)


def build(said: SessionFile, folder: Path, **changes: Any) -> Session:
    """Make the session that a checked file describes; its files lie in `folder`."""
    given: dict[str, str | dict[str, Any]] = said.sources or {"signal": said.source or ""}
    where = "source" if said.source is not None else "sources"
    sources = {n: source(_placed(s, folder), where if n == "signal" else f"{where}.{n}") for n, s in given.items()}
    graph = None if said.pipeline is None else _graph(said, folder)
    acts: dict[str, Any] = {}
    if said.actuator is not None and said.guard is not None:
        limits = [t.model_dump() for t in said.guard.limits]
        numbers = {k: v for k, v in said.guard.model_dump(exclude={"limits"}).items() if v is not None}
        acts = {"actuator": _actuator(said), "guard": guard_from({**numbers, "limits": limits})}
    markers = {f"markers {i}" if i else "markers": marker_source(m) for i, m in enumerate(said.markers)}
    return Session(
        sources if said.sources else sources["signal"], graph,
        **acts,
        record=None if said.record is None else folder / said.record,
        resume=said.resume, budget=None if said.budget is None else Budget(age=said.budget.age, miss=said.budget.miss),
        markers=markers, labels=said.labels,
        host=Host(realtime=said.host.realtime, core=said.host.core, spin=said.host.spin), cores=said.host.cores,
        head={k: v for k in ("subject", "session", "run", "task") if (v := getattr(said, k))},
        **changes,
    )  # fmt: skip


def _graph(said: SessionFile, folder: Path) -> Stage:
    path = folder / str(said.pipeline)
    graph = load_pipeline(path)
    if not isinstance(graph, Stage):
        raise ConfigError(
            f"A session needs a fitted pipeline; {said.pipeline} holds a recipe. Fit it: ranvier fit {said.pipeline} "
            f"RECORDING --trials LABEL --out {path.stem}.rvm"
        )
    if said.map is not None:
        graph = chain(graph, build_dataclass(Map, said.map, "map"))
    return graph


def _actuator(said: SessionFile) -> Any:
    given: Any = said.actuator
    return actuator(given) if said.watchdog is None else Watchdog(actuator=given, silence=said.watchdog)


def _placed(given: str | Mapping[str, Any], folder: Path) -> Any:
    """Return a source whose recording lies beside the session file."""
    if isinstance(given, str) and given.startswith("replay:"):
        name, mark, rest = given[7:].partition("?")
        return f"replay:{folder / name}{mark}{rest}"
    if isinstance(given, Mapping) and given.get("use") in ("session.Replay", "replay") and "recording" in given:
        return {**given, "recording": str(folder / str(given["recording"]))}
    return given
