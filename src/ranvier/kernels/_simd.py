"""SIMD values inside Numba: a vector type whose LLVM representation is a vector, and how to move it.

One type covers every width, 1 included, so that a body written for one lane runs unchanged on
sixteen and gives the same bits: every operation is an exact IEEE operation or an explicit fma, and
nothing may be contracted or reordered.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LLVM = {
    "f4": ir.FloatType(),
    "f8": ir.DoubleType(),
    "i4": ir.IntType(32),
    "b1": ir.IntType(1),
    "u1": ir.IntType(8),
    "i2": ir.IntType(16),
}
BYTES = {"f4": 4, "f8": 8, "i4": 4, "u1": 1, "i2": 2}


class Vector(types.Type):  # type: ignore[misc]
    """`width` lanes of one kind: f4, f8 (values), i4 (counters), b1 (truth values)."""

    def __init__(self, kind: str, width: int) -> None:
        self.kind = kind
        self.width = width
        super().__init__(name=f"v{width}{kind}")

    @property
    def llvm(self) -> ir.VectorType:
        return ir.VectorType(LLVM[self.kind], self.width)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, vector.llvm)


def fill(builder: Any, value: Any, vector: ir.VectorType) -> Any:
    """Put one scalar into every lane."""
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


def convert(builder: Any, value: Any, source: str, target: Vector) -> Any:
    """Change the kind of a vector's lanes, exactly as C does."""
    if source == target.kind:
        return value
    if source in ("i2", "i4"):
        return builder.sitofp(value, target.llvm)
    return builder.fpext(value, target.llvm) if target.kind == "f8" else builder.fptrunc(value, target.llvm)


def _pointer(builder: Any, address: Any, stored: ir.VectorType) -> Any:
    return builder.inttoptr(address, stored.as_pointer())


