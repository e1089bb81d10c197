"""Protocol files: TOML that names no path; every error names the key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ranvier.errors import ConfigError
from ranvier.evaluate._leak import LeakRule
from ranvier.evaluate._peers import PEERS
from ranvier.evaluate._protocol import PeerPipeline, Pipeline, Protocol, TargetRule, Use
from ranvier.evaluate._select import Select
from ranvier.evaluate._speller import Speller
from ranvier.evaluate._splits import SPLITS, FixedSplit
from ranvier.evaluate._table import TrialRule
from ranvier.stage import build_dataclass, from_table, load_pipeline

SCHEMA = 1
KEYS = (
    "schema", "name", "metric", "pause", "cuts", "seed", "use", "open", "part", "trials", "targets", "split", "leak",
    "speller", "pipeline", "peer",
)  # fmt: skip
ENTITIES = ("subject", "session", "run", "task")


def load_protocol(path: str | Path) -> Protocol:
    """Return the protocol that a TOML file describes.

    Raises
    ------
    ConfigError
        With the file and the key, for whatever is missing, unknown or of the wrong kind.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path} needs to be a readable TOML file; {type(e).__name__}: {e}. Check the path.") from e
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        raise ConfigError(f"{path} needs to be valid TOML; {e}. Mend that line.") from e
    try:
        return protocol_from_table(table, path.parent)
    except ConfigError as e:
        raise ConfigError(f"{path}: {e}") from e


def protocol_from_table(table: Mapping[str, Any], folder: Path | None = None) -> Protocol:
    """Return the protocol that a plain table describes; `folder` is where pipeline files are looked for."""
    if table.get("schema") != SCHEMA or isinstance(table.get("schema"), bool):
        raise ConfigError(f"schema needs to be {SCHEMA}; got {table.get('schema')!r}. Begin with schema = {SCHEMA}.")
    _known(table, KEYS, "")
    given: dict[str, Any] = {
        "pipelines": tuple(_pipeline(p, i, folder) for i, p in enumerate(_list(table, "pipeline"))),
        "peers": tuple(_peer(p, i) for i, p in enumerate(_list(table, "peer"))),
        "split": _split(_table(table, "split")),
        "open": dict(_table(table, "open")),
        "parts": tuple(_part(p, i) for i, p in enumerate(_list(table, "part"))),
    }
    for key, kind in (("use", Use), ("leak", LeakRule), ("targets", TargetRule), ("speller", Speller)):
        if key in table:
            given[key] = build_dataclass(kind, _table(table, key), key)
    if "trials" in table:
        given["trials"] = _trials(_table(table, "trials"))
    plain = {k: table[k] for k in ("name", "metric", "pause", "cuts", "seed") if k in table}
    return Protocol(**given, **_checked(plain))


def _known(table: Mapping[str, Any], keys: Any, where: str) -> None:
    for key in table:
        if key not in keys:
            raise ConfigError(
                f"{where + '.' if where else ''}{key} is not known here; known are {', '.join(sorted(keys))}. "
                "Mend or remove the key."
            )


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = table.get(key, {})
    if not isinstance(found, Mapping):
        raise ConfigError(f"{key} needs a table; got {found!r}. Write [{key}] with keys below it.")
    return found


def _list(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(f, Mapping) for f in found):
        raise ConfigError(f"{key} needs a list of tables; got {str(found)[:60]!r}. Write [[{key}]] for each.")
    return found


