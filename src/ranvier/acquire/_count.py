"""DeviceCount: a device's own count of samples, unwrapped; what is out of line is told."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ranvier.acquire._source import Counters

REMEMBERED = 64  # gaps in which a late packet is still recognised as late


@dataclass(eq=False)
class DeviceCount:
    """Turn the counts that a device gives its packets into indices, and tell what is missing or came twice.

    Parameters
    ----------
    counters
        Where it is told: gaps, lost, duplicates, reordered, wraps.
    wrap
        The count after which the device begins again at 0; None for never.
    first
        The count of index 0; None for the first that comes.
    floor, anew
        Indices below `floor` belong to the time before: where the first count falls there, the device has begun anew,
        and its first sample gets the index `anew`.
    patience
        Samples in a row, all of them behind the newest, after which the device is taken to have begun anew
        (`restarted`).
    """

    counters: Counters
    wrap: int | None = None
    first: int | None = None
    floor: int = 0
    anew: int = 0
    patience: int = 1 << 16

    next: int = 0  # index behind the newest
    _begun: bool = False
    _turn: int = 0  # times that the device had begun again at 0, before its first sample here
    _gaps: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _late: tuple[int, int] = (0, 0)  # where a row of late packets goes on, and how many samples it has

    @property
    def begun(self) -> bool:
        """Whether a sample came."""
        return self._begun

    @property
    def restarted(self) -> bool:
        """Whether the device counts from an earlier number on, and does not come back."""
        return self._late[1] > self.patience

    def index(self, count: int) -> int:
        """Return the index of a count near the newest."""
        step = count - (self.first or 0) - self.next
        if self.wrap is not None:
            step = (step + self.wrap // 2) % self.wrap - self.wrap // 2
        return self.next + step

    def place(self, count: int, n: int) -> tuple[int, int]:
        """Return the index of the first of `n` samples, and how many of them are to be thrown away (came before)."""
        if not self._begun:
            self._begin(count)
        index = self.index(count)
        behind = self.next - index
        if behind >= n:
            row = self._late[1] if self._late[0] == index else 0
            self._late = (index + n, row + n)
            late = self._fits_a_gap(index, n)
            self.counters.reordered += n if late else 0
            self.counters.duplicates += 0 if late else n
            return index, n
        if behind < 0:
            self.counters.gaps += 1
            self.counters.lost -= behind
            self._gaps.append((self.next, index))
        known = max(behind, 0)
        self.counters.duplicates += known
        self.next, self._late = index + n, (0, 0)
        if self.wrap is not None:
            turn = (self.next - 1 + (self.first or 0)) // self.wrap
            self.counters.wraps += turn - self._turn
            self._turn = turn
        return index, known

    def _begin(self, count: int) -> None:
        if self.first is None or count - self.first < self.floor:
            self.first = count - self.anew
        self.next = count - self.first
        self._turn = 0 if self.wrap is None else count // self.wrap
        self._begun = True

    def _fits_a_gap(self, index: int, n: int) -> bool:
        for i, (a, b) in enumerate(self._gaps):
            if a <= index and index + n <= b:
                del self._gaps[i]
                self._gaps.extend(g for g in ((a, index), (index + n, b)) if g[0] < g[1])
                return True
        return False
