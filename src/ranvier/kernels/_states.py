"""The memory of loops: states of their stages, fresh; aligned, with room for whole vectors. Needs no compiler."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.kernels._body import Crossings, Tally, Work
from ranvier.kernels._program import padded

Array = npt.NDArray[Any]


def address(a: Array) -> int:
    """Where an array's first number lies in memory."""
    return int(a.__array_interface__["data"][0])


def aligned(shape: Any, dtype: Any, value: Any = 0) -> Array:
    """Return an array that begins at a cache line, so that no vector lies across two."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + 64, np.uint8)
    begin = -address(raw) % 64
    out: Array = raw[begin : begin + size].view(dtype).reshape(shape)
    out[...] = value
    return out


def _lanes(n: int, dtype: Any, value: Any = 0, rows: int | None = None) -> Array:
    """Return one number a channel (or rows of them), in memory that goes on to whole cache lines."""
    whole = aligned(padded(n) if rows is None else (rows, padded(n)), dtype, value)
    return whole[..., :n]


def channel_state(work: Work, n: int) -> dict[str, Array]:
    """Return the fresh state arrays of one stage: values by precision, how long each channel waits (-1: unprimed)."""
    rows = {p: max(1, sum(s.n_state for s in work.steps if s.precision == p)) for p in ("f4", "f8")}
    return {
        "f4": _lanes(n, np.float32, rows=rows["f4"]),
        "f8": _lanes(n, np.float64, rows=rows["f8"]),
        "wait": _waiting(n),
    }


def _waiting(n: int) -> Array:
    wait = _lanes(n, np.int32)
    wait[:] = -1
    return wait


def gate_state(n: int, dtype: Any) -> dict[str, Array]:
    """Return the fresh state of the entrance: last trusted value, last value read, how often that came in a row."""
    return {"held": _lanes(n, dtype), "last": _lanes(n, dtype), "run": _lanes(n, np.int32)}


def tally_state(end: Tally, n: int, dtype: Any) -> dict[str, Array]:
    """Return the fresh state of sums over hops: of whole ones, of the one begun, and where it was heard."""
    return {
        "heard": np.full(2, -1, np.int64),
        "total": _lanes(n, np.float64, rows=end.hops),
        "count": _lanes(n, np.int32, rows=end.hops),
        "part": _lanes(n, dtype),
        "seen": _lanes(n, np.int32),
    }


def crossings_state(end: Crossings, n: int) -> dict[str, Array]:
    """Return the fresh state of a search for crossings: last values, thresholds, noise and what it is made of."""
    return {
        "before": _lanes(n, np.float32, -np.inf),
        "threshold": _lanes(n, np.float32, -np.inf),
        "free": _lanes(n, np.int64, np.iinfo(np.int64).min),
        "listened": _lanes(n, np.uint8),
        "estimates": _lanes(n, np.int32),
        "noise": _lanes(n, np.float32),
        "ring": aligned((padded(n) // 16, end.heard, 16), np.float32, np.inf),
    }


def bins_state(n: int) -> dict[str, Array]:
    """Return the fresh state of counts in bins: counts, whether a channel is away, whether it was in this bin."""
    return {
        "heard": np.full(2, -1, np.int64),
        "number": _lanes(n, np.int32),
        "away": _lanes(n, bool, True),
        "missing": _lanes(n, bool),
    }
