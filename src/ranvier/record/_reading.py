"""Reading with other people's libraries: imported when needed, their errors and warnings made ours."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from ranvier.errors import FormatError, MissingExtraError, RanvierError

LARGEST_JSON = 64 << 20  # bytes of a JSON file; parsed, it takes ten times as much
LARGEST_PART = 4 << 30  # bytes of one part of a packed file, unpacked
MOST_PACKED = 1100  # deflate packs no more than 1032 to 1 (zlib.net, "Technical Details")


def need(library: str, who: str) -> ModuleType:
    """Import a library of the extra ``record``, or say how to install it."""
    try:
        return import_module(library)
    except ImportError as error:
        raise MissingExtraError(who, library, "record") from error


@contextmanager
def guarded(path: Path, notes: list[str], doing: str) -> Iterator[None]:
    """Turn what a library raises into a `FormatError`, and what it warns about into notes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except RanvierError:
            raise
        except MemoryError as error:
            raise FormatError(
                f"{path.name} asks for more memory than there is while {doing}. "
                "The file is damaged, or too large for this computer; get a fresh copy, or read it on a larger one."
            ) from error
        except Exception as error:
            what = " ".join(str(error).split())[:300] or type(error).__name__
            raise FormatError(
                f"{path.name} could not be read while {doing}: {type(error).__name__}: {what}. "
                "The file is damaged or not what its name says; get a fresh copy and compare their sizes."
            ) from error
        finally:
            for warning in caught:
                text = " ".join(str(warning.message).split())
                if "does not conform to MNE naming conventions" not in text and text not in notes:
                    notes.append(text)


def read_json(path: Path) -> Any:
    """Return what a JSON file of at most `LARGEST_JSON` bytes says, or name the line where it stops being one."""
    import json

    size = path.stat().st_size if path.is_file() else 0
    if size > LARGEST_JSON:
        raise FormatError(
            f"{path.name} needs at most {LARGEST_JSON >> 20} MiB to be read as JSON; got {size / (1 << 20):.1f} MiB. "
            "Split it, or get a fresh copy."
        )
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"{path.name} is not readable as JSON: {error}. Mend or replace it.") from error
