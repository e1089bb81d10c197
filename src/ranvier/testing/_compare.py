"""How outputs and states are compared: to the bit, or within the bound that the stage declares."""

from __future__ import annotations

from typing import Any

import numpy as np

from ranvier.stage import Run, Tags
from ranvier.testing._scene import Output


class ConformanceError(AssertionError):
    """A stage broke its contract; the message names the check and the first difference."""


def need(condition: Any, message: str) -> None:
    """Raise `ConformanceError` unless the condition holds."""
    if not condition:
        raise ConformanceError(message)


def same(a: Output, b: Output, tags: Tags, what: str, *, valid_only: bool = False) -> None:
    """Refuse two outputs that differ in index, mask or numbers."""
    need(len(a.index) == len(b.index), f"{what}: {len(a.index)} samples came out, then {len(b.index)}")
    need(np.array_equal(a.index, b.index), f"{what}: the sample indices differ")
    need(np.array_equal(a.valid, b.valid), f"{what}: the masks differ, {_first(a.valid != b.valid)}")
    need((a.at is None) == (b.at is None) and np.array_equal(a.at, b.at), f"{what}: the source indices differ")
    numbers(a.data, b.data, tags, what, a.valid if valid_only else None)


def numbers(x: Any, y: Any, tags: Tags, what: str, where: Any = None) -> None:
    """Refuse numbers that differ by more than the tags allow."""
    if x.dtype.names or tags.exactness != "bounded":
        differ = _bits(x) != _bits(y)
    else:
        scale = np.abs(x).max(initial=0.0) or 1.0
        differ = ~(np.abs(x - y) <= tags.bound * scale)
    if where is not None:
        differ &= where
    if differ.any():
        place = np.argwhere(differ)[0]
        at = tuple(int(i) for i in place)
        raise ConformanceError(f"{what}: {int(differ.sum())} numbers differ, first at {at}: {x[at]} and {y[at]}")


def _bits(x: Any) -> Any:
    x = np.ascontiguousarray(x)
    if x.dtype.names:
        return x.view(np.dtype((np.void, x.dtype.itemsize)))
    return x.view(f"u{x.dtype.itemsize}") if x.dtype.kind in "fiu" else x


def same_state(a: Run, b: Run, tags: Tags, what: str) -> None:
    """Refuse two runs that remember something different."""
    mine, other = a.save(), b.save()
    need(mine.keys() == other.keys(), f"{what}: the states have different names")
    for name, x in mine.items():
        numbers(x, other[name], tags if x.dtype.kind == "f" else Tags(), f"{what}: state {name!r}")


def _first(differ: Any) -> str:
    return f"first at {tuple(int(i) for i in np.argwhere(differ)[0])}" if differ.any() else ""
