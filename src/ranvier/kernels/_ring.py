"""The one shared word of a ring: how its writer publishes, how a reader takes and checks.

``written`` is the number of blocks that were published. The writer stores ``written = k + 1`` when block k is complete,
lets a fence follow, and then may touch the memory of block k + 1, which is that of block ``k + 1 - slots``. A reader
that has found ``written > k`` uses the memory of block k and looks at ``written`` again afterwards: as long as it is
less than ``k + slots``, nobody has begun to overwrite what it used. This is a seqlock with one counter for all slots.

Why it holds on any CPU: the releasing store lets no earlier store pass it and the acquiring load no later load, so who
sees the number sees the block. The writer's fence lets no store into the next block become visible before the number,
and the reader's lets no load of the block be done after the last look; so a reader that has read one overwritten byte
sees that it was. On x86-64 plain moves keep that order anyway, but ``memcpy`` may use streaming stores, which do not:
there, too, the fence is needed. On arm64 it is ``dmb ish``.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from ranvier.kernels._atomic import fence, load_acquire, store_release

WRITTEN, CLOSED = 128, 136  # bytes from the start of the memory; one cache line
HEAD = 64  # bytes of the head of a slot: start, n, arrival, samples before
EMPTY, TAKEN, BROKEN = 0, 1, -1
TRIES = 16  # a writer that overtakes a reader so often while it looks at 32 bytes is none


@njit("void(int64, int64, int64, int64, int64, int64, int64)", cache=True, nogil=True)  # type: ignore[untyped-decorator]
def publish(base: Any, head: Any, k: Any, start: Any, n: Any, arrival: Any, before: Any) -> None:
    """Write the head of block `k`, let readers see it, and take leave of the memory of the next."""
    store_release(head, start)
    store_release(head + 8, n)
    store_release(head + 16, arrival)
    store_release(head + 24, before)
    store_release(base + WRITTEN, k + 1)
    fence()


@njit("void(int64)", cache=True, nogil=True)  # type: ignore[untyped-decorator]
def close(base: Any) -> None:
    """Say that nothing more will come."""
    store_release(base + CLOSED, 1)


@njit("boolean(int64)", cache=True, nogil=True)  # type: ignore[untyped-decorator]
def is_closed(base: Any) -> Any:
    """Say whether the writer has closed."""
    return load_acquire(base + CLOSED) != 0


@njit("boolean(int64, int64, int64)", cache=True, nogil=True)  # type: ignore[untyped-decorator]
def is_whole(base: Any, slots: Any, k: Any) -> Any:
    """Say that nothing of block `k` was overwritten before now."""
    fence()
    return load_acquire(base + WRITTEN) < k + slots


@njit(  # type: ignore[untyped-decorator]
    "UniTuple(int64, 6)(int64, int64, int64, int64, int64, int64, boolean)", cache=True, nogil=True
)
def take(base: Any, heads: Any, slots: Any, rows: Any, cursor: Any, room: Any, newest: Any) -> Any:
    """Find the next block for a reader, or the newest.

    Parameters
    ----------
    base, heads
        Addresses of the memory and of the heads of its slots.
    slots, rows
        Of the ring, and the most samples in one of them.
    cursor
        Block that the reader has not seen yet.
    room
        Slots that must lie between the writer and what is read; who is closer behind goes on half a ring behind.
    newest
        Whether to leave out all but the last.

    Returns
    -------
    Whether there is one (`EMPTY`, `TAKEN`; `BROKEN` where the words make no sense), its number, start, samples,
    arrival [ns], and the samples that were written before it.
    """
    for _ in range(TRIES):
        written = load_acquire(base + WRITTEN)
        if written == cursor:
            return EMPTY, cursor, 0, 0, 0, 0
        if written < cursor:
            break
        k = cursor
        if newest:
            k = written - 1
        elif written - cursor > slots - room:
            k = written - slots // 2
        head = heads + k % slots * HEAD
        start, n = load_acquire(head), load_acquire(head + 8)
        arrival, before = load_acquire(head + 16), load_acquire(head + 24)
        fence()
        if load_acquire(base + WRITTEN) < k + slots:
            if n < 1 or n > rows or before < 0:
                break
            return TAKEN, k, start, n, arrival, before
    return BROKEN, cursor, 0, 0, 0, 0
