"""ChannelKernel: a generated kernel bound to its state, called with one argument table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.kernels._body import Work
from ranvier.kernels._cache import fingerprint, load_source
from ranvier.kernels._generate import ARGUMENTS, AT, generate

Array = npt.NDArray[Any]
KINDS = {np.dtype(d): k for d, k in (("int16", "i2"), ("int32", "i4"), ("float32", "f4"), ("float64", "f8"))}
LANES = 64  # rows are padded to whole cache lines of f4


@lru_cache(maxsize=1)
def best_width() -> int:
    """Lanes of float32 that this CPU's registers hold; ``RANVIER_WIDTH`` sets another number."""
    if wanted := os.environ.get("RANVIER_WIDTH"):
        return int(wanted)
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") else 4


def address(a: Array) -> int:
    """Where an array's first number lies in memory."""
    return int(a.__array_interface__["data"][0])


class ChannelKernel:
    """The compiled loop over channels and time for one stage, or for several fused ones.

    Parameters
    ----------
    works
        What each stage does.
    n_channels
        Channels in and out.
    source, result
        Dtypes in (int16, int32, float32, float64) and out (float32, float64).
    width
        Lanes; None for what the CPU has. Every width gives the same bits.
    """

    def __init__(
        self, works: Sequence[Work], n_channels: int, source: Any, result: Any, width: int | None = None
    ) -> None:
        self.n_channels = n_channels
        self.result = np.dtype(result)
        self.pad = -(-n_channels // LANES) * LANES
        lanes = width or best_width()
        if any(step.precision == "f8" for work in works for step in work.steps):
            lanes = max(1, lanes // 2)
        self.text = generate(works, KINDS[np.dtype(source)], KINDS[self.result], lanes, fingerprint())
        self._kernel = load_source(self.text).kernel
        self._k = {p: self._rows([r for w in works for r in w.coefficients(p, n_channels)], p) for p in ("f4", "f8")}
        self._n_state = {p: sum(s.n_state for w in works for s in w.steps if s.precision == p) for p in ("f4", "f8")}
        self._n_works = len(works)

    def _rows(self, rows: list[Array], precision: str) -> Array:
        out = np.zeros((max(len(rows), 1), self.pad), dtype=precision)
        for i, row in enumerate(rows):
            out[i, : self.n_channels] = row
        return out

    def state(self) -> dict[str, Array]:
        """Return fresh state arrays: values by precision, and how long each channel waits (-1: unprimed)."""
        wait = np.zeros((self._n_works, self.pad), dtype=np.int32)
        wait[:, : self.n_channels] = -1
        return {
            "f4": np.zeros((max(self._n_state["f4"], 1), self.pad), dtype=np.float32),
            "f8": np.zeros((max(self._n_state["f8"], 1), self.pad), dtype=np.float64),
            "wait": wait,
            "waiting": np.ones(1, dtype=np.int64),
        }

    def bind(self, state: dict[str, Array]) -> Array:
        """Return the argument table for these state arrays, whose memory must stay where it is."""
        table = np.zeros(len(ARGUMENTS), dtype=np.int64)
        for name, a in (
            ("k4", self._k["f4"]), ("k8", self._k["f8"]), ("z4", state["f4"]), ("z8", state["f8"]),
            ("wait", state["wait"]),
        ):  # fmt: skip
            table[AT[name]] = address(a)
        table[AT["pad"]] = self.pad
        table[AT["last"]] = self.n_channels
        return table

    def __call__(self, table: Array, waiting: Array, x: Array, mask: Array | None, y: Array, w: Array) -> bool:
        """Run one block; return True where every number that came out is valid.

        Parameters
        ----------
        table, waiting
            From `bind`; how many channels wait, from `state`.
        x
            ``(n, n_channels)``, channels contiguous.
        mask
            Truth bytes of the same shape, channels contiguous; None where everything is valid.
        y, w
            Where results and their mask are written, channels contiguous. `w` is written only where the
            return value is False.
        """
        table[0] = x.shape[0]
        table[1] = address(x)
        table[2] = x.strides[0]
        table[5] = address(y)
        table[6] = y.strides[0]
        clean = mask is None
        if not clean or waiting[0]:
            if mask is None:
                mask = _ones(self.n_channels)
                table[4] = 0
            else:
                table[4] = mask.strides[0]
            table[3] = address(mask)
            table[7] = address(w)
            table[8] = w.strides[0]
            w.fill(True)
        table[9] = clean
        self._kernel(table)
        waiting[0] = table[19]
        return not table[18]


@lru_cache(maxsize=64)
def _ones(n: int) -> Array:
    return np.ones(n, dtype=bool)
