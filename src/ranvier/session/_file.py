"""SessionFile: a session as a TOML file: source, pipeline, budget, guard, actuator, recording."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ranvier.errors import ConfigError

Table = dict[str, Any]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BudgetTable(_Strict):
    """``[budget]``: how old the input of an action may be, and what happens if it is older."""

    age: float = Field(gt=0, allow_inf_nan=False, description="Largest age of the newest input at an action (s).")
    miss: Literal["warn", "skip", "stop"] = Field("skip", description="What happens to an action that is late.")


class LimitTable(_Strict):
    """``[[guard.limits]]``: what one value of a command may be."""

    name: str
    unit: str
    low: float = float("-inf")
    high: float = float("inf")
    rate: float = Field(float("inf"), description="Largest change (unit/s).")
    beyond: Literal["refuse", "clamp"] = "refuse"


class GuardTable(_Strict):
    """``[guard]``: what every command must pass."""

    max_age: float = Field(float("inf"), gt=0, description="Largest age of a command's newest input (s).")
    min_confidence: float | None = None
    limits: tuple[LimitTable, ...] = Field((), strict=False)


class HostTable(_Strict):
    """``[host]``: what is asked of the machine."""

    realtime: bool = False
    core: int | None = None
    spin: float = Field(default=0.0, ge=0, le=0.01, description="How long the loop is awake before a block is due (s).")
    cores: int = Field(default=1, ge=1, le=1024, description="Threads that may share the channels of the loop.")


class DoctorTable(_Strict):
    """``[doctor]``: what must hold before the session starts."""

    demand: bool = True
    minutes: float = Field(60.0, gt=0, description="Planned length of the recording (min), for the free space.")


class SessionFile(_Strict):
    """A session file; every key may be overridden by ``--set a.b=c``."""

    schema_: Literal[1] = Field(alias="schema")
    pipeline: str | None = Field(None, description="Pipeline or model file, relative to this one, or a shipped one.")
    source: str | Table | None = Field(None, description='Such as "lsl:name=EEG", or a table with use = "acquire.LSL".')
    sources: dict[str, str | Table] = Field({}, description="Several sources by name, instead of source.")
    markers: tuple[str | Table, ...] = Field((), strict=False, description='Such as "udp:127.0.0.1:5006?latency=0.01".')
    labels: tuple[str, ...] = Field(
        (), strict=False, description="Labels of markers that enter the graph, in order of their codes."
    )
    map: Table | None = Field(None, description="Parameters of act.Map, where the pipeline does not end with one.")
    budget: BudgetTable | None = None
    guard: GuardTable | None = None
    actuator: str | Table | None = None
    watchdog: float | None = Field(None, gt=0, description="Silence after which the actuator is made safe (s).")
    record: str | None = Field(None, description="Folder of the recording, .rvr.")
    resume: bool = Field(False, description="Whether to add to a recording that is there already.")
    seconds: float = Field(0.0, ge=0, description="How long (s); 0: until stopped or the source ends.")
    host: HostTable = Field(default_factory=HostTable)
    doctor: DoctorTable | None = None
    subject: str = ""
    task: str = ""
    session: str = ""
    run: str = ""


def read_session(path: Path, overrides: Sequence[str] = ()) -> SessionFile:
    """Read a session file; wrong keys and values are named with their place.

    Parameters
    ----------
    path
        TOML.
    overrides
        ``a.b=value``, the value as TOML, or a plain text.
    """
    if path.exists() and not path.is_file():  # to open a pipe would wait for ever
        raise ConfigError(f"{path} needs to be a readable TOML file; it is no file. Check the path.")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        raise ConfigError(f"{path} needs to be a readable TOML file; {_short(e)}. Check path and line.") from None
    try:
        return check_session(overridden(table, overrides), str(path))
    except RecursionError:
        raise ConfigError(f"{path} needs tables a few levels deep; got hundreds. Mend it, or --set.") from None


def overridden(table: Mapping[str, Any], overrides: Sequence[str]) -> Table:
    """Return a table with values put in by ``a.b=value``."""
    out = _copied(table)
    for text in overrides:
        key, eq, value = text.partition("=")
        names = key.split(".")
        if not eq or not all(names):
            raise ConfigError(f"--set needs KEY=VALUE, such as budget.age=0.1; got {text!r}. Mend it.")
        place = out
        for name in names[:-1]:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise ConfigError(f"--set {key} needs tables on its way; {name} holds {place!r}. Mend the key.")
        place[names[-1]] = _value(value)
    return out


def check_session(table: Mapping[str, Any], name: str = "session") -> SessionFile:
    """Return a session file's content, or say what is wrong with it and where."""
    odd = next((at for at, text in _texts(table) if any(c < " " or "\x7f" <= c <= "\x9f" for c in text)), None)
    if odd is not None:
        raise ConfigError(f"{name}: {odd} needs text without control characters; got some. Mend the value.")
    try:
        found = SessionFile.model_validate(table)
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(p) for p in first["loc"] if p not in ("str", "dict[str,any]"))
        known = f"; known are {', '.join(_keys(first['loc']))}" if first["type"] == "extra_forbidden" else ""
        more = f" ({e.error_count() - 1} more)" if e.error_count() > 1 else ""
        raise ConfigError(
            f"{name}: {where or 'the file'}: {first['msg']}{known}; got {str(first['input'])[:80]!r}{more}. "
            "Mend the key."
        ) from None
    if (found.source is None) == (not found.sources):
        raise ConfigError(f"{name}: needs source, or sources with a name each; got both or neither. Give one of them.")
    if found.pipeline is None and found.record is None:
        raise ConfigError(f"{name}: needs a pipeline, or a recording to make; got neither. Add pipeline or record.")
    if (found.actuator is None) != (found.guard is None):
        raise ConfigError(f"{name}: needs [guard] and actuator together; got one of them. Add the other.")
    return found


def _keys(loc: tuple[Any, ...]) -> list[str]:
    models = {"budget": BudgetTable, "guard": GuardTable, "host": HostTable, "doctor": DoctorTable}
    model: Any = LimitTable if "limits" in loc else models.get(str(loc[0]), SessionFile)
    if len(loc) == 1:
        model = SessionFile
    return [f.alias or n for n, f in model.model_fields.items()]


def _texts(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Yield every key and every text of a table, with its place."""
    if isinstance(value, str):
        yield ascii(at)[1:-1] or "a key", value
    elif isinstance(value, Mapping):
        for k, v in value.items():
            yield f"a key of {ascii(at)[1:-1] or 'the file'}", k
            yield from _texts(v, f"{at}.{k}" if at else k)
    elif isinstance(value, list | tuple):
        for i, v in enumerate(value):
            yield from _texts(v, f"{at}.{i}")


def _copied(table: Mapping[str, Any]) -> Table:
    return {k: _copied(v) if isinstance(v, Mapping) else v for k, v in table.items()}


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except ValueError:
        return text


def _short(e: BaseException) -> str:
    return f"{type(e).__name__}: {e}".replace("\n", " ")[:200]
