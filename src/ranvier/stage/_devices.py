"""Devices by name: those that a room makes public, and those that installed packages bring along."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

from ranvier.errors import ConfigError

T = TypeVar("T")


def devices_in(room: str, base: type[T]) -> dict[str, type[T]]:
    """Return the public classes of a room that derive from `base` and have a scheme, by it."""
    module = import_module(f"ranvier.{room}")
    found: list[Any] = [getattr(module, name) for name in module.__all__]
    return {c.scheme: c for c in found if isinstance(c, type) and issubclass(c, base) and c.scheme}  # type: ignore[attr-defined]


def plugged_in(group: str, base: type[T]) -> dict[str, type[T]]:
    """Return what installed packages bring along as entry points of a group, by scheme.

    Raises
    ------
    ConfigError
        For one that cannot be loaded, or is none.
    """
    from importlib.metadata import entry_points  # slow to import

    found: dict[str, type[T]] = {}
    for point in entry_points(group=group):
        try:
            thing = point.load()
        except Exception as e:  # whatever an installed package raises when it is imported
            raise ConfigError(
                f"The {base.__name__.lower()} {point.name!r} ({point.value}) cannot be loaded: {type(e).__name__}: "
                f"{e}. Mend or uninstall its package."
            ) from e
        if not (isinstance(thing, type) and issubclass(thing, base)):
            wanted = f"{'an' if base.__name__[0] in 'AEIOU' else 'a'} {base.__name__}"
            raise ConfigError(f"The entry point {point.name!r} needs {wanted}; it gives {thing!r}. Tell its author.")
        found[getattr(thing, "scheme", "") or point.name] = thing
    return found


def public_name(cls: Any) -> str:
    """Return the name by which a table finds a class: ``acquire.Cyton``; of a plug-in, its scheme."""
    parts = cls.__module__.split(".")
    return f"{parts[1]}.{cls.__name__}" if parts[0] == "ranvier" and len(parts) > 1 else str(cls.scheme)
