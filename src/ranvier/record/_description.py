"""Description: what a JSON file beside plain numbers says of them, every key checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ConfigError, FormatError
from ranvier.record._base import Mark
from ranvier.record._names import exact_rate, to_microvolts
from ranvier.record._reading import read_json
from ranvier.stream import Channels, Entities

_KEYS = {
    "schema": "1",
    "rate": "samples per second [Hz]: a number, or a text such as '30000/1001'",
    "names": "list of channel names (or n_channels)",
    "n_channels": "number of channels (or names)",
    "kind": "kind of the channels: one text, or a list",
    "unit": "unit of the channels: one text, or a list",
    "scale": "number x scale + offset is in unit: one number, or a list",
    "offset": "see scale",
    "positions": "list of [x, y, z] [m] or null",
    "events": "list of [sample, label] or [sample, label, duration in samples]",
    "entities": "subject, session, run, task, device, reference, ground, frame, start",
    "dtype": "number type of a raw file: int16, <f4, >i2 ...",
    "axes": "order of the axes: 'time,channel', 'channel,time', or a permutation of 'trial,time,channel'",
    "data": "name of the array in an .npz file, or a list of them, joined side by side",
    "labels": "label of each trial: a list, or the name of an array in an .npz file",
}


@dataclass(frozen=True, kw_only=True)
class Description:
    """Checked description of an array; numbers x `scale` + `offset` are in the units of `channels`."""

    rate: Fraction
    channels: Channels
    scale: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    marks: tuple[Mark, ...]
    entities: Mapping[str, str]
    dtype: np.dtype[Any] | None
    axes: tuple[str, ...]
    data: tuple[str, ...]
    labels: Sequence[Any] | str | None
    notes: tuple[str, ...]


def _wrong(where: str, key: str, got: Any) -> ConfigError:
    return ConfigError(f"{where}: key {key!r} needs {_KEYS[key]}; got {str(got)[:80]!r}. Correct it.")


def check_description(where: str, given: Any) -> Description:
    """Return the description that a mapping gives; whatever is wrong raises a `ConfigError` that names the key."""
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where} needs a JSON object with the keys schema and rate; got {str(given)[:40]!r}.")
    if unknown := [k for k in given if k not in _KEYS]:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; known: {', '.join(_KEYS)}. Correct or remove it.")
    if given.get("schema") != 1:
        raise _wrong(where, "schema", given.get("schema"))
    try:
        number = given.get("rate")
        rate = exact_rate(float(number) if isinstance(number, int | float) else str(number))
    except (ValueError, ZeroDivisionError, OverflowError):
        rate = Fraction(0)
    if rate <= 0:
        raise _wrong(where, "rate", given.get("rate"))
    names = given.get("names")
    if names is None:
        names = given.get("n_channels")
        if not isinstance(names, int) or isinstance(names, bool) or names < 1:
            raise _wrong(where, "n_channels", names)
    elif isinstance(names, str) or not all(isinstance(n, str) for n in names):
        raise _wrong(where, "names", names)
    channels = Channels.of(names, "eeg", "uV")
    count = len(channels)

    def each(key: str, default: Any, kind: type | tuple[type, ...]) -> list[Any]:
        value = given.get(key, default)
        values = [value] * count if isinstance(value, kind) else value
        if isinstance(values, str) or not hasattr(values, "__len__") or len(values) != count:
            raise _wrong(where, key, value)
        if not all(isinstance(v, kind) and not isinstance(v, bool) for v in values):
            raise _wrong(where, key, value)
        return list(values)

    number_kinds = (int, float, np.integer, np.floating)
    units, kinds = each("unit", "uV", str), each("kind", "eeg", str)
    scale = np.array(each("scale", 1.0, number_kinds), np.float64)
    offset = np.array(each("offset", 0.0, number_kinds), np.float64)
    factors = [to_microvolts(u) for u in units]
    as_microvolts = np.array([f or 1.0 for f in factors])
    notes = [
        f"Channels in {u} are given in uV."
        for u, f in sorted(set(zip(units, factors, strict=True)), key=str)
        if f and f != 1
    ]
    units = ["uV" if f else u for u, f in zip(units, factors, strict=True)]
    positions = given.get("positions") or [None] * count
    try:
        where_ = [None if p is None else (float(p[0]), float(p[1]), float(p[2])) for p in positions]
    except (TypeError, ValueError, IndexError):
        where_ = []
    if len(where_) != count:
        raise _wrong(where, "positions", positions)
    axes = tuple(str(given.get("axes", "time,channel")).replace(" ", "").split(","))
    if sorted(axes) not in (["channel", "time"], ["channel", "time", "trial"]):
        raise _wrong(where, "axes", given.get("axes"))
    data = given.get("data", ())
    return Description(
        rate=rate,
        channels=Channels.of(channels.names, kinds, units, where_),
        scale=scale * as_microvolts,
        offset=offset * as_microvolts,
        marks=tuple(_marks(where, given.get("events", ()))),
        entities=_entities(where, given.get("entities", {})),
        dtype=_dtype(where, given.get("dtype")),
        axes=axes,
        data=(data,) if isinstance(data, str) else tuple(str(d) for d in data),
        labels=given.get("labels"),
        notes=tuple(notes),
    )


def _marks(where: str, rows: Any) -> list[Mark]:
    try:
        return [Mark(float(r[0]), str(r[1]), float(r[2]) if len(r) > 2 else 0.0) for r in rows]
    except (TypeError, ValueError, IndexError, KeyError):
        raise _wrong(where, "events", rows) from None


def _entities(where: str, given: Any) -> Mapping[str, str]:
    known = [f.name for f in fields(Entities) if f.name != "extra"]
    if not isinstance(given, Mapping) or any(k not in known or not isinstance(v, str) for k, v in given.items()):
        raise _wrong(where, "entities", given)
    return given


def _dtype(where: str, given: Any) -> np.dtype[Any] | None:
    if given is None:
        return None
    try:
        found = np.dtype(str(given))
    except (TypeError, ValueError):
        found = np.dtype(object)
    if found.kind not in "iuf" or found.names or found.shape:
        raise _wrong(where, "dtype", given)
    return found


def find_description(path: Path, given: Any) -> tuple[Description, list[Path]]:
    """Return the description given (a mapping or a path), or that of the JSON file beside `path`, and its file."""
    if isinstance(given, Mapping):
        return check_description("description", given), []
    beside = [Path(given)] if given is not None else [path.with_suffix(".json"), Path(f"{path}.json")]
    file = next((f for f in beside if f.is_file()), None)
    if file is None:
        raise FormatError(
            f"{path.name} holds plain numbers and needs a description: {beside[0].name} beside it, or description=. "
            'The least it says is {"schema": 1, "rate": 250, "names": ["C3", "C4"]'
            + (', "dtype": "int16"}.' if path.suffix.lower() not in (".npy", ".npz") else "}.")
        )
    return check_description(file.name, read_json(file)), [file]
