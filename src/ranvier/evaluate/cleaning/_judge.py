"""Verdicts: what `ChannelVerdicts` says about each channel of a recording, as stretches of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ranvier.channels import ChannelVerdicts
from ranvier.evaluate.cleaning._panes import Advance, side_by_side
from ranvier.evaluate.cleaning._profile import Profile
from ranvier.stage import Stage
from ranvier.stream import Recording

Spans = list["Span"]


class Span(NamedTuple):
    """A stretch in which a channel is suspect or bad, and why [samples]."""

    start: int
    stop: int
    level: str
    reason: str


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Stretches in which channels are suspect or bad.

    Parameters
    ----------
    names, spans
        Of the channels, and of each its stretches.
    judged
        Samples that were judged.
    rate
        Of the recording [Hz].
    """

    names: tuple[str, ...]
    spans: tuple[Spans, ...]
    judged: int
    rate: float

    def seconds(self, channel: int, reason: str = "") -> float:
        """Return for how long a channel is bad, for one reason or any [s]."""
        found = [s for s in self.spans[channel] if s.level == "bad" and reason in ("", s.reason)]
        return sum(s.stop - s.start for s in found) / self.rate

    def share(self, channel: int, reason: str = "") -> float:
        """Return the part of the time in which a channel is bad, for one reason or any."""
        return self.seconds(channel, reason) * self.rate / max(self.judged, 1)

    def why(self, channel: int) -> str:
        """Return the reason for which a channel is bad the longest; empty where it never is."""
        reasons = dict.fromkeys(s.reason for s in self.spans[channel] if s.level == "bad")
        return max(reasons, key=lambda r: self.seconds(channel, r), default="")


def judge(recording: Recording, known: Profile, front: Stage, mains: float, advance: Advance) -> Verdicts:
    """Let the project's own judge hear the electrodes of a recording, as they come out of a front."""
    judging: ChannelVerdicts = known.verdicts(mains)
    labels = judging.describe(front.describe(recording.info)).labels
    spans: list[Spans] = [[] for _ in known.electrodes]
    open_since: dict[int, tuple[int, str]] = {}
    heard, end = 0, None

    def close(channel: int, at: int) -> None:
        since, label = open_since.pop(channel, (at, ""))
        if since < at:
            level, _, reason = label.partition(":")
            spans[channel].append(Span(since, at, level, reason))

    for block, events in side_by_side(front, front | judging, recording, advance):
        if not block.n:
            continue
        if end is not None and block.start != end:  # the judge begins anew, and so do all channels
            for c in list(open_since):
                close(c, end)
        for event in events.table:
            channel, at, label = int(event["source"]), int(event["sample"]), labels[int(event["code"])]
            close(channel, at)
            if label != "good":
                open_since[channel] = (at, label)
        heard, end = heard + block.n, block.stop
    for c in list(open_since):
        close(c, end or 0)
    return Verdicts(known.electrodes, tuple(spans), heard, known.rate)
