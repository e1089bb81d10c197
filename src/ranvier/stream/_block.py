"""Block: a chunk of a signal, with the mask that says what in it is to be trusted."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ContractError

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

LAST = 2**62  # largest index: what is counted on from there still fits int64
_TRUE = b"\x01"  # read-only memory of every mask in which all is valid


@lru_cache(maxsize=256)
def all_valid(shape: tuple[int, ...]) -> Mask:
    """Return a mask of `shape` in which everything is valid; it takes no memory and cannot be written to."""
    return np.ndarray(shape, bool, _TRUE, 0, (0,) * len(shape))


def is_all_valid(valid: Mask) -> bool:
    """Say in constant time that a mask is the kind that `all_valid` makes."""
    return not any(valid.strides) and (valid.size == 0 or bool(valid.item(0)))


def _index(start: object) -> int:
    """Return a sample's index as a plain number, or refuse it."""
    if isinstance(start, int | np.integer) and -LAST <= (index := int(start)) <= LAST:
        return index
    raise ContractError(
        f"Block needs the index of its first sample, a whole number within 2**62 of 0; got {start!r}. Count samples "
        "from the start of the stream."
    )


class Block:
    """A chunk of a signal; ``n == 0`` is a block like any other. The receiver must not write to it.

    Parameters
    ----------
    data
        Shape ``(n, *shape)``: time first, channels contiguous.
    start
        Index of the first sample in its stream.
    valid
        True where a number is to be trusted; broadcastable to `data`; None for everywhere.
    at
        Only where samples come at events: newest source sample of each, shape ``(n,)``.
    """

    __slots__ = ("at", "data", "start", "valid")

    def __init__(self, data: Array, start: int = 0, valid: Mask | None = None, at: Array | None = None) -> None:
        if type(start) is not int or not -LAST <= start <= LAST:
            start = _index(start)
        self.data = data
        self.start = start
        if valid is None:
            valid = all_valid(data.shape)
        elif valid.shape != data.shape:
            try:
                valid = np.broadcast_to(valid, data.shape)
            except ValueError:
                raise ContractError(
                    f"Block needs a mask that broadcasts to its data of shape {data.shape}; "
                    f"got {valid.shape}. Give one truth value a sample and channel, or None."
                ) from None
        if valid.dtype.char != "?":
            raise ContractError(
                f"Block needs a mask of truth values (bool); got {valid.dtype}. Compare it: valid = codes == 0."
            )
        self.valid = valid
        self.at = at

    @property
    def n(self) -> int:
        return int(self.data.shape[0])

    @property
    def stop(self) -> int:
        """Index after the last sample."""
        return self.start + self.n

    def cut(self, a: int, b: int) -> Block:
        """Return the samples from place `a` to place `b` of this block (a view)."""
        at = None if self.at is None else self.at[a:b]
        return Block(self.data[a:b], self.start + a, self.valid[a:b], at)

    def copy(self) -> Block:
        """Return a block that owns its memory."""
        valid = self.valid if is_all_valid(self.valid) else self.valid.copy()
        return Block(self.data.copy(), self.start, valid, None if self.at is None else self.at.copy())

    def __repr__(self) -> str:
        bad = 0 if is_all_valid(self.valid) else int((~self.valid).sum())
        return f"Block({self.n} x {self.data.shape[1:]} {self.data.dtype}, start={self.start}, {bad} invalid)"


def concatenate(blocks: list[Block]) -> Block:
    """Join blocks that follow each other without a jump into one that owns its memory."""
    first = blocks[0]
    if len(blocks) == 1:
        return first.copy()
    data = np.concatenate([b.data for b in blocks])
    if all(is_all_valid(b.valid) for b in blocks):
        valid = None
    else:
        valid = np.concatenate([b.valid for b in blocks])
    at = None if first.at is None else np.concatenate([b.at for b in blocks if b.at is not None])
    start = next((b.start for b in blocks if b.n), first.start)
    return Block(data, start, valid, at)
