"""The words that a body may use: named operations on the lanes of SIMD values.

A body says what happens to one channel at one instant. It is generic in width and precision, so it
uses these names only: no operators, no literals (use ``like(x, 0.5)``), no ``if`` (use ``select``).

==============================  ====================================================
``add sub mul div``             IEEE arithmetic
``fma(a, b, c)``                a * b + c, rounded once
``neg absv sqrt``               exact
``minv maxv``                   the second operand where they are equal
``lt(a, b)  le(a, b)``          truth lanes
``both either other``           and, or, not
``select(mask, a, b)``          a where true, else b
``like(x, 0.5)``                a constant of x's width and precision
==============================  ====================================================
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ranvier.kernels._simd import Vector, fill


def _math(builder: Any, name: str, vector: Any, args: list[Any]) -> Any:
    scalar = "f32" if vector.kind == "f4" else "f64"
    kind = vector.llvm
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind] * len(args)), f"llvm.{name}.v{vector.width}{scalar}"
    )
    return builder.call(function, args)


def _arithmetic(method: str) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def operation(typing: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return getattr(builder, method)(*args)

        return a(a, a), codegen

    return operation


def _comparison(sign: str) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def operation(typing: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            if sig.args[0].kind == "i4":
                return builder.icmp_signed(sign, *args)
            return builder.fcmp_ordered(sign, *args)

        return Vector("b1", a.width)(a, a), codegen

    return operation


def _function(name: str, arity: int) -> Any:
    if arity == 1:

        @intrinsic  # type: ignore[untyped-decorator]
        def one(typing: Any, a: Any) -> Any:
            def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                return _math(builder, name, sig.return_type, list(args))

            return a(a), codegen

        return one

    @intrinsic  # type: ignore[untyped-decorator]
    def three(typing: Any, a: Any, b: Any, c: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return _math(builder, name, sig.return_type, list(args))

        return a(a, a, a), codegen

    return three


add = _arithmetic("fadd")
sub = _arithmetic("fsub")
mul = _arithmetic("fmul")
div = _arithmetic("fdiv")
iadd = _arithmetic("add")
both = _arithmetic("and_")
either = _arithmetic("or_")
lt = _comparison("<")
le = _comparison("<=")
eq = _comparison("==")
fma = _function("fma", 3)
sqrt = _function("sqrt", 1)
absv = _function("fabs", 1)


@intrinsic  # type: ignore[untyped-decorator]
def neg(typing: Any, a: Any) -> Any:
    """Change the sign, of zero too."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.fneg(args[0])

    return a(a), codegen


@intrinsic  # type: ignore[untyped-decorator]
def other(typing: Any, mask: Any) -> Any:
    """True where the mask is not."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.not_(args[0])

    return mask(mask), codegen


@intrinsic  # type: ignore[untyped-decorator]
def select(typing: Any, mask: Any, a: Any, b: Any) -> Any:
    """`a` where the mask is true, else `b`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(*args)

    return a(mask, a, a), codegen


def _extreme(sign: str) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def operation(typing: Any, a: Any, b: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.select(builder.fcmp_ordered(sign, *args), *args)

        return a(a, a), codegen

    return operation


minv = _extreme("<")
maxv = _extreme(">")


@intrinsic  # type: ignore[untyped-decorator]
def like(typing: Any, x: Any, value: Any) -> Any:
    """Make a constant of the width and precision of `x`."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vector = sig.args[0]
        scalar = args[1]
        if vector.kind == "i4":
            scalar = builder.trunc(scalar, ir.IntType(32))
        elif vector.kind == "f4":
            scalar = builder.fptrunc(scalar, ir.FloatType())
        return fill(builder, scalar, vector.llvm)

    return x(x, types.intp if x.kind == "i4" else types.float64), codegen


def _cast(kind: str) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def operation(typing: Any, a: Any) -> Any:
        target = Vector(kind, a.width)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            if sig.args[0].kind == kind:
                return args[0]
            if sig.args[0].kind == "i4":
                return builder.sitofp(args[0], target.llvm)
            return (builder.fpext if kind == "f8" else builder.fptrunc)(args[0], target.llvm)

        return target(a), codegen

    return operation


as_f4 = _cast("f4")
as_f8 = _cast("f8")


@intrinsic  # type: ignore[untyped-decorator]
def add_if(typing: Any, mask: Any, a: Any) -> Any:
    """Integers `a`, one more where the mask is true."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.add(args[1], builder.zext(args[0], sig.args[1].llvm))

    return a(mask, a), codegen


differ = _arithmetic("xor")
