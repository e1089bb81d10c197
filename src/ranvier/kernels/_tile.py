"""A tile of samples laid out channel by channel, so that sums run over time, and back."""

from __future__ import annotations

from typing import Any

from ranvier.kernels._jit import njit
from ranvier.kernels._simd import make_load_mask, store_mask
from ranvier.kernels.ops import both

TILE = 64  # samples at a time
LANES = 16
_load_mask = make_load_mask(LANES)


@njit  # type: ignore[untyped-decorator]
def lay(x: Any, laid: Any) -> None:
    """Lay samples out channel by channel; four at a time, which costs a third of one at a time."""
    n = len(x)
    for t in range(0, n - 3, 4):
        for c in range(x.shape[1]):
            laid[c, t], laid[c, t + 1], laid[c, t + 2], laid[c, t + 3] = x[t, c], x[t + 1, c], x[t + 2, c], x[t + 3, c]
    for t in range(n - n % 4, n):
        for c in range(x.shape[1]):
            laid[c, t] = x[t, c]


@njit  # type: ignore[untyped-decorator]
def put(done: Any, y: Any) -> None:
    """Lay channels out sample by sample: the way back."""
    n = len(y)
    for t in range(0, n - 3, 4):
        for c in range(y.shape[1]):
            y[t, c], y[t + 1, c], y[t + 2, c], y[t + 3, c] = done[c, t], done[c, t + 1], done[c, t + 2], done[c, t + 3]
    for t in range(n - n % 4, n):
        for c in range(y.shape[1]):
            y[t, c] = done[c, t]


@njit  # type: ignore[untyped-decorator]
def hold(ok: Any, laid: Any, good: Any, held: Any, whole: Any) -> None:
    """Put the last valid value of each channel in the place of those that are invalid; say which were valid always.

    Of those that were, `good` is not written.
    """
    n, channels = ok.shape
    for c in range(0, channels - LANES + 1, LANES):
        mask, at = _load_mask(ok.ctypes.data + c), ok.ctypes.data + c
        for _ in range(1, n):
            at += channels
            mask = both(mask, _load_mask(at))
        store_mask(whole.ctypes.data + c, mask)
    for c in range(channels - channels % LANES, channels):
        whole[c] = True
        for t in range(n):
            whole[c] &= ok[t, c]
    for c in range(channels):
        if whole[c]:
            held[c] = laid[c, n - 1]
            continue
        for t in range(n):
            good[c, t] = ok[t, c]
            if good[c, t]:
                held[c] = laid[c, t]
            else:
                laid[c, t] = held[c]
