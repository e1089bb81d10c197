"""Which channels are too much alike, and which are alike enough: from sums of products, a few channels at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, float64, int64, types, void

from ranvier.kernels._jit import njit

_LIST = types.Array(int64, 1, "C", readonly=True)
_LISTS = types.Array(int64, 2, "C", readonly=True)
_PRODUCT = float64[:, ::1]


@njit(void(_PRODUCT, _LIST, float64[::1], int64[::1]), cache=True, nogil=True)  # type: ignore[untyped-decorator]
def nearest(product: Any, who: Any, apart: Any, partner: Any) -> None:
    """Write the power of the difference of each of these channels to the one that it is most alike, and which it is.

    Of `product`, sums of products, the upper half is read; `who` rises. `apart` and `partner` have a place a channel.
    """
    for i in who:
        apart[i], partner[i] = np.inf, -1
    for a in range(len(who)):
        i = who[a]
        for b in range(a + 1, len(who)):
            j = who[b]
            d = product[i, i] + product[j, j] - 2.0 * product[i, j]
            if d < apart[i]:
                apart[i], partner[i] = d, j
            if d < apart[j]:
                apart[j], partner[j] = d, i


@njit(void(_PRODUCT, _LIST, _LISTS, boolean[::1], float64[::1], float64[::1]),
      cache=True, nogil=True)  # type: ignore[untyped-decorator]  # fmt: skip
def correlated(product: Any, who: Any, near: Any, vouch: Any, top: Any, out: Any) -> None:
    """Write the k-th largest correlation, whatever its sign, of each channel with those near it that may vouch.

    Fewer than k: the smallest of them; none: -1. ``near[a]`` lists those near ``who[a]``, -1 for no more; `top` is
    room for k numbers.
    """
    for a in range(len(who)):
        i = who[a]
        top[:] = -1.0
        found = 0
        for j in near[a]:
            if j >= 0 and vouch[j]:
                power = product[i, i] * product[j, j]
                r = abs(product[min(i, j), max(i, j)]) / np.sqrt(power) if power > 0.0 else 0.0
                found += 1
                place = len(top)
                while place > 0 and r > top[place - 1]:
                    if place < len(top):
                        top[place] = top[place - 1]
                    place -= 1
                if place < len(top):
                    top[place] = r
        out[i] = top[min(found, len(top)) - 1] if found else -1.0
