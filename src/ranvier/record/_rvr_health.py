"""What an `.rvr` writer says of itself: how it fares, and up to where everything would survive a power cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

SOON = 600.0  # s before the disk is full from which on it is said


class Durable(NamedTuple):
    """Up to where everything would survive a power cut, but for what `Health.unsure` counts.

    Parameters
    ----------
    samples
        Of each stream: index behind the last such sample.
    notes
        Sequence behind the last such note.
    """

    samples: Mapping[str, int]
    notes: int


@dataclass(frozen=True, kw_only=True)
class Health:
    """How a writer fares.

    Parameters
    ----------
    bytes, rate
        Written since it began, and lately in a second [bytes, bytes/s].
    lost
        Samples of each stream that the disk did not take.
    unsure
        Samples of each stream that the disk took and then failed to make durable.
    notes_lost
        Notes that there was no room for while the disk took none.
    seconds_left
        Until the disk is full at the present rate [s].
    synced
        Host time of the last sync that succeeded [ns].
    error
        What the disk said last, empty where it never failed.
    """

    bytes: int
    rate: float
    lost: Mapping[str, int]
    unsure: Mapping[str, int]
    notes_lost: int
    seconds_left: float
    synced: int
    error: str

    @property
    def full_soon(self) -> bool:
        """True where the disk will be full within ten minutes."""
        return self.seconds_left < SOON

    @property
    def complete(self) -> bool:
        """True where nothing is lost or unsure."""
        return not (any(self.lost.values()) or any(self.unsure.values()) or self.notes_lost)
