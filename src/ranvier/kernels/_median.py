"""Medians over the channels of a group, instant by instant, by bisection on the order of the bits."""

from __future__ import annotations

from typing import Any

from numba import boolean, int32, int64, njit, types, void

from ranvier.kernels._jit import kernel


def _rows(kind: Any) -> Any:
    return types.Array(kind, 2, "C", readonly=True)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _flip(key: Any, bits: int) -> Any:
    """Turn the bits of a float into an integer of the same order, and back."""
    return key ^ ((key >> (bits - 1)) & ~(type(key)(1) << (bits - 1)))


@kernel(
    lambda i: void(_rows(i), _rows(boolean), boolean, _rows(int64), i[::1], i[:, ::1], int64[:, ::1]), (int32, int64)
)
def medians(x: Any, ok: Any, masked: bool, given: Any, keys: Any, level: Any, count: Any) -> None:
    """Write the two middle values of each group at each instant (the same one twice where the count is odd).

    Bisection on the order of the bits: 32 or 64 passes that only compare and count, whatever the values.

    Parameters
    ----------
    x, ok, masked, given, count
        As in `means`; `x` is the memory of the floats seen as integers of the same size.
    keys
        Room for as many integers as there are channels.
    level
        Lower and upper middle of group g in columns 2 g and 2 g + 1, floats seen as integers.
    """
    bits = 8 * x.itemsize
    for t in range(len(x)):
        for g in range(count.shape[1]):
            n = 0
            for r in range(len(given)):
                if given[r, 0] == g:
                    for i in range(given[r, 1], given[r, 2]):
                        if not masked or ok[t, i]:
                            keys[n] = _flip(x[t, i], bits)
                            n += 1
            count[t, g] = n
            if n == 0:
                level[t, 2 * g] = 0
                level[t, 2 * g + 1] = 0
                continue
            low, high = keys[0], keys[0]
            for i in range(n):
                low, high = min(low, keys[i]), max(high, keys[i])
            top = high
            below = n
            while low < high:
                middle = (low & high) + ((low ^ high) >> 1)
                below = 0
                for i in range(n):
                    below += keys[i] <= middle
                if below > (n - 1) // 2:
                    high = middle
                else:
                    low = middle + 1
            upper = low
            if n % 2 == 0:
                below = 0
                upper = top
                for i in range(n):
                    below += keys[i] <= low
                    if keys[i] > low:
                        upper = min(upper, keys[i])
                if below > n // 2:
                    upper = low
            level[t, 2 * g] = _flip(low, bits)
            level[t, 2 * g + 1] = _flip(upper, bits)
