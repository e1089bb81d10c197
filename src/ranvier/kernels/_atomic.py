"""Words in memory that threads and processes share: loads, stores and sums in a promised order.

Everything is an int64 at an aligned address. Python and NumPy promise no order between two places in memory; these
words do, on every CPU that LLVM knows: acquire and release are plain moves on x86-64, ``ldar`` and ``stlr`` on arm64.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_WORD = ir.IntType(64)
# the CPU's word for "this is a loop that waits", and what it takes
_RELAX = {"x86_64": ("llvm.x86.sse2.pause", []), "aarch64": ("llvm.aarch64.hint", [ir.Constant(ir.IntType(32), 1)])}
_RELAX |= {"amd64": _RELAX["x86_64"], "arm64": _RELAX["aarch64"]}


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _WORD.as_pointer())


@intrinsic  # type: ignore[untyped-decorator]
def load_acquire(typing: Any, address: Any) -> Any:
    """Read a word: nothing that stands after this is read or written earlier."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load_atomic(_pointer(builder, args[0]), "acquire", 8)

    return types.int64(types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def store_release(typing: Any, address: Any, value: Any) -> Any:
    """Write a word: everything that stands before this is seen by whoever acquires the new value."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store_atomic(args[1], _pointer(builder, args[0]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.intp, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def fetch_add(typing: Any, address: Any, value: Any) -> Any:
    """Add to a word in one step and return what it was; acquires and releases."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(builder, args[0]), args[1], "acq_rel")

    return types.int64(types.intp, types.int64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def fence(typing: Any) -> Any:
    """Let nothing pass, in either direction (a locked instruction on x86-64, ``dmb ish`` on arm64)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic  # type: ignore[untyped-decorator]
def pause(typing: Any) -> Any:
    """Tell the CPU that this is a loop that waits, so that its other thread may run."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        name, given = _RELAX.get(builder.module.triple.partition("-")[0], ("", []))
        if name:
            kind = ir.FunctionType(ir.VoidType(), [c.type for c in given])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), given)
        return context.get_dummy_value()

    return types.void(), codegen