def make_load(source: str, kind: str, width: int) -> Any:
    """Make ``load(address)``: `width` neighbours of kind `source` in memory as a vector of `kind`."""
    vector = Vector(kind, width)
    stored = ir.VectorType(LLVM[source], width)

    @intrinsic  # type: ignore[untyped-decorator]
    def load(typing: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            value = builder.load(_pointer(builder, args[0], stored))
            value.align = BYTES[source]
            return convert(builder, value, source, vector)

        return vector(types.intp), codegen

    return load


def make_load_like(width: int) -> Any:
    """Make ``load(address, one)``: `width` neighbours of the type of `one` in memory."""

    @intrinsic  # type: ignore[untyped-decorator]
    def load(typing: Any, address: Any, one: Any) -> Any:
        vector = Vector("f4" if one == types.float32 else "f8", width)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            value = builder.load(_pointer(builder, args[0], vector.llvm))
            value.align = BYTES[vector.kind]
            return value

        return vector(types.intp, one), codegen

    return load


def make_load_mask(width: int) -> Any:
    """Make ``load_mask(address)``: `width` neighbouring truth bytes as lanes."""
    vector = Vector("b1", width)
    stored = ir.VectorType(LLVM["u1"], width)

    @intrinsic  # type: ignore[untyped-decorator]
    def load_mask(typing: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            value = builder.load(_pointer(builder, args[0], stored))
            value.align = 1
            return builder.icmp_unsigned("!=", value, ir.Constant(stored, [0] * width))

        return vector(types.intp), codegen

    return load_mask


@intrinsic  # type: ignore[untyped-decorator]
def store(typing: Any, address: Any, value: Any) -> Any:
    """Write the lanes to neighbouring places in memory."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = sig.args[1]
        written = builder.store(args[1], _pointer(builder, args[0], vector.llvm))
        written.align = BYTES[vector.kind]
        return context.get_dummy_value()

    return types.void(types.intp, value), codegen


@intrinsic  # type: ignore[untyped-decorator]
def store_mask(typing: Any, address: Any, mask: Any) -> Any:
    """Write truth lanes as bytes."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        stored = ir.VectorType(LLVM["u1"], sig.args[1].width)
        written = builder.store(builder.zext(args[1], stored), _pointer(builder, args[0], stored))
        written.align = 1
        return context.get_dummy_value()

    return types.void(types.intp, mask), codegen


@intrinsic  # type: ignore[untyped-decorator]
def count(typing: Any, mask: Any) -> Any:
    """Count the true lanes."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], ir.IntType(sig.args[0].width))
        return builder.zext(_popcount(builder, bits), ir.IntType(64))

    return types.intp(mask), codegen


def _popcount(builder: Any, bits: Any) -> Any:
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(bits.type, [bits.type]), f"llvm.ctpop.{bits.type.intrinsic_name}"
    )
    wide = builder.zext(bits, ir.IntType(32)) if bits.type.width < 32 else bits
    if wide is not bits:
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(wide.type, [wide.type]), "llvm.ctpop.i32"
        )
    return builder.call(function, [wide])


def make_tree(kind: str, width: int) -> Any:
    """Make ``tree(a, ...)``: the sum of 16 lanes in halves, given as 16 / `width` vectors, lowest lanes first."""
    vector = Vector(kind, width)

    def lanes_of(builder: Any, parts: list[Any]) -> Any:
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [builder.fadd(a, b) for a, b in zip(parts[:half], parts[half:], strict=True)]
        total, n = parts[0], width
        while n > 1:
            n //= 2
            none = ir.Constant(total.type, ir.Undefined)
            low, high = (
                builder.shuffle_vector(
                    total, none, ir.Constant(ir.VectorType(ir.IntType(32), n), list(range(first, first + n)))
                )
                for first in (0, n)
            )
            total = builder.fadd(low, high)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    @intrinsic  # type: ignore[untyped-decorator]
    def tree(typing: Any, parts: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return lanes_of(builder, [builder.extract_value(args[0], i) for i in range(16 // width)])

        scalar = types.float32 if kind == "f4" else types.float64
        return scalar(types.UniTuple(vector, 16 // width)), codegen

    return tree


def make_splat(kind: str, width: int) -> Any:
    """Make ``splat(address)``: one number in memory in every lane."""
    vector = Vector(kind, width)

    @intrinsic  # type: ignore[untyped-decorator]
    def splat(typing: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            value = builder.load(builder.inttoptr(args[0], LLVM[kind].as_pointer()))
            return fill(builder, value, vector.llvm)

        return vector(types.intp), codegen

    return splat


def make_splat_mask(width: int) -> Any:
    """Make ``splat_mask(address)``: one truth byte in memory in every lane."""
    vector = Vector("b1", width)

    @intrinsic  # type: ignore[untyped-decorator]
    def splat_mask(typing: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            value = builder.load(builder.inttoptr(args[0], LLVM["u1"].as_pointer()))
            return fill(builder, builder.icmp_unsigned("!=", value, LLVM["u1"](0)), vector.llvm)

        return vector(types.intp), codegen

    return splat_mask


@intrinsic  # type: ignore[untyped-decorator]
def put(typing: Any, address: Any, value: Any) -> Any:
    """Write one number to memory."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[1], builder.inttoptr(args[0], args[1].type.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.intp, value), codegen


@intrinsic  # type: ignore[untyped-decorator]
def get_i8(typing: Any, address: Any) -> Any:
    """Read one int64 from memory."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(builder.inttoptr(args[0], ir.IntType(64).as_pointer()))

    return types.int64(types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def get(typing: Any, address: Any, like: Any) -> Any:
    """Read one number of the type of `like` from memory."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(builder.inttoptr(args[0], args[1].type.as_pointer()))

    return like(types.intp, like), codegen


@intrinsic  # type: ignore[untyped-decorator]
def bits(typing: Any, mask: Any) -> Any:
    """Return the lanes of a mask as the bits of one integer, lane 0 lowest."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.zext(builder.bitcast(args[0], ir.IntType(sig.args[0].width)), ir.IntType(64))

    return types.int64(mask), codegen


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing: Any, address: Any) -> Any:
    """Ask for memory that will be read soon; any address will do."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        byte, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32]), "llvm.prefetch.p0"
        )
        builder.call(function, [builder.inttoptr(args[0], byte), i32(0), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator]
def lowest(typing: Any, number: Any) -> Any:
    """Return the place of the lowest bit that is set; 64 for none."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.IntType(1)(0))

    return types.int64(types.int64), codegen
