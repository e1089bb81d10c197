"""State: everything a running stage remembers, as plain arrays of fixed size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ranvier.errors import StateError
from ranvier.stream import Array


class State:
    """What one stage remembers between chunks; a `Run` owns it.

    Parameters
    ----------
    design
        What was worked out at `init` and never changes: coefficients, kernels, scratch memory.
    children
        States of the stages inside this one.
    **arrays
        What changes: arrays whose shape, dtype and memory stay the same for the whole run, so that
        saving and restoring are generic. A counter is an int64 array of shape ``(1,)``.
    """

    __slots__ = ("_initial", "arrays", "children", "design")

    def __init__(self, design: Any = None, children: Mapping[str, State] | None = None, **arrays: Array) -> None:
        self.design = design
        self.children = dict(children or {})
        self.arrays = arrays
        self._initial = {name: a.copy() for name, a in arrays.items()}

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def reset(self) -> None:
        """Go back to the state of a fresh start, children included."""
        for name, a in self._initial.items():
            self.arrays[name][...] = a
        for child in self.children.values():
            child.reset()

    def flat(self, prefix: str = "") -> dict[str, Array]:
        """Return every array under a flat name (live memory, not copies)."""
        out = {prefix + name: a for name, a in self.arrays.items()}
        for name, child in self.children.items():
            out |= child.flat(f"{prefix}{name}/")
        return out

    def load(self, saved: Mapping[str, Array]) -> None:
        """Copy saved arrays in place; names, shapes and dtypes must be the ones this state has."""
        mine = self.flat()
        if mine.keys() != saved.keys():
            odd = sorted(mine.keys() ^ saved.keys())[:4]
            raise StateError(f"restore needs the state of the same graph; it differs in {odd}. Restore what it saved.")
        for name, a in mine.items():
            value = np.asarray(saved[name])
            if value.shape != a.shape or value.dtype != a.dtype:
                raise StateError(
                    f"restore needs {name} as {a.dtype} {a.shape}; got {value.dtype} {value.shape}. "
                    "Restore the state of the same graph on the same stream."
                )
        for name, a in mine.items():
            a[...] = saved[name]

    @property
    def nbytes(self) -> int:
        """Size of everything that is saved [bytes]."""
        return sum(a.nbytes for a in self.flat().values())


def counter(value: int = 0) -> Array:
    """Make a state array that holds one integer."""
    return np.array([value], dtype=np.int64)
