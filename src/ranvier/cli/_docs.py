"""What a docstring says about a stage: its first line, its parameters with units, its notes."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from typing import Any

_HEAD = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)


def sections(doc: str) -> dict[str, str]:
    """Return the sections of a numpydoc docstring; the first line is under the empty name."""
    parts = _HEAD.split(inspect.cleandoc(doc))
    found = {"": parts[0].split("\n\n")[0].replace("\n", " ").strip()}
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        found[title] = text.strip("\n")
    return found


def described(text: str) -> dict[str, str]:
    """Return what a Parameters section says of each name."""
    found: dict[str, str] = {}
    names: list[str] = []
    for row in text.splitlines():
        if row and not row[0].isspace():
            names = [n.strip() for n in row.split(":")[0].split(",")]
            found |= dict.fromkeys(names, "")
        else:
            for n in names:
                found[n] = f"{found[n]} {row.strip()}".strip()
    return found


def without_markup(text: str) -> str:
    """Return a text in one line, without the marks of reStructuredText."""
    return re.sub(r"``([^`]*)``|`([^`]*)`|\*(\w[^*]*)\*", lambda m: m[1] or m[2] or m[3], " ".join(text.split()))


def unit_of(text: str) -> str:
    """Return the first unit in square brackets, empty where there is none."""
    match = re.search(r"\[([^\]]{1,20})\]", text)
    return match.group(1).split(" from ")[0] if match else ""


def parameters(cls: Any) -> list[dict[str, Any]]:
    """Return name, type, default, unit and meaning of each parameter of a stage."""
    said = described(sections(cls.__doc__ or "").get("Parameters", ""))
    hints = typing.get_type_hints(cls)
    found = []
    for f in dataclasses.fields(cls):
        text = said.get(f.name, "")
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        hint = hints[f.name]
        found.append(
            {
                "name": f.name,
                "type": hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", ""),
                "required": required,
                "default": None if required or f.default is dataclasses.MISSING else f.default,
                "unit": unit_of(text),
                "text": without_markup(text),
            }
        )
    return found
