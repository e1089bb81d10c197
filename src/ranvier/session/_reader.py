"""Reader: one who follows a ring at its own pace and can delay nobody."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ranvier.errors import ContractError, FormatError
from ranvier.session._layout import Layout
from ranvier.session._memory import Bytes
from ranvier.session._wake import Waiter, Wake
from ranvier.stream import Block, StreamInfo, all_valid

if TYPE_CHECKING:
    from typing import Self

LONGEST = 86_400  # s that can be waited for at once
ROOM = 8  # the part of a ring, one in so many slots, that the writer must go before it reaches what is read


class Reader:
    """Reads a ring; make one by `Ring.reader` or `Ring.attach`.

    It sees every sample written since it was made, in blocks as they were written, or counts what it missed: the index
    jumps there, and every stage behind starts afresh. Blocks are views of the ring's memory, which the writer goes on
    to use. What was made of one may be trusted if `intact` says so afterwards.

    Attributes
    ----------
    info
        What flows.
    arrival
        When the last block was published [ns of time.monotonic].
    lost_blocks, lost_samples
        Overwritten before they were read, and counted exactly.
    skipped_blocks, skipped_samples
        Left out on purpose by a reader of the newest.
    """

    def __init__(
        self,
        info: StreamInfo,
        layout: Layout,
        memory: Bytes,
        wake: Wake,
        connection: socket.socket | None,
        leave: Callable[[Wake], None],
        newest: bool,
        backlog: bool = False,
    ) -> None:
        from ranvier.kernels import _ring as words

        self.info = info
        self.arrival = 0
        self.lost_blocks = self.lost_samples = 0
        self.skipped_blocks = self.skipped_samples = 0
        self._memory = memory  # what the addresses below lie in
        self._base = int(memory.__array_interface__["data"][0])
        self._heads = self._base + layout.heads_at
        self._slots, self._rows = layout.slots, layout.rows
        self._data = layout.data(memory, info)
        self._data.flags.writeable = False
        self._valid = all_valid(self._data.shape[1:])
        self._take, self._whole, self._over = words.take, words.is_whole, words.is_closed
        self._written = memory.data[words.WRITTEN : words.WRITTEN + 8].cast("q")  # a hint; `take` makes sure
        self._lasts = float(1 / info.rate) if info.rate else 0.0  # s a sample
        self._room = max(layout.slots // ROOM, 1)
        self._newest = newest
        self._wake, self._connection, self._leave = wake, connection, leave
        self._waiter = Waiter(wake.fileno(), *([] if connection is None else [connection.fileno()]))
        self._parting = None if connection is None else Waiter(connection.fileno())
        self._open, self._forsaken = True, False
        self._cursor = self._before = self._last = self._n = 0
        found = self._look(True)
        if found is not None:  # begin with the newest there is, or behind it
            _, k, _, n, _, before = found
            self._cursor, self._before = (k, before) if newest else (k + 1, before + n)
            if backlog:
                self._cursor = max(k + 1 - layout.slots + 2 * self._room, 0)
                found = self._look(False)
                if found is not None:
                    self._cursor, self._before = found[1], found[5]

    def wait(self, timeout: float, spin: float = 0.0) -> bool:
        """Wait until there is something to read, at most `timeout` [s]; False: there is not, or never will be.

        Who sleeps is woken late, by some 50 us on a machine that is at rest. With `spin` it is awake from so long [s]
        before the next block is due, as long after the last as that lasts, until so long after that, and looks again
        and again: up to twice that part of a core.
        """
        if not isinstance(timeout, int | float) or not timeout <= LONGEST:
            raise ContractError(f"Ring needs a timeout of at most {LONGEST:,} s; got {timeout!r}. Take 1 s and repeat.")
        deadline = early = late = 0.0
        while self._written[0] == self._cursor:
            if self.closed:
                return self._written[0] != self._cursor
            now = time.monotonic()
            if not deadline:
                deadline = early = late = now + timeout
                if spin and self.arrival:
                    due = self.arrival / 1e9 + self._n * self._lasts
                    early, late = due - spin, min(due + spin, deadline)
            if early <= now < late:
                time.sleep(0)  # a thread that writes must come to its turn
                continue
            until = early if now < early < deadline else deadline
            ready = self._waiter(until - now)
            if ready:
                self._wake.clear()
            elif until == deadline:
                return self._written[0] != self._cursor
            if self._connection is not None and self._connection.fileno() in ready:
                self._forsaken = True
        return True

    def read(self) -> Block | None:
        """Return the next block, or the newest, as a view; None while there is none."""
        found = self._look(self._newest)
        if found is None:
            return None
        _, k, start, n, self.arrival, before = found
        if k != self._cursor:
            blocks, samples = k - self._cursor, before - self._before
            if self._newest:
                self.skipped_blocks += blocks
                self.skipped_samples += samples
            else:
                self.lost_blocks += blocks
                self.lost_samples += samples
        self._last, self._n, self._cursor, self._before = k, n, k + 1, before + n
        return Block(self._data[k % self._slots, :n], start, self._valid if n == self._rows else None)

    def intact(self) -> bool:
        """Say that nothing of the block that was read last has been overwritten so far; otherwise count it as lost.

        A block that is not intact is followed by a jump of the index. Whatever was made of it must be thrown away.
        """
        if self._whole(self._base, self._slots, self._last):
            return True
        self.lost_blocks += 1 if self._n else 0
        self.lost_samples += self._n
        self._n = 0
        return False

    @property
    def rows(self) -> int:
        """Most samples of one block."""
        return self._rows

    @property
    def passed(self) -> int:
        """Samples that were written before what is read next."""
        return self._before

    @property
    def ready(self) -> bool:
        """Whether there is something to read."""
        return bool(self._written[0] != self._cursor)

    def filenos(self) -> list[int]:
        """Return what can be waited on together with other things; tell `woken` what of it was readable."""
        return [self._wake.fileno(), *([] if self._connection is None else [self._connection.fileno()])]

    def woken(self, ready: Sequence[int]) -> None:
        """Take note of what was readable."""
        if self._wake.fileno() in ready:
            self._wake.clear()
        if self._connection is not None and self._connection.fileno() in ready:
            self._forsaken = True

    @property
    def closed(self) -> bool:
        """Whether nothing new will come: the writer has closed, or is no more, or this reader was closed."""
        if not self._forsaken and self._parting is not None and self._parting(0.0):
            self._forsaken = True  # it said nothing before and says nothing now: it is no more
        return not self._open or self._forsaken or bool(self._over(self._base))

    def close(self) -> None:
        """Follow no longer. What was read stays readable; closing twice does no harm."""
        if self._open:
            self._open, self._parting = False, None
            self._leave(self._wake)
            if self._connection is not None:
                self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _look(self, newest: bool) -> tuple[int, ...] | None:
        found: Any = self._take(self._base, self._heads, self._slots, self._rows, self._cursor, self._room, newest)
        if found[0] < 0:
            raise FormatError(
                f"Ring needs a writer whose counters go on; got {self.info.name!r} with counters or a head that make "
                f"no sense at block {self._cursor} (process {os.getpid()}). Restart the writer."
            )
        return found if found[0] else None
