"""How an EDF or BDF file is cut into records: the header's numbers, checked, and the annotation lists.

Format: Kemp et al. 1992 (EDF), Kemp and Olivan 2003 (EDF+), both at edfplus.info/specs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ranvier.errors import FormatError

MAGIC = {"EDF": b"0       ", "BDF": b"\xffBIOSEMI"}
_BYTES = {"EDF": 2, "BDF": 3}  # a sample
_TAL = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15(\d+(?:\.\d*)?))?\x14(.*)\x14", re.DOTALL)


class Annotation(NamedTuple):
    """A time-stamped annotation: record that holds it, onset and duration [s], text."""

    record: int
    onset: Fraction
    duration: float
    text: str


class EdfFile:
    """The layout of one file; whatever does not fit raises a `FormatError` that names the byte.

    Parameters
    ----------
    path
        The file.
    partial
        Read the whole records of a file that was cut short, instead of refusing it.
    notes
        Takes what was found.
    """

    def __init__(self, path: Path, partial: bool, notes: list[str]) -> None:
        self.path = path
        with path.open("rb") as file:
            self.head = file.read(256)
            self._ends_inside(256)
            self.kind = next((k for k, m in MAGIC.items() if self.head.startswith(m)), "EDF")
            count = self._number(252, 4, "number of signals", int, 1)
            self.head += file.read(256 * count)
        self._ends_inside(256 * (count + 1))
        if self._number(184, 8, "bytes in header", int, 1) != len(self.head):
            raise FormatError(
                f"{path.name}: byte 184 says that the header has {self.head[184:192].decode('latin-1').strip()} bytes, "
                f"but its {count} signals (byte 252) make {len(self.head)}. One is damaged; get a fresh copy."
            )
        self.declared = self._number(236, 8, "number of data records", int, -1)
        self.duration = self._number(244, 8, "duration of a data record", Fraction, 0)
        for place, what, kind in ((104, "physical range", Fraction), (120, "digital range", int)):
            for i in range(2 * count):
                self._number(256 + place * count + 8 * i, 8, what, kind)
        self.samples = [self._number(256 + 216 * count + 8 * i, 8, "samples in a record", int, 1) for i in range(count)]
        labels = [self.head[256 + 16 * i :][:16].decode("latin-1").strip() for i in range(count)]
        self.annotating = [i for i in range(count) if labels[i] == f"{self.kind} Annotations"]
        self.signals = [i for i in range(count) if i not in self.annotating]
        self._edges = np.cumsum([0, *self.samples]) * _BYTES[self.kind]
        self.discontinuous = self.head[192:197] == f"{self.kind}+D".encode()
        self.n_records = self._count(partial, notes)
        shape = (self.n_records, int(self._edges[-1]))
        empty = not self.n_records
        self.data = np.zeros(shape, np.uint8) if empty else np.memmap(path, np.uint8, "r", len(self.head), shape)

    def _ends_inside(self, size: int) -> None:
        if len(self.head) < size:
            raise FormatError(
                f"{self.path.name} ends at byte {len(self.head)}, inside its header of {size} bytes. Get a whole copy."
            )

    def _number(self, at: int, width: int, what: str, kind: Callable[[str], Any], least: int | None = None) -> Any:
        text = self.head[at : at + width].decode("latin-1").strip()
        try:
            value = kind(text)
        except (ValueError, ZeroDivisionError):
            value = None
        if value is None or (least is not None and value < least):
            wanted = "a number" if least is None else f"a number of at least {least}"
            raise FormatError(f"{self.path.name}: byte {at} ({what}) needs {wanted}; got {text!r}. Get a fresh copy.")
        return value

    def _count(self, partial: bool, notes: list[str]) -> int:
        size, record = self.path.stat().st_size, int(self._edges[-1])
        whole, rest = divmod(size - len(self.head), record)
        declared: int = self.declared
        if declared < 0:
            notes.append("The header gives no number of records (byte 236): the recording was not closed.")
            declared = whole
        surplus = size - len(self.head) - declared * record
        if self.declared >= 0 and surplus > 0:
            raise FormatError(
                f"{self.path.name} has {surplus} bytes after the end of its {declared} records. "
                "Often line ends were converted on the way: copy it again, as binary."
            )
        if (whole < declared or rest) and not partial:
            raise FormatError(
                f"{self.path.name} ends at byte {size}, {rest} bytes into record {whole} of {max(declared, whole)}. "
                f"Get a whole copy, or open it with partial=True for the {whole} records that are whole."
            )
        if whole < declared or rest:
            notes.append(f"The file is cut short: {whole} whole records are read, byte 236 promises {self.declared}.")
        return min(whole, declared)

    def piece(self, first: int, last: int) -> bytes:
        """Return records `first` to `last` as a small file of their own."""
        count = str(last - first).encode().ljust(8)
        return self.head[:236] + count + self.head[244:] + self.data[first:last].tobytes()

    def annotations(self, notes: list[str]) -> Iterator[Annotation]:
        """Yield all annotations, those with an empty text that give the time of a record included."""
        damaged = 0
        for k in range(self.n_records):
            for i in self.annotating:
                for part in self.data[k, self._edges[i] : self._edges[i + 1]].tobytes().split(b"\x00"):
                    if match := _TAL.fullmatch(part):
                        onset, duration = Fraction(match[1].decode()), float(match[2] or 0)
                        for text in match[3].split(b"\x14"):
                            yield Annotation(k, onset, duration, text.decode("utf-8", "replace"))
                    else:
                        damaged += bool(part)
        if damaged:
            notes.append(f"{damaged} annotations are damaged and left out.")

    def byte_of(self, record: int) -> int:
        """Return the byte at which a record begins."""
        return len(self.head) + record * int(self._edges[-1])
