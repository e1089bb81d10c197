"""From a text or a table to an actuator: ``udp:127.0.0.1:5005``, or ``use = "act.UDP"`` with its keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

from ranvier.act._actuator import Actuator
from ranvier.act._guard import Guard, Limits
from ranvier.errors import ConfigError
from ranvier.stage import build_dataclass, devices_in, from_text, plugged_in, public_name, split_text


def actuators() -> dict[str, type[Actuator]]:
    """Return every actuator that can be made, by scheme: those of this room, and entry points ``ranvier.actuators``."""
    return {**plugged_in("ranvier.actuators", Actuator), **devices_in("act", Actuator)}


def _find(use: Any, where: str) -> type[Actuator]:
    """Return the class behind a scheme or a name; plug-ins are looked for only where none of ours is meant."""
    for scheme, cls in devices_in("act", Actuator).items():
        if use in (scheme, public_name(cls)):
            return cls
    plugins = plugged_in("ranvier.actuators", Actuator)
    if isinstance(use, str) and use in plugins:
        return plugins[use]
    names = sorted({public_name(c) for c in actuators().values()} | set(actuators()))
    raise ConfigError(f"{where} needs an actuator, one of {', '.join(names)}; got {use!r}. Mend the name.")


def actuator(given: str | Mapping[str, Any], where: str = "actuator") -> Actuator:
    """Return the actuator that a text or a table means; it is not opened.

    Parameters
    ----------
    given
        ``scheme:where?key=value``, or a table with `use` (``act.UDP``, or the scheme) and its parameters.
    where
        What it is called in errors, such as the key of a session file.

    Raises
    ------
    ConfigError
        For an unknown scheme, key or value; the message names those that are known.

    Examples
    --------
    >>> actuator("udp:127.0.0.1:5005")
    UDP(to='127.0.0.1:5005')
    >>> actuator({"use": "act.UDP", "to": "127.0.0.1:5005"}).to
    '127.0.0.1:5005'
    """
    if isinstance(given, str):
        scheme, rest = split_text(given)
        made = from_text(_find(scheme, where), rest, f"{where} {scheme}")
    elif isinstance(given, Mapping):
        table = {k: v for k, v in given.items() if k != "use"}
        made = build_dataclass(_find(given.get("use"), f"{where}.use"), table, where)
    else:
        raise ConfigError(f"{where} needs a text or a table; got {given!r}. Write scheme:where, or [{where}] with use.")
    return made  # type: ignore[no-any-return]


def guard_table(guard: Guard) -> dict[str, Any]:
    """Return a guard as the table that `guard_from` makes it of: what sets no limit is left out.

    >>> guard_table(Guard(Limits(name="vx", unit="cm/s", high=5), max_age=0.2))
    {'limits': [{'name': 'vx', 'unit': 'cm/s', 'high': 5.0, 'beyond': 'refuse'}], 'max_age': 0.2}
    """
    table: dict[str, Any] = {"limits": [_finite(asdict(limit)) for limit in guard.limits]}
    return table | _finite({"max_age": guard.max_age, "min_confidence": guard.min_confidence})


def _finite(table: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in table.items() if v is not None and (isinstance(v, str) or isfinite(v))}


def guard_from(table: Mapping[str, Any], where: str = "guard") -> Guard:
    """Return the guard that a table means: its parameters, and `limits`, a list of tables.

    >>> guard_from({"max_age": 0.2, "limits": [{"name": "vx", "unit": "cm/s", "high": 5, "beyond": "clamp"}]}).max_age
    0.2
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} needs a table; got {table!r}. Write [{where}] with keys below it.")
    listed = table.get("limits", [])
    if not isinstance(listed, list | tuple):
        raise ConfigError(f"{where}.limits needs a list of tables; got {listed!r}. Write [[{where}.limits]] for each.")
    limits = [build_dataclass(Limits, t, f"{where}.limits[{i}]") for i, t in enumerate(listed)]
    numbers = {}
    for key, value in table.items():
        if key == "limits":
            continue
        if key not in ("max_age", "min_confidence"):
            raise ConfigError(f"{where}.{key} is not known; known are limits, max_age, min_confidence. Mend the key.")
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ConfigError(f"{where}.{key} needs a number; got {value!r}. Mend the value.")
        numbers[key] = float(value)
    return Guard(*limits, **numbers)