def _checked(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the plain keys, each of its kind."""
    wants = {"name": str, "metric": str, "pause": float, "seed": int}
    if "name" not in plain:
        raise ConfigError('name is missing. Write name = "what the protocol asks".')
    for key, kind in wants.items():
        value = plain.get(key, kind())
        fine = isinstance(value, int | float) if kind is float else isinstance(value, kind)
        if not fine or isinstance(value, bool) or (kind is str and key in plain and not value):
            raise ConfigError(f"{key} needs {kind.__name__}; got {value!r}. Mend the value.")
    cuts = plain.get("cuts", [])
    if not isinstance(cuts, list) or any(not isinstance(c, int) or isinstance(c, bool) or c < 1 for c in cuts):
        raise ConfigError(f"cuts needs a list of block lengths of 1 sample or more; got {cuts!r}. Mend the value.")
    return plain | ({"cuts": tuple(cuts)} if "cuts" in plain else {})


def _trials(table: Mapping[str, Any]) -> TrialRule:
    labels = table.get("labels")
    if not isinstance(labels, Mapping) or not labels or not all(isinstance(v, str) and v for v in labels.values()):
        raise ConfigError(
            f'trials.labels needs a table of globs and classes such as "T1" = "left"; got {labels!r}. '
            "Write [trials.labels]."
        )
    numbers = {k: v for k, v in table.items() if k != "labels"}
    for key in ("tmin", "tmax"):
        if not isinstance(numbers.get(key), int | float) or isinstance(numbers.get(key), bool):
            raise ConfigError(f"trials.{key} needs seconds from the event; got {numbers.get(key)!r}. Give a number.")
        numbers[key] = float(numbers[key])
    _known(table, [f.name for f in fields(TrialRule)], "trials")
    for key in ("item", "block"):
        if not isinstance(numbers.get(key, ""), str):
            raise ConfigError(f"trials.{key} needs a glob of event labels; got {numbers[key]!r}. Give a text.")
    if not numbers["tmin"] < numbers["tmax"]:
        raise ConfigError(f"trials.tmin needs to be below trials.tmax; got {numbers['tmin']} s, {numbers['tmax']} s.")
    return TrialRule(labels=dict(labels), **numbers)


def _split(table: Mapping[str, Any]) -> Any:
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in SPLITS:
        raise ConfigError(f"split.kind needs one of {', '.join(SPLITS)}; got {kind!r}. Write [split] with kind.")
    rest = {k: v for k, v in table.items() if k != "kind"}
    if SPLITS[kind] is not FixedSplit:
        return build_dataclass(SPLITS[kind], rest, "split")
    chosen = {}
    for key in ("train", "test"):
        found = rest.pop(key, None)
        if not isinstance(found, Mapping):
            raise ConfigError(f'split.{key} needs a table such as {{ run = ["1"] }}; got {found!r}. Say what it is.')
        chosen[key] = build_dataclass(Select, found, f"split.{key}")
    return FixedSplit(**chosen, **({"within": rest.pop("within")} if _within(rest) else {}))


def _within(rest: dict[str, Any]) -> bool:
    _known(rest, ("kind", "train", "test", "within"), "split")
    if "within" in rest and rest["within"] not in ("run", "session", "subject", "all"):
        raise ConfigError(f"split.within needs run, session, subject or all; got {rest['within']!r}. Mend the value.")
    return "within" in rest


def _part(table: Mapping[str, Any], i: int) -> dict[str, Any]:
    _known(table, (*ENTITIES, "open"), f"part[{i}]")
    if not all(isinstance(table.get(k, ""), str) for k in ENTITIES) or not isinstance(table.get("open", {}), Mapping):
        raise ConfigError(f"part[{i}] needs texts for {', '.join(ENTITIES)} and a table open; got {dict(table)!r}.")
    return dict(table)


def _asked(table: Mapping[str, Any], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return name, tmin and tmax, and the rest."""
    rest = dict(table)
    asked: dict[str, Any] = {"name": rest.pop("name", None)}
    if not isinstance(asked["name"], str) or not asked["name"]:
        raise ConfigError(f"{where}.name needs a text; got {asked['name']!r}. Name what tables should call it.")
    for key in ("tmin", "tmax"):
        if key in rest:
            value = rest.pop(key)
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise ConfigError(f"{where}.{key} needs seconds from the event; got {value!r}. Give a number.")
            asked[key] = float(value)
    return asked, rest


def _pipeline(table: Mapping[str, Any], i: int, folder: Path | None) -> Pipeline:
    where = f"pipeline[{i}]"
    asked, rest = _asked(table, where)
    _known(rest, ("stage", "file"), where)
    if ("stage" in rest) == ("file" in rest):
        raise ConfigError(f"{where} needs either stages or a file. Write [[pipeline.stage]], or file = ...")
    if "file" in rest:
        file = rest["file"]
        if not isinstance(file, str) or Path(file).is_absolute() or folder is None:
            raise ConfigError(f"{where}.file needs a name relative to the protocol; got {file!r}. Put it beside it.")
        what = load_pipeline(folder / file)
    else:
        try:
            what = from_table({"schema": SCHEMA, "stage": rest["stage"]})
        except ConfigError as e:
            raise ConfigError(f"{where}.{e}") from e
    return Pipeline(what=what, **asked)


def _peer(table: Mapping[str, Any], i: int) -> PeerPipeline:
    where = f"peer[{i}]"
    asked, rest = _asked(table, where)
    use = rest.pop("use", None)
    if use not in PEERS:
        raise ConfigError(f"{where}.use needs one of {', '.join(PEERS)}; got {use!r}. Mend the name.")
    against = rest.pop("against", [])
    if not isinstance(against, list) or not all(isinstance(a, str) for a in against):
        raise ConfigError(f"{where}.against needs a list of pipeline names; got {against!r}. Mend the value.")
    return PeerPipeline(what=build_dataclass(PEERS[use], rest, where), against=tuple(against), **asked)
