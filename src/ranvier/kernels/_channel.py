"""ChannelKernel: a generated kernel bound to the states of its stages, called with one argument table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ConfigError
from ranvier.kernels._body import Level, Work
from ranvier.kernels._cache import fingerprint, load_source
from ranvier.kernels._generate import generate
from ranvier.kernels._table import AT, COMMON, OF_WORK, place

Array = npt.NDArray[Any]
KINDS = {np.dtype(d): k for d, k in (("int16", "i2"), ("int32", "i4"), ("float32", "f4"), ("float64", "f8"))}
LANES = 64  # rows of states and coefficients are padded to whole cache lines


@lru_cache(maxsize=1)
def best_width() -> int:
    """Lanes of float32 that this CPU's registers hold; ``RANVIER_WIDTH`` sets another number."""
    if wanted := os.environ.get("RANVIER_WIDTH"):
        if wanted not in ("1", "2", "4", "8", "16"):
            raise ConfigError(f"RANVIER_WIDTH needs to be 1, 2, 4, 8 or 16; got {wanted!r}. Mend it, or unset it.")
        return int(wanted)
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") else 4


def address(a: Array) -> int:
    """Where an array's first number lies in memory."""
    return int(a.__array_interface__["data"][0])


def channel_state(work: Work, n_channels: int) -> dict[str, Array]:
    """Return the fresh state arrays of one stage.

    Values by precision, how long each channel still waits (-1: unprimed), and how many channels wait.
    """
    pad = padded(n_channels)
    wait = np.zeros(pad, dtype=np.int32)
    wait[:n_channels] = -1
    rows = {p: max(1, sum(s.n_state for s in work.steps if s.precision == p)) for p in ("f4", "f8")}
    return {
        "f4": np.zeros((rows["f4"], pad), dtype=np.float32),
        "f8": np.zeros((rows["f8"], pad), dtype=np.float64),
        "wait": wait,
        "waiting": np.array([n_channels], dtype=np.int64),
    }


def padded(n_channels: int) -> int:
    """Lanes of a row of states."""
    return -(-n_channels // LANES) * LANES


class ChannelKernel:
    """The compiled loop over channels and time for one stage, or for several fused ones.

    Parameters
    ----------
    works
        What each stage does.
    states
        The arrays of each, from `channel_state`, whose memory must stay where it is; None for a `Level`.
    n_channels
        Channels in and out.
    source, result
        Dtypes in (int16, int32, float32, float64) and out of every stage (float32, float64).
    width
        Lanes; None for what the CPU has. Every width gives the same bits.
    """

    def __init__(
        self,
        works: Sequence[Work | Level],
        states: Sequence[dict[str, Array] | None],
        n_channels: int,
        source: Any,
        result: Any,
        width: int | None = None,
    ) -> None:
        bodies = [w for w in works if isinstance(w, Work)]
        lanes = width or best_width()
        if np.dtype(result) == np.float64 or any(step.precision == "f8" for w in bodies for step in w.steps):
            lanes = max(1, lanes // 2)
        self.width = lanes
        self.text = generate(works, KINDS[np.dtype(source)], KINDS[np.dtype(result)], lanes, fingerprint())
        self._kernel = load_source(self.text).kernel
        self._trusted = np.ones(n_channels, dtype=bool)
        self._result = np.dtype(result)
        self._levels: tuple[Array, Array] | None = None
        self._coefficients: list[Array] = []
        self._table = np.zeros(len(COMMON) + len(works) * len(OF_WORK), dtype=np.int64)
        self._table[AT["pad"]] = padded(n_channels)
        self._table[AT["last"]] = n_channels
        self._table[AT["trusted"]] = address(self._trusted)
        if len(bodies) < len(works):
            self._make_room(64)
        for i, (work, state) in enumerate(zip(works, states, strict=True)):
            if isinstance(work, Work) and state is not None:
                self._bind(i, work, state, n_channels)

    def _bind(self, i: int, work: Work, state: dict[str, Array], n_channels: int) -> None:
        k4, k8 = (_rows(work, p, n_channels) for p in ("f4", "f8"))
        self._coefficients += [k4, k8]
        arrays = (k4, k8, state["f4"], state["f8"], state["wait"], state["waiting"])
        for name, a in zip(OF_WORK, arrays, strict=False):
            self._table[place(i, name)] = address(a)
        self._table[place(i, "settle")] = work.settle

    def __call__(self, x: Array, mask: Array, y: Array, w: Array) -> bool:
        """Run one block; return True where every number that came out is valid.

        Parameters
        ----------
        x
            ``(n, n_channels)``, channels contiguous.
        mask
            Truth of the same shape: as `all_valid` makes it, or channels contiguous.
        y, w
            Where results and their mask are written, contiguous. `w` is written only where the return
            value is False.
        """
        if self._levels is not None and len(x) > self._room:
            self._make_room(len(x))
        return not self._kernel(self._table, x, mask, y, w)

    def _make_room(self, n: int) -> None:
        self._room = n
        self._levels = np.zeros(n, self._result), np.zeros(n, bool)
        self._table[AT["mean"]], self._table[AT["enough"]] = map(address, self._levels)


def _rows(work: Work, precision: str, n_channels: int) -> Array:
    rows = work.coefficients(precision, n_channels)
    out = np.zeros((max(len(rows), 1), padded(n_channels)), dtype=precision)
    for i, row in enumerate(rows):
        out[i, :n_channels] = row
    return out
