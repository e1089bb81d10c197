"""Program: what one compiled loop does, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ranvier.kernels._body import Crossings, Gate, Level, Store, Tally, Work

NUMBA = {"i2": "int16", "i4": "int32", "f4": "float32", "f8": "float64"}
LANES = 16  # float32 of a cache line
JOB = 512  # channels that a thread takes at a time: about 10 us of a block of 1 ms
TILE = 64  # instants, at most: two reads of a tile of 1,024 channels stay in the second cache


@dataclass(frozen=True, eq=False)
class Program:
    """What one compiled loop does.

    Parameters
    ----------
    spine
        What stages do to the signal, in order: a `Gate` first or nowhere, `Work`, `Level`.
    ends
        Where the loop ends, each behind the stage of that place (-1: what comes in).
    columns
        First column of each end that puts out rows.
    n_channels
        Channels.
    source, result
        Kinds of the numbers that come in (i2, i4, f4, f8) and go out of every stage (f4, f8).
    joined
        Whether the rows of all ends are one table, which begins where the last of them does.
    shared
        Whether threads share the channels.
    """

    spine: Sequence[Work | Level | Gate]
    ends: Sequence[tuple[int, Store | Tally | Crossings]]
    columns: Sequence[int]
    n_channels: int
    source: str
    result: str
    joined: bool = False
    shared: bool = False

    @property
    def group(self) -> int:
        """Channels of a group; 0 where there are none."""
        return next((e.size for e in self.spine if isinstance(e, Level)), 0)

    @property
    def has_rows(self) -> bool:
        """Whether something comes out once a hop."""
        return any(not isinstance(e, Store) and (isinstance(e, Tally) or e.bin) for _, e in self.ends)

    @property
    def job(self) -> int:
        """Channels that one thread takes at a time: whole groups."""
        return -(-JOB // (self.group or LANES)) * (self.group or LANES)

    @property
    def sharable(self) -> bool:
        """Whether threads may share the channels."""
        return not self.has_events and self.n_channels >= 2 * self.job

    @property
    def has_events(self) -> bool:
        """Whether crossings are written as events."""
        return any(isinstance(e, Crossings) and not e.bin for _, e in self.ends)


def padded(n_channels: int) -> int:
    """Lanes of a row of states: an odd number of cache lines, so that rows do not share places in a cache."""
    lines = -(-n_channels // LANES)
    return (lines + 1 - lines % 2) * LANES
