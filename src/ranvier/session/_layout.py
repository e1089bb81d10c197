"""Where in a ring's memory everything lies, and the header that says so to others."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import FormatError
from ranvier.session._describe import from_bytes, to_bytes
from ranvier.stream import DTYPES, Array, StreamInfo

MAGIC = int.from_bytes(b"RANVIER\x07", "little")
SCHEMA = 1
LINE = 64  # bytes of a cache line
PAGE = 4096
HEAD = 64  # bytes a slot for start, n, arrival, samples before
_WORDS = 9  # int64 at the start of the memory: magic, schema, size, dtype, values, rows, slots, described, stride
_MOST = 2**40  # bytes; larger sizes are nonsense
FEWEST = 4  # slots


@dataclass(frozen=True)
class Layout:
    """Sizes of a ring: one page of header, the stream's description, a head a slot, the slots.

    A row is one sample of all channels. Its stride is an odd number of cache lines, so that the same channel of
    successive rows never falls into the same set of a cache, which powers of two would make it do.

    Parameters
    ----------
    dtype
        Place in `DTYPES`.
    values
        Numbers in a row.
    rows
        Most samples of one slot.
    slots
        How many.
    described
        Length of the description [bytes].
    """

    dtype: int
    values: int
    rows: int
    slots: int
    described: int

    @classmethod
    def of(cls, info: StreamInfo, rows: int, slots: int) -> Layout:
        """Lay out a ring for a stream."""
        described = len(to_bytes(info))  # refuses what has no place here
        return cls(DTYPES.index(info.dtype.name), prod(info.shape), rows, slots, described)

    @property
    def stride(self) -> int:
        """From one row to the next [bytes]."""
        lines = -(-self.values * np.dtype(DTYPES[self.dtype]).itemsize // LINE)
        return (lines | 1) * LINE

    @property
    def heads_at(self) -> int:
        """Where the heads of the slots begin [bytes]."""
        return PAGE + -(-self.described // LINE) * LINE

    @property
    def data_at(self) -> int:
        """Where the first row begins [bytes]."""
        return -(-(self.heads_at + self.slots * HEAD) // PAGE) * PAGE

    @property
    def nbytes(self) -> int:
        """All of it."""
        return self.data_at + self.slots * self.rows * self.stride

    def write(self, memory: npt.NDArray[np.uint8], info: StreamInfo) -> None:
        """Write header and description; the magic number last."""
        words = memory[: _WORDS * 8].view(np.int64)
        words[1:] = [
            SCHEMA, self.nbytes, self.dtype, self.values, self.rows, self.slots, self.described, self.stride,
        ]  # fmt: skip
        memory[PAGE : PAGE + self.described] = np.frombuffer(to_bytes(info), np.uint8)
        words[0] = MAGIC

    def data(self, memory: npt.NDArray[np.uint8], info: StreamInfo) -> Array:
        """Return the slots as an array ``(slots, rows, *shape)`` with padded rows."""
        inner = np.dtype(info.dtype).itemsize * np.cumprod([1, *info.shape[:0:-1]], dtype=np.int64)[::-1]
        strides = (self.rows * self.stride, self.stride, *(int(s) for s in inner))
        shape = (self.slots, self.rows, *info.shape)
        return np.ndarray(shape, info.dtype, memory, self.data_at, strides)


def read_header(head: bytes, size: int) -> Layout:
    """Return the layout that a header claims, if it is one and the memory is as large as it says.

    Parameters
    ----------
    head
        The first page.
    size
        Of the memory [bytes], as the system knows it.

    Raises
    ------
    FormatError
        Where anything does not fit.
    """
    if len(head) < PAGE:
        raise _refused(f"{len(head)} bytes, less than a header")
    magic, schema, total, dtype, values, rows, slots, described, stride = np.frombuffer(head, np.int64, _WORDS).tolist()
    if magic != MAGIC:
        raise _refused("something that does not begin like one")
    if schema != SCHEMA:
        raise _refused(f"schema {schema} instead of {SCHEMA}")
    if not 0 <= dtype < len(DTYPES):
        raise _refused(f"a number type {dtype} that is not known")
    bounds: dict[str, tuple[int, int]] = {
        "numbers in a row": (values, 1), "rows in a slot": (rows, 1), "slots": (slots, FEWEST),
        "bytes of description": (described, 2),
    }  # fmt: skip
    for what, (value, least) in bounds.items():
        if not least <= value <= _MOST:
            raise _refused(f"{value} {what}")
    layout = Layout(dtype, values, rows, slots, described)
    if not layout.nbytes == total == size or stride != layout.stride:
        raise _refused(f"a claim of {total} bytes with rows of {stride} for {layout.nbytes} in a memory of {size}")
    return layout


def read_info(layout: Layout, memory: Any) -> StreamInfo:
    """Return the description in a memory whose header was read, if it is of the very rows that lie there."""
    info = from_bytes(bytes(memory[PAGE : PAGE + layout.described]))
    if (DTYPES.index(info.dtype.name), prod(info.shape)) != (layout.dtype, layout.values):
        raise _refused(f"a description of samples {info.dtype} {info.shape} that are not those in the header")
    return info


def _refused(got: str) -> FormatError:
    return FormatError(
        f"Ring needs memory that a ring of schema {SCHEMA} was laid out in; got {got}. Attach to a ring made by this "
        "version of Ranvier, and by no other program."
    )
