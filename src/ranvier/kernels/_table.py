"""The argument table of a generated kernel: one int64 array, so that every kernel has the same signature."""

from __future__ import annotations

# Addresses and strides are in bytes, `pad` in lanes.
COMMON = tuple("n x x_row m m_row y y_row w w_row clean pad first last bad mean enough trusted".split())
OF_WORK = ("k4", "k8", "z4", "z8", "wait", "waiting", "counted", "settle")  # once for each stage
AT = {name: i for i, name in enumerate(COMMON)}
SIZE = {"i2": 2, "i4": 4, "f4": 4, "f8": 8}


def place(work: int, name: str) -> int:
    """Return where in the argument table something of one stage stands."""
    return len(COMMON) + work * len(OF_WORK) + OF_WORK.index(name)


def at_row(work: int, name: str, row: int, kind: str) -> str:
    """Return the text of the address of a row of states or coefficients at channel ``c``."""
    return f"a[{place(work, name)}] + ({row} * pad + c) * {SIZE[kind]}"
