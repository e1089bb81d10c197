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

    @property
    def waits(self) -> bool:
        """Whether anything is remembered, so that a channel has to be primed and to settle."""
        return self.settle > 0 or any(s.n_state for s in self.steps)

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
        Channels of every group; groups follow each other and cover all channels. A multiple of 16 where there
        are several.
    least
        How many valid channels a mean needs.
    """

    size: int
    least: int


@dataclass(frozen=True, eq=False)
class Gate:
    """The entrance: what cannot be trusted is marked, and the last value that could be is held instead.

    Parameters
    ----------
    rail
        Magnitude of each channel from which on a sample counts as clipped; infinite for never.
    judged
        Channels for which `flat` counts.
    flat
        How many equal samples in a row are flat, 0 for never.
    """

    rail: np.ndarray[Any, Any]
    judged: np.ndarray[Any, Any]
    flat: int = 0


@dataclass(frozen=True, eq=False)
class Store:
    """An end of the loop: the signal itself is written."""


@dataclass(frozen=True, eq=False)
class Tally:
    """An end of the loop: sums of each channel over hops, and the mean over windows of hops.

    Parameters
    ----------
    body
        ``body(x, s, k) -> x, new_s`` with one sum s.
    hop, hops
        Samples of a hop, hops of a window.
    need
        Valid samples that a window needs.
    """

    body: Function
    hop: int
    hops: int
    need: int


@dataclass(frozen=True, eq=False)
class Crossings:
    """An end of the loop: where channels fall below a threshold that follows their noise.

    Parameters
    ----------
    factor
        Threshold over noise.
    refractory
        Samples after a crossing in which a channel gives no other.
    stride, heard
        Every `stride` samples one is heard; the last `heard` make an estimate.
    weight
        Of a new estimate, at least: until then they are averaged.
    bin
        Samples of a bin in which crossings are counted; 0 where they are written as events.
    """

    factor: float
    refractory: int
    stride: int
    heard: int
    weight: float
    bin: int = 0

    @property
    def least(self) -> int:
        """Valid ones among those heard that an estimate needs."""
        return (self.heard + 1) // 2

    @property
    def step(self) -> int:
        """By how many sizes heard each sixteen channels are estimated later than those before, round and round.

        By the golden section, which spreads the work, however many channels there are.
        """
        return max(round(0.618 * self.heard), 1)


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
