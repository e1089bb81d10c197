"""The folder where generated kernels live, and how one is brought in from it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
import sys
import tempfile
import threading
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from ranvier.errors import SafetyError, StateError

_LOADING = threading.RLock()  # a module that another thread is about to fill has no kernel yet


def cache_folder() -> Path:
    """Return the user's kernel cache (``RANVIER_CACHE`` moves it), made with mode 0700 and refused otherwise."""
    if override := os.environ.get("RANVIER_CACHE"):
        base = Path(override)
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home())) / "ranvier"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches" / "ranvier"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ranvier"
    folder = base / "kernels"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as e:
        raise StateError(
            f"The kernel cache needs a folder that can be written; {folder} cannot be made: {e.strerror}. "
            "Set RANVIER_CACHE to a folder of your own."
        ) from e
    if os.name == "posix":
        found = folder.stat()
        if found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise SafetyError(
                f"The kernel cache needs a folder that is yours alone, because code is run from it; got "
                f"{folder} with owner {found.st_uid}, mode {stat.S_IMODE(found.st_mode):o}. "
                f"Run chmod 700 {folder}, or set RANVIER_CACHE to a folder of your own."
            )
    return folder


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """Hash of what generated text relies on: SIMD sources, Numba, llvmlite, Python."""
    import llvmlite
    import numba

    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__} {sys.version_info[:2]}".encode())
    for name in ("_simd.py", "ops.py", "_crossings.py", "_atomic.py", "_part.py"):  # what `_generate._HEAD` imports
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()[:16]


def cpu() -> str:
    """Return what LLVM calls this CPU: kernels are compiled for it."""
    import llvmlite.binding as llvm

    return str(llvm.get_host_cpu_name())


def load_source(text: str) -> ModuleType:
    """Import generated `text` through the cache: written once under its hash, never rewritten in place."""
    with _LOADING:
        return _load(text)


def _load(text: str) -> ModuleType:
    name = f"k_{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    if name in sys.modules:
        return sys.modules[name]
    path = cache_folder() / f"{name}.py"
    try:
        same = path.read_bytes() == text.encode()
    except OSError:
        same = False
    if not same:
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        os.replace(temporary, path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SafetyError(f"The kernel cache needs to be importable; {path} is not. Set RANVIER_CACHE elsewhere.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where Numba looks for it when it loads what it compiled before
    from ranvier.kernels._jit import undisturbed

    try:
        with undisturbed():
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
