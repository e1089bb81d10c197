"""The recursion of a Kalman filter with a known gain, to the bit: sums in the order that its kernel states."""

from fractions import Fraction

import numpy as np
import pytest

from ranvier.kernels._kalman import LANES, follow


def fma(a, b, c):
    """A product and a sum, exactly, rounded once."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))


def by_hand(x, centre, gain, carry, offset, mean):
    out, p = [], len(centre)
    whole = p - p % LANES
    for row in x.astype(float) - centre:
        later = []
        for i in range(len(mean)):
            lanes = [0.0] * LANES
            for c in range(whole):
                lanes[c % LANES] = fma(gain[i, c], row[c], lanes[c % LANES])
            n = LANES
            while n > 1:
                n //= 2
                lanes = [lanes[k] + lanes[k + n] for k in range(n)]
            total = lanes[0]
            for c in range(whole, p):
                total += gain[i, c] * row[c]
            for j in range(len(mean)):
                total += carry[i, j] * mean[j]
            later.append(total)
        mean = np.array(later)
        out.append(mean[: len(offset)] + offset)
    return np.array(out, x.dtype), mean


@pytest.mark.parametrize("p", [1, 15, 16, 37, 96])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_are_in_the_order_that_is_stated(dtype, p):
    rng = np.random.default_rng(p)
    x = rng.standard_normal((7, p + 3)).astype(dtype)[:, 1 : p + 1]  # rows that do not begin at lines of the cache
    centre, offset, mean = rng.standard_normal(p), rng.standard_normal(2), rng.standard_normal(3)
    gain, carry = rng.standard_normal((3, p)), rng.standard_normal((3, 3)) / 3
    wanted, last = by_hand(x, centre, gain, carry, offset, mean)
    y, room = np.empty((7, 2), dtype), np.empty(3)
    memory = (centre, gain, carry, offset, mean, room)
    follow[dtype](x[:2], y[:2], 3, *[a.ctypes.data for a in memory])
    follow[dtype](x[2:], y[2:], 3, *[a.ctypes.data for a in memory])
    assert y.tobytes() == wanted.tobytes()
    assert mean.tobytes() == last.tobytes()
