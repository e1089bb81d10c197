"""Format: what the registry needs to know of a kind of file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ranvier.record._streams import StreamEntry
from ranvier.stream import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A kind of file that `record.open` can read.

    Plug-ins name an object with these attributes under the entry-point group ``ranvier.formats``;
    `magic`, `streams` and `folder` may be absent.

    Parameters
    ----------
    name
        What people call it.
    suffixes
        Endings of file names, with the dot, in small letters.
    magic
        What its first bytes are, in words: for the message about a file that is not what its name says.
    sniff
        Says of a path and the first 4096 bytes whether it is of this kind.
    open
        Opens it: ``open(path, **options)``.
    streams
        Lists the streams of a file that may hold several.
    folder
        Whether it is a folder; its `sniff` gets no bytes.
    """

    name: str
    suffixes: tuple[str, ...]
    magic: str
    sniff: Callable[[Path, bytes], bool]
    open: Callable[..., Recording]
    streams: Callable[[Path], Sequence[StreamEntry]] | None = None
    folder: bool = False
