"""Pipeline files (TOML) and model files (TOML + arrays in one safetensors file); never pickle."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ranvier.errors import ConfigError, ModelError
from ranvier.stage._config import Arrays, from_table, to_table
from ranvier.stage._stage import Stage
from ranvier.stage._trainable import Trainable

MODEL_KEY = "ranvier"


def parse_pipeline(text: str, name: str = "pipeline") -> Any:
    """Return the stage, graph or recipe that a TOML text describes."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as e:  # also of an integer of thousands of digits
        raise ConfigError(f"{name} needs to be valid TOML; {e}. Mend that line.") from e
    try:
        return from_table(table)
    except ConfigError as e:
        raise ConfigError(f"{name}: {e}") from e
    except RecursionError as e:
        raise ConfigError(f"{name} needs fewer stages inside each other; got too many. Flatten the branches.") from e


def load_pipeline(path: str | Path) -> Any:
    """Return what a pipeline file (``.toml``) or a model file (``.rvm``) describes."""
    path = Path(path)
    if path.suffix == ".rvm":
        return load_model(path)
    if _waits(path):
        raise ConfigError(f"{path} needs to be a readable TOML file; it is no file. Check the path.")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path} needs to be a readable TOML file; {_why(e)}. Check the path.") from e
    return parse_pipeline(text, str(path))


def dump_pipeline(stage: Stage | Trainable) -> str:
    """Return a pipeline as TOML text; `parse_pipeline` gives an equal one back."""
    import tomli_w

    return tomli_w.dumps(to_table(stage))


def save_model(stage: Stage, path: str | Path, provenance: Mapping[str, Any] | None = None) -> None:
    """Write a fitted stage to one file: arrays as safetensors, its TOML and provenance in the header.

    Parameters
    ----------
    provenance
        Recording hashes, protocol, score, versions: plain values that can be written as JSON.
    """
    import tomli_w
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays: Arrays = {}
    table = to_table(stage, arrays)
    header = {MODEL_KEY: tomli_w.dumps(table), "id": stage.id, "provenance": json.dumps(dict(provenance or {}))}
    import numpy as np

    try:
        save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, str(path), metadata=header)
    except SafetensorError as e:
        raise ModelError(f"A model needs a place that can be written; {path} cannot be: {e}. Name another file.") from e


def load_model(path: str | Path) -> Stage:
    """Read a model file; a damaged or altered one is refused."""
    stage, header = _read(path)
    if stage.id != header.get("id"):
        raise ModelError(f"{path} needs the content that it was saved with; its id differs. Fetch a whole copy of it.")
    return stage


def model_provenance(path: str | Path) -> dict[str, Any]:
    """Return what a model file says about where it comes from."""
    header = _read(path)[1]
    try:
        found = json.loads(header.get("provenance", "{}"))
    except (ValueError, RecursionError) as e:
        raise ModelError(f"{path} needs provenance that is JSON; {_why(e)}. Fetch a whole copy of it.") from e
    return found if isinstance(found, dict) else {}


def _read(path: str | Path) -> tuple[Stage, dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    if _waits(path):
        raise ModelError(f"{path} needs to be a whole model file; it is no file. Check the path, or fit again.")
    try:
        with safe_open(str(path), framework="numpy") as file:
            header = dict(file.metadata() or {})
            arrays: Arrays = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as e:
        raise ModelError(f"{path} needs to be a whole model file; {_why(e)}. Check the path, or fit again.") from e
    try:
        table = tomllib.loads(header[MODEL_KEY])
        stage = from_table(table, arrays)
    except (KeyError, TypeError, ValueError, RecursionError, ConfigError) as e:
        raise ModelError(f"{path} needs to hold a Ranvier model; {_why(e)}. Was it made by another program?") from e
    if not isinstance(stage, Stage):
        raise ModelError(f"{path} needs a fitted stage; it holds a recipe. Fit it first.")
    return stage, header


def _waits(path: str | Path) -> bool:
    """Say whether a path is neither file nor nothing: to open a pipe would wait for ever, where no signal is heard."""
    return Path(path).exists() and not Path(path).is_file()


def _why(e: BaseException) -> str:
    return f"{type(e).__name__}: {e}".replace("\n", " ")
