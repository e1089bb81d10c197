"""record.export: a recording in a format of others, written aside and then put in its place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from ranvier.errors import ConfigError, FormatError
from ranvier.record._base import BaseRecording
from ranvier.record._export_content import Content, content_of

Advance = Callable[[float], None]  # told how many samples more are done
TARGETS = {
    "xdf": ("_export_xdf", ".xdf"),
    "edf": ("_export_edf", ".edf"),
    "bdf": ("_export_edf", ".bdf"),
    "nwb": ("_export_nwb", ".nwb"),
    "bids": ("_export_bids", ""),
}


class Exported(NamedTuple):
    """What an export made: its files, how many samples and events are in them, and what one should know of them."""

    files: tuple[Path, ...]
    n_samples: int
    n_events: int
    notes: tuple[str, ...]


def export(
    recording: BaseRecording,
    out: str | Path,
    to: str = "",
    *,
    force: bool = False,
    advance: Advance = lambda done: None,
    **options: Any,
) -> Exported:
    """Write a recording in a format of others.

    Parameters
    ----------
    recording
        What `record.open` gave. Of an ``.rvr``: its signal, events, decisions and commands.
    out
        The file; for BIDS the root of the data set, to which the recording is added.
    to
        ``xdf``, ``edf`` (16 bit), ``bdf`` (24 bit), ``nwb`` or ``bids``; by the end of the name unless given.
    force
        Replace what is there.
    advance
        Is told how many samples more are done.
    **options
        BIDS: `subject`, `session`, `task`, `run`, `line_frequency` [Hz] where the recording does not say them.

    Returns
    -------
    Exported
        Its notes say what the format cannot hold: rounding, filled gaps, cut names.

    Raises
    ------
    ConfigError
        An unknown format or option, or a file that is there already.
    FormatError
        What the format cannot hold at all.
    MissingExtraError
        The library that writes it is not installed.
    """
    out = Path(out)
    to = to or next((t for t, (_, end) in TARGETS.items() if end and out.name.lower().endswith(end)), "")
    if to not in TARGETS:
        raise ConfigError(f"export needs one of {', '.join(TARGETS)}; got {to or out.name!r}. Name it (--to).")
    module, end = TARGETS[to]
    if end and out.suffix.lower() != end:
        raise ConfigError(f"export to {to} needs a name that ends in {end}; got {out.name!r}. Rename it.")
    if options and to != "bids":
        raise ConfigError(f"export to {to} has no option {next(iter(options))!r}. Leave it out.")
    write = import_module(f"ranvier.record.{module}").write
    content = content_of(recording)
    if to == "bids":
        files = write(content, out, force, advance, **options)
    else:
        with replacing(out, force) as aside:
            write(content, aside, advance)
        files = [out]
    return Exported(tuple(files), content.n_held, len(content.marks), tuple(content.notes))


@contextmanager
def replacing(out: Path, force: bool) -> Iterator[Path]:
    """Give a name to write at; the file comes to its place when it is whole and on the disk, or not at all."""
    check_free(out, force)
    if not out.parent.is_dir():
        raise ConfigError(f"export needs a folder to write into; {out.parent} does not exist. Make it.")
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    aside = folder / out.name
    try:
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(aside, out)
    except OSError as e:
        raise FormatError(f"{out.name} could not be written: {e}. Free space, or choose another folder.") from e
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_free(out: Path, force: bool) -> None:
    """Refuse to write over what is there."""
    if out.is_dir():
        raise ConfigError(f"export needs a file to write; {out} is a folder. Name another.")
    if out.exists() and not force:
        raise ConfigError(f"{out} is there already. Choose another name, or replace it with --force.")


__all__ = ["Advance", "Content", "Exported", "check_free", "export", "replacing"]
