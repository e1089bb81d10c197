"""From a text or a table to a source: ``cyton:/dev/ttyUSB0?daisy=true``, or ``use = "acquire.Cyton"`` with its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ranvier.acquire._source import Found, Source
from ranvier.errors import ConfigError, RanvierError
from ranvier.stage import build_dataclass, devices_in, from_text, plugged_in, public_name, split_text

_REGISTERED: dict[str, type[Source]] = {}


def register(cls: type[Source]) -> type[Source]:
    """Make a source known by its `scheme`, and to tables as ``room.Class``; for rooms above this one. A decorator."""
    if not cls.scheme:
        raise ConfigError(
            f"{cls.__name__} needs a scheme to be registered; got none. Set scheme = 'name' in the class."
        )
    _REGISTERED[cls.scheme] = cls
    return cls


def schemes() -> dict[str, type[Source]]:
    """Return every source that can be made: those of this room, registered ones, entry points ``ranvier.sources``."""
    return {**plugged_in("ranvier.sources", Source), **devices_in("acquire", Source), **_REGISTERED}


def sources(timeout: float = 1.0) -> tuple[list[Found], dict[str, str]]:
    """Return what can be found now, and for each scheme that cannot look why not.

    Parameters
    ----------
    timeout
        How long each kind of source may look [s].
    """
    found: list[Found] = []
    failed: dict[str, str] = {}
    for scheme, cls in sorted(schemes().items()):
        try:
            found += cls.nearby(timeout)
        except RanvierError as e:
            failed[scheme] = str(e)
    return found, failed


def source(given: str | Mapping[str, Any], where: str = "source") -> Source:
    """Return the source that a text or a table means; it is not opened.

    Parameters
    ----------
    given
        ``scheme:where?key=value&key=value``; what stands before the question mark goes to the first parameter, unless
        it is ``key=value`` itself. Or a table with `use` (``acquire.Cyton``, or the scheme) and its parameters.
    where
        What it is called in errors, such as the key of a session file.

    Raises
    ------
    ConfigError
        For an unknown scheme, key or value; the message names those that are known.

    Examples
    --------
    >>> source("cyton:/dev/ttyUSB0?daisy=true").daisy
    True
    """
    known = schemes()
    if isinstance(given, str):
        scheme, rest = split_text(given)
        if scheme not in known:
            raise ConfigError(
                f"{where} needs one of {', '.join(sorted(known))} before a colon; got {given!r}. "
                "Write it like cyton:/dev/ttyUSB0, lsl:name=EEG or replay:FILE?speed=2."
            )
        made = from_text(known[scheme], rest, f"{where} {scheme}")
    elif isinstance(given, Mapping):
        use = given.get("use")
        by_name = {**known, **{public_name(c): c for c in known.values()}}
        if not isinstance(use, str) or use not in by_name:
            raise ConfigError(
                f"{where}.use needs one of {', '.join(sorted(public_name(c) for c in known.values()))}; "
                f"got {use!r}. Mend the name."
            )
        made = build_dataclass(by_name[use], {k: v for k, v in given.items() if k != "use"}, where)
    else:
        raise ConfigError(f"{where} needs a text or a table; got {given!r}. Write scheme:where, or [{where}] with use.")
    return made  # type: ignore[no-any-return]
