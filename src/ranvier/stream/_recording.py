"""Recording: what remains of a session, as everything that reads one sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from ranvier.stream._block import Block
from ranvier.stream._events import Events
from ranvier.stream._info import EventInfo, StreamInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Entities:
    """Whose recording it is and how it was made, in the words of BIDS; empty where unknown."""

    subject: str = ""
    session: str = ""
    run: str = ""
    task: str = ""
    device: str = ""
    reference: str = ""
    ground: str = ""
    frame: str = ""
    start: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Recording(Protocol):
    """One continuous signal with its events; implemented in `ranvier.record`.

    Attributes
    ----------
    info
        Description of the signal.
    event_info, events
        Description of the events, and all of them, counted in samples of the signal.
    entities
        Subject, session, run, task, device, reference, ground, frame.
    n_samples
        Samples of the signal.
    """

    @property
    def info(self) -> StreamInfo: ...
    @property
    def event_info(self) -> EventInfo: ...
    @property
    def events(self) -> Events: ...
    @property
    def entities(self) -> Entities: ...
    @property
    def n_samples(self) -> int: ...

    def blocks(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        """Yield the signal from sample `start` to `stop` in blocks of `size` samples."""
        ...
