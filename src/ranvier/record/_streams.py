"""StreamEntry: one line of what a file holds; and which of them is meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ranvier.errors import FormatError


class StreamEntry(NamedTuple):
    """One line of what a file holds: rate [Hz] (0: irregular), None where a count is not known."""

    name: str
    type: str
    rate: float
    n_channels: int
    n_samples: int | None


def choose_stream(path: Path, entries: Sequence[StreamEntry], stream: str | int | None, notes: list[str]) -> int:
    """Return the place of the stream that a name, type or place means; by default that with most numbers a second."""
    usable = [i for i, e in enumerate(entries) if e.rate > 0 and e.n_samples != 0]
    listed = "; ".join(f"{i}: {e.name!r} ({e.type}, {e.rate:g} Hz, {e.n_channels} ch)" for i, e in enumerate(entries))
    if isinstance(stream, int):
        found = [stream] if 0 <= stream < len(entries) else []
    elif stream is not None:
        found = [i for i in range(len(entries)) if entries[i].name == stream]
        found = found or [i for i in range(len(entries)) if entries[i].type == stream]
    else:
        found = sorted(usable, key=lambda i: -entries[i].n_channels * entries[i].rate)
        if len(usable) > 1:
            notes.append(
                f"Stream {entries[found[0]].name!r} was taken, which has most numbers a second, of {listed} (stream=)."
            )
    if not found:
        raise FormatError(
            f"{path.name} has no signal {'' if stream is None else repr(stream) + ' '}with samples at a regular rate; "
            f"it holds {listed or 'no stream'}. Choose one of them by stream=."
        )
    entry = entries[found[0]]
    if found[0] not in usable:
        raise FormatError(
            f"{path.name}: stream {entry.name!r} has {'no sample' if entry.rate else 'no regular rate'} and cannot be "
            f"a signal; the file holds {listed}. Choose another by stream=."
        )
    return found[0]
