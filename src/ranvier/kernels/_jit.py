"""How kernels are compiled: for stated types, before they are called, kept on disk, without the interpreter's lock.

Numba imports scipy.linalg, if there is one, before it compiles or loads anything, only to see whether there is one:
0.1 s of every start. It is told so without; what it would use of scipy it still imports when it needs it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numba.np.linalg
import numpy as np
from numba import njit, types

__all__ = ["REAL", "Kernel", "kernel", "njit", "undisturbed"]


def _spare_scipy() -> None:
    """Import the one module of Numba that looks for scipy, having answered it before."""
    asked = numba.np.linalg.ensure_blas
    numba.np.linalg.ensure_blas = lambda: None
    try:
        import numba.np.arraymath as asking
    finally:
        numba.np.linalg.ensure_blas = asked
    if getattr(asking, "ensure_blas", asked) is not asked:  # it was imported here, not by somebody before
        asking.ensure_blas = asked
        asking._HAVE_BLAS = find_spec("scipy") is not None


_spare_scipy()
REAL = (types.float32, types.float64)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the collector of cyclic garbage away from what a compiler makes by the million: a fifth of its time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


class Kernel:
    """A kernel for several types of number; ``kernel[dtype]`` is the one for that type, compiled when first asked for.

    Parameters
    ----------
    function
        What is compiled.
    signature
        Numba's signature for one type of number.
    kinds
        Those types.
    """

    def __init__(self, function: Callable[..., Any], signature: Callable[[Any], Any], kinds: tuple[Any, ...]) -> None:
        self.__doc__ = function.__doc__
        self._function, self._signature = function, signature
        self._kinds = {np.dtype(str(kind)): kind for kind in kinds}
        self._ready: dict[np.dtype[Any], Any] = {}

    def __getitem__(self, dtype: Any) -> Callable[..., Any]:
        kind = np.dtype(dtype)
        if kind not in self._ready:
            make = njit(self._signature(self._kinds[kind]), cache=True, nogil=True, no_cfunc_wrapper=True)
            with undisturbed():
                self._ready[kind] = make(self._function)
        found: Callable[..., Any] = self._ready[kind]
        return found


def kernel(signature: Callable[[Any], Any], kinds: tuple[Any, ...] = REAL) -> Callable[[Callable[..., Any]], Kernel]:
    """Return a decorator that makes a `Kernel`."""
    return lambda function: Kernel(function, signature, kinds)
