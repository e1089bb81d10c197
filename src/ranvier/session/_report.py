"""Report: what a session was, in figures: what came, what was decided and done, how old it was, what was lost."""

from __future__ import annotations

import time
from typing import Any


class Report:
    """The figures of a session, up to date while it runs.

    Attributes
    ----------
    counts
        Blocks, samples, decisions, commands.
    latency
        For each measure: how many, p50, p99, p999, max [us].
    ended
        Why it ended.
    granted
        What the machine granted of what was asked for.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.latency: dict[str, dict[str, float]] = {}
        self.sources: dict[str, dict[str, Any]] = {}
        self.guard: dict[str, Any] = {}
        self.actuator: dict[str, Any] = {}
        self.recording: dict[str, Any] = {}
        self.granted: dict[str, Any] = {}
        self.ended = ""
        self.seconds = 0.0
        self._began = 0
        self._parts: tuple[Any, ...] = ()

    def begin(self, loop: Any, names: list[str], recorder: Any, guard: Any) -> None:
        """Remember whose figures these are."""
        self._parts = (loop, names, recorder, guard)
        self._began = time.monotonic_ns()

    def update(self) -> None:
        """Take the figures as they are now."""
        if not self._parts:
            return
        loop, names, recorder, guard = self._parts
        self.seconds = (time.monotonic_ns() - self._began) / 1e9
        self.counts = dict(loop.counts)
        self.latency = {name: h.summary() for name, h in loop.latency.items() if h.n}
        for name, intake, reader in zip(names, loop.intakes, loop.readers, strict=True):
            fit = intake.clock
            self.sources[name] = {
                **intake.source.counters.as_dict(), "overrun_samples": reader.lost_samples,
                "reconnected": intake.reconnected,
                "words_dropped": intake.said.dropped + intake.marks.dropped, "failure": str(intake.failure or ""),
                "rate": float(1 / fit.period) if fit else None,
                "clock_uncertainty_us": fit.uncertainty * 1e6 if fit else None,
            }  # fmt: skip
        if guard is not None:
            refused = {reason: n for reason, n in guard.refused.items() if n}
            self.guard = {"approved": guard.approved, "clamped": guard.clamped, "refused": refused}
        if loop.actuator is not None:
            self.actuator = {"sent": loop.actuator.sent, "dropped": loop.actuator.dropped}
        if recorder is not None:
            self.recording = dict(recorder.health)  # another thread goes on to write to it

    def end(self) -> None:
        """Take the figures for the last time."""
        self.update()
        self._parts = ()

    def as_table(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        self.update()
        return {
            "seconds": self.seconds, "ended": self.ended, "counts": self.counts, "latency_us": self.latency,
            "sources": self.sources, "guard": self.guard, "actuator": self.actuator, "recording": self.recording,
            "granted": self.granted,
        }  # fmt: skip
