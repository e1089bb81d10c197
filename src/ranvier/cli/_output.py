"""What all verbs share on their way out: one JSON document, tables, progress on standard error."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

SCHEMA = 1
WIDE = 120  # columns where the output is not a terminal

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document with stable keys on standard output.")]


def emit(verb: str, document: Mapping[str, Any]) -> None:
    """Print the one JSON document of a verb on standard output."""
    import json

    text = json.dumps({"schema": SCHEMA, "verb": verb, **_plain(document)}, indent=2, allow_nan=False)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    """Return what JSON can hold: fractions and NumPy numbers as numbers, what is no number as null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Fraction):
        value = float(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def console() -> Console:
    """Return where results go: standard output."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, markup=False, emoji=False)


def aside() -> Console:
    """Return where everything else goes: standard error."""
    from rich.console import Console

    return Console(stderr=True, width=None if sys.stderr.isatty() else WIDE, highlight=False, markup=False, emoji=False)


def clean(text: Any) -> str:
    """Return a text from a file without what could steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in str(text))


def line(*parts: str | tuple[str, str]) -> Text:
    """Return a line of text; a part with a style is a pair."""
    from rich.text import Text

    return Text.assemble(*[clean(p) if isinstance(p, str) else (clean(p[0]), p[1]) for p in parts])


def table(*columns: str, rows: Iterable[Sequence[Any]] = (), right: Sequence[str] = (), head: bool = True) -> Table:
    """Return a table in the house's look; columns named in `right` hold numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD if head else None, show_header=head, pad_edge=False, padding=(0, 2, 0, 0))
    for c in columns:
        made.add_column(c, justify="right" if c in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*[cell if isinstance(cell, Text) else clean(cell) for cell in row])
    return made


class Advance(Protocol):
    """Tell a bar how much more is done; and, if they became known, how much there is in all and what it is."""

    def __call__(self, more: float, total: float | None = None, what: str = "") -> None: ...


@contextmanager
def progress(text: str, total: float | None = None) -> Iterator[Advance]:
    """Show a bar on standard error while something long goes on; nothing where that is not a terminal."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=aside(), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(clean(text), total=total)

        def advance(more: float, total: float | None = None, what: str = "") -> None:
            bar.update(task, advance=more, total=total, description=clean(what or text))

        yield advance


def duration(seconds: float) -> str:
    """Return a length of time in seconds, or in minutes and seconds."""
    return f"{seconds:.3g} s" if seconds < 60 else f"{int(seconds // 60)} min {seconds % 60:.0f} s"
