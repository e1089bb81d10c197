"""Where a recording may go: asked before any device is opened and anything compiles."""

from __future__ import annotations

from pathlib import Path

from ranvier.errors import ConfigError


def need_path(given: object) -> Path | None:
    """Return the path of a recording that is to be made; None where there is to be none."""
    if given is None or isinstance(given, str | Path):
        return None if given is None else Path(given)
    raise ConfigError(f"Session needs a path to record to; got {ascii(given)[:80]}. Give a text that ends in .rvr.")


def need_place(path: Path | None, resume: bool) -> None:
    """Refuse a path at which the recorder could not make a recording, or not go on with one; None is no path.

    Parameters
    ----------
    path
        Of the recording's folder.
    resume
        Whether one that is there may be added to.
    """
    if path is None:
        return
    if path.suffix != ".rvr" or "\0" in str(path):
        raise ConfigError(f"Session needs a recording with a name that ends in .rvr; got {str(path)!r}. Rename it.")
    if not path.parent.is_dir():
        raise ConfigError(
            f"Session needs a folder for its recording; got {str(path)!r}, and {str(path.parent)!r} is none. Make it "
            "first, or record elsewhere."
        )
    if path.is_symlink() and not path.exists():
        raise ConfigError(f"Session needs a place for its recording; {path} is a link to nothing. Remove it.")
    if path.exists() and not resume:
        raise ConfigError(
            f"Session needs a new name for its recording; {path} is there already. Choose another, or resume it."
        )
