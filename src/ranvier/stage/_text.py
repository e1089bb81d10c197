"""Devices as one line of text, ``scheme:where?key=value&key=value``, typed by the fields of their class."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ranvier.errors import ConfigError
from ranvier.stage._config import build_dataclass


def split_text(text: str) -> tuple[str, str]:
    """Return the scheme of a text and what stands behind its first colon (or question mark).

    >>> split_text("cyton:/dev/ttyUSB0?daisy=true")
    ('cyton', '/dev/ttyUSB0?daisy=true')
    >>> split_text("lsl")
    ('lsl', '')
    """
    ends = [i for i in (text.find(":"), text.find("?")) if i >= 0]
    if not ends:
        return text, ""
    end = min(ends)
    return text[:end], text[end + (text[end] == ":") :]


def from_text(cls: Any, rest: str, where: str) -> Any:
    """Make a dataclass from the text behind its scheme.

    What stands before the question mark goes to the first field, unless it is ``key=value`` of a known key itself.

    Parameters
    ----------
    cls
        The class.
    rest
        Such as ``/dev/ttyUSB0?daisy=true``, ``name=EEG`` or ``name=EEG&timeout=2``.
    where
        What to call it in errors.

    Raises
    ------
    ConfigError
        For an unknown key, with those that are known; for a value of another type.
    """
    known = [f.name for f in fields(cls) if f.init]
    head, mark, tail = rest.rpartition("?")
    if not mark or (tail and "=" not in tail):
        head, tail = rest, ""
    if "=" in head and head.split("=")[0] in known:
        head, tail = "", "&".join(part for part in (head, tail) if part)
    if head and known:
        tail = "&".join(part for part in (tail, f"{known[0]}={head}") if part)
    return build_dataclass(cls, options_of(cls, tail, where, known), where)


def options_of(cls: Any, text: str, where: str, known: Sequence[str]) -> dict[str, Any]:
    """Return ``key=value&key=value`` as values of the types that the fields of a class have; `known` may be named."""
    hints = typing.get_type_hints(cls)
    given: dict[str, Any] = {}
    for part in text.split("&") if text else ():
        key, eq, value = part.partition("=")
        if not eq or key not in known or key in given:
            raise ConfigError(
                f"{where} needs key=value, each key once, of {', '.join(known) or 'none'}; got {part!r}. "
                "Write ?key=value&key=value."
            )
        given[key] = _typed(value, hints[key])
    return given


def _typed(text: str, hint: Any) -> Any:
    """Return the value that a text means for a field; text that fits nowhere stays text, to be refused by name."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if type(None) in args and text in ("", "none"):
            return None
        for option in args:
            value = _typed(text, option)
            if not isinstance(value, str) or option is str:
                return value
        return text
    if hint is bool:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower(), text)
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            return text
    if origin is tuple:
        parts = [p for p in text.split(",") if p]
        return [_typed(p, args[0] if len(args) == 2 and args[1] is Ellipsis else args[min(i, len(args) - 1)])
                for i, p in enumerate(parts)]  # fmt: skip
    if origin is typing.Literal:
        return next((a for a in args if str(a) == text), text)
    return text
