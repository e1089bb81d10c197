"""The folder that a cleaning leaves: report, pipeline, model, figures; all of it or nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ranvier.errors import ConfigError
from ranvier.stage import Stage, save_model

REPORT, TOML, MODEL, FIGURES = "report.html", "pipeline.toml", "pipeline.rvm", "clean.json"


def check_folder(folder: Path, force: bool) -> None:
    """Refuse, before anything long begins, a folder that cannot be made or that holds something."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ConfigError(f"--out needs a folder; {folder} is a file or a link. Name another one.")
    if not folder.parent.is_dir():
        raise ConfigError(f"--out needs a folder in one that exists; {folder.parent} does not. Make it first.")
    if folder.is_dir() and not force and any(folder.iterdir()):
        raise ConfigError(
            f"--out needs a new or empty folder; {folder} holds something. Name another one, or add --force."
        )
    if taken := [name for name in (REPORT, TOML, MODEL, FIGURES) if (folder / name).is_dir()]:
        raise ConfigError(f"--out needs to write {taken[0]}; {folder / taken[0]} is a folder. Name another one.")
    if not os.access(folder if folder.is_dir() else folder.parent, os.W_OK):
        raise ConfigError(f"--out needs a place that can be written; {folder.parent} cannot be. Name another one.")


def write_folder(
    folder: Path,
    page: str,
    toml: str,
    model: Stage | None,
    provenance: Mapping[str, Any],
    figures: Mapping[str, Any],
    force: bool = False,
) -> list[str]:
    """Write everything beside the folder, then put it in its place; return the names of the files.

    What else a folder holds stays as it is. It is checked again: another run may have written it meanwhile.
    """
    folder = folder.absolute()
    part = folder.with_name(f".clean-{os.getpid()}.part")  # a name of its own: theirs may be as long as names can be
    try:
        part.mkdir()
        (part / REPORT).write_text(page, encoding="utf-8")
        (part / TOML).write_text(toml, encoding="utf-8")
        if model is not None:
            save_model(model, part / MODEL, provenance)
        (part / FIGURES).write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        written = sorted(p.name for p in part.iterdir())
        check_folder(folder, force)
        if folder.is_dir():
            for name in written:
                (part / name).replace(folder / name)
            if model is None:
                (folder / MODEL).unlink(missing_ok=True)  # of an earlier pipeline
        else:
            part.rename(folder)
        return written
    except OSError as e:
        raise ConfigError(f"--out needs a place that can be written; {folder} cannot be: {e}. Name another one.") from e
    finally:
        shutil.rmtree(part, ignore_errors=True)
