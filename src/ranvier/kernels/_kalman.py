"""A few numbers that go on by themselves and are pushed by many channels: a Kalman filter whose gain is known."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ranvier.kernels._jit import kernel
from ranvier.kernels._simd import BYTES, LLVM, Vector, convert, get, make_load, make_splat, make_tree, put
from ranvier.kernels.ops import fma, like, sub

LANES = 16  # partial sums, added in halves as `ranvier.kernels._reference` says
_HALF = Vector("f8", 8)
_load, _splat, _tree = make_load("f8", "f8", 8), make_splat("f8", 8), make_tree("f8", 8)


@intrinsic  # type: ignore[untyped-decorator]
def _wide(typing: Any, address: Any, like: Any) -> Any:
    """Read 8 neighbours of the type of `like` as float64."""
    kind = "f4" if like == types.float32 else "f8"
    stored = ir.VectorType(LLVM[kind], 8)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = builder.load(builder.inttoptr(args[0], stored.as_pointer()))
        value.align = BYTES[kind]
        return convert(builder, value, kind, _HALF)

    return _HALF(types.intp, like), codegen


def _signature(real: Any) -> Any:
    rows = types.Array(real, 2, "A", readonly=True)
    return types.void(rows, types.Array(real, 2, "C"), *[types.int64] * 7)


@kernel(_signature)
def follow(x: Any, y: Any, d: Any, centre: Any, gain: Any, carry: Any, offset: Any, mean: Any, room: Any) -> None:
    """Go on to ``mean = gain @ (x[t] - centre) + carry @ mean`` and write ``y[t] = mean + offset``, row by row.

    Sums are float64. Channel c is added to lane ``c % 16``, each product and sum rounded once, and the lanes in halves;
    then come the channels that make no whole 16, and the products of `carry`, one after the other, each rounded by
    itself: the same bits on every CPU.

    Parameters
    ----------
    x, y
        ``(n, p)``, a row's numbers side by side, and ``(n, n_outputs)``, which is written.
    d
        How many numbers `mean` has; the first of them are put out.
    centre, gain, carry, offset, mean, room
        Addresses of float64 ``(p,)``, ``(d, p)``, ``(d, d)``, ``(n_outputs,)``, and twice ``(d,)``.
    """
    n, p = x.shape
    zero, size = x.dtype.type(0), x.strides[1]
    whole = p - p % LANES
    none = like(_splat(mean), 0.0)
    row = types.int64(x.ctypes.data)
    for t in range(n):
        for i in range(d):
            weight, low, high = gain + 8 * p * i, none, none
            for c in range(0, whole, LANES):
                low = fma(_load(weight + 8 * c), sub(_wide(row + size * c, zero), _load(centre + 8 * c)), low)
                c += LANES // 2
                high = fma(_load(weight + 8 * c), sub(_wide(row + size * c, zero), _load(centre + 8 * c)), high)
            total = _tree((low, high))
            for c in range(whole, p):
                total += get(weight + 8 * c, 0.0) * (get(row + size * c, zero) - get(centre + 8 * c, 0.0))
            for j in range(d):
                total += get(carry + 8 * (d * i + j), 0.0) * get(mean + 8 * j, 0.0)
            put(room + 8 * i, total)
        for i in range(d):
            put(mean + 8 * i, get(room + 8 * i, 0.0))
        for i in range(y.shape[1]):
            y[t, i] = get(mean + 8 * i, 0.0) + get(offset + 8 * i, 0.0)
        row += x.strides[0]
