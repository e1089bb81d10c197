"""Queue: samples that wait, each with its index, so that a jump keeps its place."""

from __future__ import annotations

import numpy as np

from ranvier.errors import StateError
from ranvier.stage._state import State, counter
from ranvier.stream import Array, Block, StreamInfo

Waiting = tuple[Array, Array, Array]  # index, data and mask of samples in order


def queue(info: StreamInfo, room: int) -> State:
    """Return an empty queue for at most `room` samples; no index before 0 is waited for."""
    return State(
        None,
        index=np.zeros(room, np.int64),
        data=np.zeros((room, *info.shape), info.dtype),
        valid=np.zeros((room, *info.shape), bool),
        held=counter(),
        stop=counter(),
    )


def head(state: State) -> int:
    """Return the index of the first sample that waits, or of the next one that may come."""
    return int((state["index"] if state["held"][0] else state["stop"])[0])


def waiting(state: State, new: Block, name: str, who: str = "Align") -> Waiting:
    """Return what waits, then what has just come from stream `name`; it may be live memory."""
    held, stop = int(state["held"][0]), int(state["stop"][0])
    old = state["index"][:held], state["data"][:held], state["valid"][:held]
    if not new.n:
        return old
    if new.start < stop:
        raise StateError(
            f"{who} needs indices that grow; got sample {new.start} of {name!r} where {stop} or later may follow. "
            "Start a new run for a stream that begins again."
        )
    state["stop"][0] = new.stop
    fresh = np.arange(new.start, new.stop), new.data, new.valid
    if not held:
        return fresh
    index, data, valid = (np.concatenate(pair) for pair in zip(old, fresh, strict=True))
    return index, data, valid


def keep(state: State, rest: Waiting, name: str, who: str = "Align") -> None:
    """Store what waits on; refuse more than there is room for."""
    n, room = len(rest[0]), len(state["index"])
    if n > room:
        raise StateError(
            f"{who} needs streams that stay within its patience of each other, {room} samples of {name!r}; "
            f"got {n} that wait. Send what is waited for (Align: or a timeout Control), or allow more patience."
        )
    before, state["held"][0] = int(state["held"][0]), n
    for a, value in zip((state["index"], state["data"], state["valid"]), rest, strict=True):
        a[:n] = value.copy()  # which may be a later part of the same memory
        a[n:before] = 0  # the rest is 0 as it was
