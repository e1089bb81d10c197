"""What decides the last bit of a result besides the recipe: CPU, versions of the libraries that compute."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

COMPUTE = ("ranvier", "numpy", "numba", "llvmlite", "onnxruntime", "scipy")


def fingerprint() -> dict[str, Any]:
    """Return what the bits of this environment depend on, and a hash of it; equal hashes promise equal bits.

    `portable` stages give the same bits everywhere; the hash is about `exact` and `bounded` ones.
    """
    from ranvier.kernels import cpu

    found: dict[str, Any] = {
        "machine": platform.machine(), "cpu": cpu(), "python": platform.python_version(),
        "system": platform.system(), "libraries": _versions(), "blas": _blas(),
    }  # fmt: skip
    text = json.dumps(found, sort_keys=True)
    return {**found, "hash": hashlib.sha256(text.encode()).hexdigest()[:16]}


def _versions() -> dict[str, str]:
    found = {}
    for name in COMPUTE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _blas() -> str:
    """Return name and version of the BLAS that NumPy was built with."""
    import numpy as np

    built: Any = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {}) if isinstance(built, dict) else {}
    return f"{blas.get('name', '')} {blas.get('version', '')}".strip()
