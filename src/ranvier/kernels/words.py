"""The names that bodies are written with, for editors and linters; a body is compiled, never called.

Import from here in the file that holds a body: ``from ranvier.kernels.words import fma, mul``. What
each word does stands in `ranvier.kernels.ops`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ranvier.errors import StateError
from ranvier.kernels._body import BODY_OPS


def _word(name: str) -> Callable[..., Any]:
    def word(*_: Any) -> Any:
        raise StateError(f"{name} is a word of a body, which is compiled and not called. Run the stage instead.")

    word.__name__ = name
    return word


add, sub, mul, div, fma, neg, absv, sqrt, minv, maxv, lt, le, both, either, other, select, like = map(_word, BODY_OPS)
