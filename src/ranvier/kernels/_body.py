"""Body: what happens to one channel at one instant, written with the words of `ranvier.kernels.ops`."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ranvier.errors import ContractError

BODY_OPS = tuple("add sub mul div fma neg absv sqrt minv maxv lt le both either other select like".split())

Function = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Step:
    """One body with its coefficients and the precision that it runs in.

    Parameters
    ----------
    body
        ``body(x, s, k) -> y, new_s``: value, tuple of states, tuple of coefficients.
    coefficients
        One number, or one array of ``(n_channels,)``, for each of k.
    n_state
        How many states a channel has.
    prime
        ``prime(x, k) -> s``: the state as if the first valid sample had been there for ever; None
        where there is no state.
    precision
        ``f4`` or ``f8``: what the body computes in.
    """

    body: Function
    coefficients: Sequence[Any] = ()
    n_state: int = 0
    prime: Function | None = None
    precision: str = "f4"

    def __post_init__(self) -> None:
        if self.n_state and self.prime is None:
            who = f"{self.body.__module__}.{self.body.__qualname__}"
            raise ContractError(
                f"Step needs prime where there is state; got n_state={self.n_state} and prime=None for body {who}. "
                "Write prime(x, k) -> s: the state as if x had been there for ever."
            )


@dataclass(frozen=True, eq=False)
class Work:
    """The steps of one stage, and for how many samples after priming its output is marked invalid."""

    steps: tuple[Step, ...]
    settle: int = 0

    def coefficients(self, precision: str, n_channels: int) -> list[np.ndarray[Any, Any]]:
        """Return the coefficient rows of one precision, one number a channel."""
        return [
            np.broadcast_to(np.asarray(value, dtype=precision), (n_channels,))
            for step in self.steps
            if step.precision == precision
            for value in step.coefficients
        ]


@dataclass(frozen=True, eq=False)
class Level:
    """A stage that takes the mean of each group of neighbouring channels away from them.

    The order of the sums is that of `ranvier.kernels._reference`.

    Parameters
    ----------
    size
        Channels of every group, a multiple of 16; groups follow each other and cover all channels.
    least
        How many valid channels a mean needs.
    """

    size: int
    least: int


_ALLOWED = (
    ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.Return, ast.Tuple, ast.Name, ast.Call,
    ast.Subscript, ast.Constant, ast.UnaryOp, ast.USub, ast.Load, ast.Store,
)  # fmt: skip


@lru_cache(maxsize=512)
def body_text(function: Function, arity: int) -> str:
    """Return the text of a body under the name ``NAME``, after checking that it uses allowed words only."""
    who = f"{function.__module__}.{function.__qualname__}"
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError) as e:
        raise ContractError(f"Body {who} needs its source text to be compiled; got {e}. Define it in a file.") from e
    if not isinstance(tree, ast.FunctionDef) or len(tree.args.args) != arity:
        raise ContractError(f"Body {who} needs a plain function of {arity} arguments. See CONTRIBUTING.md, step 3.")
    if tree.body and isinstance(tree.body[0], ast.Expr) and isinstance(tree.body[0].value, ast.Constant):
        tree.body = tree.body[1:]
    tree.returns, tree.decorator_list, tree.name = None, [], "NAME"
    known = {a.arg for a in tree.args.args}
    for a in tree.args.args:
        a.annotation = None
    calls = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            known.add(node.id)
    for node in ast.walk(tree):
        word = type(node).__name__
        if not isinstance(node, _ALLOWED):
            line = getattr(node, "lineno", "?")
            raise ContractError(
                f"Body {who} may use named operations only ({' '.join(BODY_OPS)}); got {word} in its line {line}. "
                "Write add(a, b) for a + b, select(mask, a, b) for if, like(x, 0.5) for a literal."
            )
        if isinstance(node, ast.Name) and node.id not in known and not (id(node) in calls and node.id in BODY_OPS):
            raise ContractError(
                f"Body {who} may use its arguments and the operations {' '.join(BODY_OPS)}; got {node.id!r}. "
                "Pass numbers in as coefficients k."
            )
    return ast.unparse(tree)
