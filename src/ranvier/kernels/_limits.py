"""What this CPU can do at most: fused multiply-adds a second, bytes a second from memory; a yardstick."""

from __future__ import annotations

from typing import Any

from numba import njit, types

from ranvier.kernels._simd import make_load, store
from ranvier.kernels.ops import add, fma

LANES = 16  # LLVM splits it where registers are narrower
CHAINS = 8  # sums that do not wait for each other: more than the latency of a fused multiply-add
_load = make_load("f4", "f4", LANES)


@njit(types.void(types.int64, types.int64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def multiply_add(at: Any, rounds: int) -> None:
    """Do ``8 * rounds`` fused multiply-adds of 16 lanes of float32, in registers.

    Parameters
    ----------
    at
        Address of 16 factors, 16 terms and 16 places for the sum.
    rounds
        How often.
    """
    k, x = _load(at), _load(at + LANES * 4)
    a, b, c = x, add(x, k), add(x, x)
    d, e, f, g, h = add(a, c), add(b, c), add(c, c), add(add(c, c), k), add(add(c, c), x)  # all different
    for _ in range(rounds):
        a = fma(a, k, x)
        b = fma(b, k, x)
        c = fma(c, k, x)
        d = fma(d, k, x)
        e = fma(e, k, x)
        f = fma(f, k, x)
        g = fma(g, k, x)
        h = fma(h, k, x)
    store(at + 2 * LANES * 4, add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h))))


@njit(types.void(types.int64, types.int64, types.int64), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def read(at: Any, n: int, out: Any) -> None:
    """Read `n` times 256 bytes from address `at` on, and write a sum of 64 bytes to `out`."""
    a, b, c, d = _load(out), _load(out), _load(out), _load(out)
    for i in range(n):
        p = at + i * 4 * LANES * 4
        a = add(a, _load(p))
        b = add(b, _load(p + LANES * 4))
        c = add(c, _load(p + 2 * LANES * 4))
        d = add(d, _load(p + 3 * LANES * 4))
    store(out, add(add(a, b), add(c, d)))
