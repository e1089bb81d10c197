"""The argument table of a generated kernel: one int64 array, so that every kernel has the same signature."""

from __future__ import annotations

SIZE = {"i2": 2, "i4": 4, "f4": 4, "f8": 8, "i8": 8, "u1": 1}


class Table:
    """Names of what a kernel is told, and where in the array each stands; addresses and strides are in bytes.

    Parameters
    ----------
    pad
        Lanes of a row of states and coefficients.
    buffer_row, okay_row
        Bytes of a row of what one phase leaves to the next, and of its mask.
    """

    def __init__(self, pad: int, buffer_row: int, okay_row: int) -> None:
        self.places: dict[str, int] = {}
        self.locals: dict[str, str] = {}
        self.pad = pad
        self.buffer_row = buffer_row
        self.okay_row = okay_row

    def __call__(self, name: str) -> str:
        """Return the text that reads an entry, making room for it."""
        return f"get_i8({self.place(name)})"

    def place(self, name: str) -> str:
        """Return the text of the address of an entry."""
        return f"a + {8 * self.places.setdefault(name, len(self.places))}"

    def put(self, name: str, value: str) -> str:
        """Return the text that writes an entry."""
        return f"put({self.place(name)}, {value})"

    def row(self, name: str, row: int | str, kind: str) -> str:
        """Return the text of the address of a padded row of states or coefficients at channel ``c``."""
        size = SIZE[kind]
        local = f"at_{name}"
        self.locals[local] = f"{local} = {self(name)} + c * {size}"
        if row == 0:
            return local
        return f"{local} + {row * self.pad * size if isinstance(row, int) else f'{row} * {self.pad * size}'}"

    def function(self, head: str, body: list[str]) -> list[str]:
        """Return a function's text: its head, the addresses of rows that its body asked for, its body."""
        out = ["@inner", head, *[f"    {line}" for line in self.locals.values()], *body, ""]
        self.locals = {}
        return out
