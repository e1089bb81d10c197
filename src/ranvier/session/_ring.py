"""Ring: memory through which one writer hands blocks to many readers, in this process and in others."""

from __future__ import annotations

import os
import time
from math import ceil
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from ranvier.errors import ContractError, StateError
from ranvier.session._door import Door, knock
from ranvier.session._layout import FEWEST, PAGE, Layout, read_header, read_info
from ranvier.session._memory import allocate, look
from ranvier.session._reader import ROOM, Reader
from ranvier.session._wake import Wake, new_wake
from ranvier.stream import Array, StreamInfo

if TYPE_CHECKING:
    from typing import Self

LAST = 2**62  # largest index of a sample: what is counted on from there still fits int64


class Ring:
    """A stream's last seconds in memory: written once, read by many.

    The writer never waits: a reader that is slow, stuck or dead loses samples, and counts them, without anybody else
    noticing. It is the writer's: with it, in whatever way it ends, the ring ends, and leaves nothing behind.

    Memory is cut into slots of one block each, so that no block ever wraps; samples stay as they were delivered
    (int16, int32, float32, float64). There is no mask in it: codecs deliver numbers and leave out indices that they
    did not receive, and `denoise.Integrity` behind the ring makes the mask.

    Make it by `create`; use it in one thread.

    >>> info = StreamInfo.signal(1000, 4, dtype="int16")
    >>> with Ring.create(info, seconds=0.1, block=10) as ring, ring.reader() as reader:
    ...     _ = ring.write(np.ones((10, 4), "int16"))
    ...     with ring.slot(10, start=50) as rows:  # 40 samples were not received
    ...         rows[:] = 2
    ...     [(b.start, b.n, reader.intact()) for b in (reader.read(), reader.read())]
    [(0, 10, True), (50, 10, True)]
    """

    def __init__(self, info: StreamInfo, layout: Layout, name: str | None) -> None:
        from ranvier.kernels import _ring as words

        self.info = info
        self.block, self.slots, self.nbytes = layout.rows, layout.slots, layout.nbytes
        self.name = name
        self._layout = layout
        self._memory, handed_out = allocate(layout.nbytes)
        layout.write(self._memory, info)
        self._base = int(self._memory.__array_interface__["data"][0])
        self._heads = self._base + layout.heads_at
        self._data = layout.data(self._memory, info)
        self._publish, self._close, self._head = words.publish, words.close, words.HEAD
        self._k = self._stop = self._total = 0
        self._slot = Slot(self)
        self._wakes: tuple[Wake, ...] = ()
        self._joining = Lock()
        self._open = True
        self._door: Door | None = None
        try:
            if name is not None:
                self._door = Door(name, handed_out, self._join, self._leave)
        finally:
            if self._door is None and handed_out >= 0:
                os.close(handed_out)

    @classmethod
    def create(cls, info: StreamInfo, seconds: float, *, block: int | None = None, name: str | None = None) -> Ring:
        """Make a ring to write to.

        Parameters
        ----------
        info
            What will be written.
        seconds
            For how long what is written can be read, if blocks are full [s].
        block
            Most samples of one block; None for those of 1 ms.
        name
            Under which other processes of this user can `attach`; None: none can.
        """
        rows = max(ceil(info.rate / 1000), 1) if block is None else block
        if not isinstance(rows, int | np.integer):
            raise ContractError(f"Ring needs whole samples in a block; got {rows!r}. Round it.")
        if not (0 < seconds < float("inf") and rows > 0):
            raise ContractError(f"Ring needs seconds > 0 and block > 0; got {seconds:g} s and {rows}. Mend them.")
        kept = max(ceil(seconds * float(info.rate) / rows), FEWEST - 1)
        return cls(info, Layout.of(info, rows, kept + max(kept // (ROOM - 1), 1)), name)

    @staticmethod
    def attach(name: str, *, newest: bool = False, backlog: bool = False) -> Reader:
        """Return a reader of a ring that another process of this user (or this one) has made.

        Parameters
        ----------
        name
            That it was given.
        newest
            As for `reader`.
        backlog
            Whether it begins with the oldest block that is safely there, instead of the next: for a recorder that was
            started again.

        Raises
        ------
        StateError
            Where there is no such ring.
        FormatError
            Where what is there is no ring of this version, or does not fit its memory.
        """
        fd, wake, connection = knock(name)
        try:
            layout = read_header(os.pread(fd, PAGE, 0), os.fstat(fd).st_size)
            memory = look(fd, layout.nbytes)
            info = read_info(layout, memory)
            return Reader(info, layout, memory, wake, connection, lambda _: None, newest, backlog)
        except BaseException:
            connection.close()
            raise
        finally:
            os.close(fd)

    def reader(self, *, newest: bool = False) -> Reader:
        """Return a reader in this process, of what is written from now on.

        Parameters
        ----------
        newest
            Whether it is always given the newest block, from the last there is now on, and leaves out what it has no
            time for: for displays.
        """
        wake = new_wake()
        self._join(wake)
        return Reader(self.info, self._layout, self._memory, wake, None, self._leave, newest)

    @property
    def readers(self) -> int:
        """How many follow."""
        return len(self._wakes)

    def slot(self, n: int, start: int | None = None, arrival: int | None = None) -> Slot:
        """Return where the next block goes: ``with ring.slot(n) as rows`` publishes it at the end, unless that fails.

        Parameters
        ----------
        n
            Samples, at most `block`.
        start
            Index of the first; None where the last block ended. A jump forward says that samples were not received.
        arrival
            When they came [ns of time.monotonic]; None for the moment of publication.
        """
        slot = self._slot
        slot.n, slot.start, slot.arrival = n, self._check(n, start), arrival
        return slot

    def write(self, samples: Array, start: int | None = None, arrival: int | None = None) -> int:
        """Copy samples ``(n, *shape)`` into the ring, in as many blocks as it takes; return the index after the last.

        Parameters
        ----------
        samples
            As delivered, of the dtype and shape that were described.
        start, arrival
            As for `slot`.
        """
        if not isinstance(samples, np.ndarray):
            raise ContractError(f"Ring needs samples in an array; got {type(samples).__name__}. Use np.asarray.")
        if samples.dtype != self.info.dtype or samples.shape[1:] != self.info.shape:
            raise ContractError(
                f"Ring needs samples of {self.info.dtype} {('n', *self.info.shape)}, as described; got {samples.dtype} "
                f"{samples.shape}. Describe the stream as it is delivered."
            )
        block, n = self.block, len(samples)
        if n <= block:
            if n:
                start = self._check(n, start)
                np.copyto(self._place(n), samples)
                self._end(n, start, arrival)
            return self._stop
        for a in range(0, n, block):
            self.write(samples[a : a + block], None if start is None else start + a, arrival)
        return self._stop

    def end(self) -> None:
        """Say that nothing more will come. Readers read what is left, and others may still attach to do so."""
        if self._open:
            self._open = False
            self._close(self._base)
            self._strike()

    def close(self) -> None:
        """End, and let nobody in any more. Readers read what is left; closing twice does no harm."""
        self.end()
        if self._door is not None:
            self._door.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _check(self, n: int, start: int | None) -> int:
        """Return the index of the first sample of a block that may come next."""
        if not self._open:
            raise StateError(f"Ring needs to be open to be written; {self.info.name!r} was closed. Make a new one.")
        if self._slot.open:
            raise StateError("Ring needs one block to end before the next begins; got another within a slot. Leave it.")
        if not isinstance(n, int | np.integer) or not 0 < n <= self.block:
            raise ContractError(f"Ring needs 1 to {self.block} samples in a slot; got {n}. Give block when it is made.")
        if start is None:
            return self._stop
        if not isinstance(start, int | np.integer) or start > LAST:
            raise ContractError(f"Ring needs indices that are whole and at most 2**62; got {start!r}. Count samples.")
        start = int(start)
        if start < self._stop:
            raise ContractError(
                f"Ring needs indices that go on; got a block from sample {start} after one up to {self._stop}. Count "
                "samples from the start of the stream, also over gaps."
            )
        return start

    def _place(self, n: int) -> Array:
        rows: Array = self._data[self._k % self.slots, :n]
        return rows

    def _end(self, n: int, start: int, arrival: int | None) -> None:
        k = self._k
        stamp = time.monotonic_ns() if arrival is None else arrival
        self._publish(self._base, self._heads + k % self.slots * self._head, k, start, n, stamp, self._total)
        self._k, self._stop, self._total = k + 1, start + n, self._total + n
        self._strike()

    def _strike(self) -> None:
        for wake in self._wakes:  # a bell that is taken away meanwhile lives as long as this loop refers to it
            wake.strike()

    def _join(self, wake: Wake) -> None:
        with self._joining:
            self._wakes = (*self._wakes, wake)

    def _leave(self, wake: Wake) -> None:
        with self._joining:
            self._wakes = tuple(w for w in self._wakes if w is not wake)


class Slot:
    """The place of the next block, as a context: what is written there is published when it ends well."""

    __slots__ = ("arrival", "n", "open", "ring", "start")

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.n, self.start = 0, 0
        self.arrival: int | None = None
        self.open = False

    def __enter__(self) -> Array:
        self.open = True
        return self.ring._place(self.n)

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.open = False
        if kind is None:
            self.ring._end(self.n, self.start, self.arrival)
