"""From a name in a file to a class: built-in rooms and installed entry points, never an import path."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ranvier.errors import ConfigError
from ranvier.stage._align import Align
from ranvier.stage._stage import Stage
from ranvier.stage._trainable import Trainable

ROOMS = ("channels", "denoise", "features", "decode", "act")
JOIN = "stage.Align"  # what joins streams lies in no room of its own


def _plugins() -> Any:
    from importlib.metadata import entry_points  # slow to import

    return entry_points(group="ranvier.stages")


def _in_room(room: str) -> dict[str, type]:
    module = import_module(f"ranvier.{room}")
    found = {}
    for name in getattr(module, "__all__", ()):
        thing = getattr(module, name)
        if isinstance(thing, type) and issubclass(thing, Stage | Trainable):
            found[f"{room}.{name}"] = thing
    return found


def builtin() -> dict[str, type]:
    """Return every public stage and trainable of the package, ``room.Name`` -> class."""
    return {name: thing for room in ROOMS for name, thing in _in_room(room).items()}


def resolve(use: Any, key: str = "use") -> type:
    """Return the class behind ``denoise.Bandpass`` or an installed entry point of group ``ranvier.stages``."""
    if use == JOIN:
        return Align
    if isinstance(use, str):
        room = use.split(".")[0]
        if room in ROOMS and use.count(".") == 1:
            found = _in_room(room)
            if use in found:
                return found[use]
            raise ConfigError(f"{key} needs a stage of {room}: {', '.join(sorted(found))}; got {use!r}. Mend the name.")
        for point in _plugins():
            if point.name == use:
                try:
                    thing = point.load()
                except Exception as e:  # whatever an installed package raises when it is imported
                    raise ConfigError(
                        f"{key} needs a stage; the entry point {use!r} ({point.value}) cannot be loaded: "
                        f"{type(e).__name__}: {e}. Mend or uninstall its package."
                    ) from e
                if isinstance(thing, type) and issubclass(thing, Stage | Trainable):
                    return thing
                raise ConfigError(f"{key} needs a stage; the entry point {use!r} gives {thing!r}. Tell its author.")
    raise ConfigError(
        f"{key} needs a built-in name such as 'denoise.Bandpass' (rooms: {', '.join(ROOMS)}) or the name of an "
        f"installed entry point; got {use!r}. See `ranvier stages`."
    )


def name_of(thing: Any) -> str:
    """Return the name by which `resolve` finds the class of a stage."""
    cls = type(thing)
    if cls is Align:
        return JOIN
    parts = cls.__module__.split(".")
    if parts[0] == "ranvier" and len(parts) > 1 and parts[1] in ROOMS:
        return f"{parts[1]}.{cls.__name__}"
    for point in _plugins():
        if point.value == f"{cls.__module__}:{cls.__qualname__}":
            return str(point.name)
    raise ConfigError(
        f"{cls.__name__} needs a public name to be written to a file; got a class of {cls.__module__}. "
        "Publish it as an entry point of group 'ranvier.stages'."
    )
