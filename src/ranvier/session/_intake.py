"""Intake: the thread in which a device's samples come into their ring, and what it tells the loop besides."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from math import isfinite
from threading import Event, Thread
from typing import Any

from ranvier.acquire import ClockFitter, Mark, Packet, Source
from ranvier.errors import DeviceError, RanvierError
from ranvier.session._ring import Ring

TURN = 0.05  # s that the thread waits for samples before it looks whether it shall end
SHORT = 0.0005  # s between two looks whether there is room for more of a patient source
SILENT = 0.5  # s without a sample after which the recording says so
AGAIN = (0.2, 0.5, 1.0, 2.0, 5.0)  # s before each attempt to reach a lost device, the last for all that follow

Said = tuple[str, int, dict[str, Any]]  # kind of note, sample, payload


class Post(deque[Any]):
    """A queue of fixed size between two threads, without a lock; what falls out of its front is counted.

    Attributes
    ----------
    dropped
        How much was never taken.
    """

    def __init__(self, room: int) -> None:
        super().__init__(maxlen=room)
        self.dropped = 0

    def append(self, x: Any) -> None:
        if len(self) == self.maxlen:
            self.dropped += 1
        super().append(x)


class Intake:
    """Carries what a source delivers into a ring, in a thread of its own, and finds a lost device again.

    Parameters
    ----------
    source
        Open, not yet running.
    ring
        For its samples.
    fitter
        Is told index and arrival of every packet and answers with clock fits; None for none.
    begin, wall
        Where an earlier session ended: index behind its last sample, and when that came by the wall clock [ns].
        Indices go on behind it by the time that has passed.

    Attributes
    ----------
    said
        What the loop should write down, as `Said`: the loop takes it from the left.
    marks
        Marks that the device itself reported.
    failure
        Why it ended, if not as asked.
    taken
        Up to which sample the loop has come: it says so here, and a patient source waits for it.
    """

    def __init__(self, source: Source, ring: Ring, fitter: Any = None, begin: int = 0, wall: int = 0) -> None:
        self.source, self.ring, self.fitter = source, ring, fitter
        self.said = Post(4096)  # of Said
        self.marks = Post(65536)  # of Mark
        self.failure: RanvierError | None = None
        self.clock: Any = None  # the newest fit
        self.fits = Post(4096)  # clock fits that the loop has not taken yet
        self.reconnected = self.taken = 0
        self._room = ring.block * ring.slots // 4
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"intake of {source.info.name}", daemon=True)
        self.begin = self._next = self._base = begin
        self._wall = wall
        self._newest = 0  # when the last packet was there, or the device began [ns]
        self._quiet = self._anew = False
        self._begun = begin > 0

    @property
    def over(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    def start(self) -> None:
        """Start the device and the thread; nothing, if they were."""
        if self._thread.ident is not None:
            return
        self.source.start(time.monotonic_ns)
        self._newest = time.monotonic_ns()
        if self.begin:
            away = max(time.time_ns() - self._wall, 0)
            self._newest -= away
            self._anew = True
            self.said.append(("gap", self._next, {"reason": "session goes on", "away_s": away / 1e9}))
        self._thread.start()

    def stop(self) -> None:
        """Stop the device, let the thread end, close the ring for writing."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(10)
        with contextlib.suppress(Exception):
            self.source.stop()
        self.ring.end()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    packets = self.source.read(TURN)
                    if packets:
                        self._take(packets)
                    else:
                        self._listen()
                except EOFError:
                    return
                except DeviceError as e:
                    self.said.append(("gap", self._next, {"reason": "device lost", "error": str(e)}))
                    if not self._reach_again(e):
                        return
        except Exception as e:  # whatever a device's driver raises: it ends this source, and is told
            self.failure = e if isinstance(e, RanvierError) else DeviceError(f"{type(e).__name__}: {e}")
            self.said.append(("gap", self._next, {"reason": "intake failed", "error": str(self.failure)}))
        finally:
            with contextlib.suppress(Exception):
                self.source.stop()
            self.ring.end()

    def _listen(self) -> None:
        """Say that nothing comes, once it lasts."""
        quiet = (time.monotonic_ns() - self._newest) / 1e9
        if not self._quiet and quiet > max(SILENT, 3 / float(self.source.info.rate)) and not self.source.patient:
            self._quiet = True
            self.said.append(("gap", self._next, {"reason": "silent", "for_s": quiet}))

    def _take(self, packets: list[Packet | Mark]) -> None:
        if self._anew:
            self._go_on(next((p for p in packets if isinstance(p, Packet)), None))
        for mark in packets:  # first, so that nobody sees the samples of a mark without it
            if isinstance(mark, Mark):
                self._mark(mark)
        for packet in packets:
            if isinstance(packet, Mark) or not len(packet.samples):
                continue
            start = packet.start + self._base
            if not self._begun:  # a device that was running already counts from somewhere
                self._begun, self._next = True, start
            if start < self._next:
                self.said.append(("gap", self._next, {"reason": "index went back", "to": start}))
                continue
            if start > self._next:
                self.said.append(("gap", self._next, {"reason": "lost", "samples": start - self._next}))
            self.ring.write(packet.samples, start, packet.arrival)
            self._next = start + len(packet.samples)
            self._newest, self._quiet = packet.arrival, False
            while self.source.patient and self._next - self.taken > self._room and not self._stop.wait(SHORT):
                pass
            if self.fitter is not None:
                fit = self.fitter.feed(self._next, packet.arrival)
                if fit is not None:
                    self.clock = fit
                    self.fits.append(fit)
                    self.said.append(("clock", fit.since, as_table(fit)))

    def _mark(self, mark: Mark) -> None:
        """Take a mark in; one at no instant is written down as what it is."""
        if isfinite(mark.sample):
            self.marks.append(mark._replace(sample=mark.sample + self._base))
        else:
            said = {"label": str(mark.label), "sample": str(mark.sample)}
            self.said.append(("gap", self._next, {"reason": "mark at no instant", **said}))

    def _reach_again(self, error: DeviceError) -> bool:
        """Open and start the device anew until it answers; its count goes on behind what was, by the time between."""
        attempt, before = 0, self.source.info
        while not self._stop.wait(AGAIN[min(attempt, len(AGAIN) - 1)]):
            attempt += 1
            try:
                self.source.close()
                self.source.open()
                if self.source.info != before:
                    self.failure = DeviceError(
                        f"{type(self.source).__name__} needs the device that it began with; after it was lost another "
                        "one answered, with other channels or another rate. Start a new session for it."
                    )
                    return False
                self.source.start(time.monotonic_ns)
            except Exception:  # noqa: S112  it is not back yet, whatever its driver calls that
                continue
            away = (time.monotonic_ns() - self._newest) / 1e9
            self._anew = self._quiet = True
            self.reconnected += 1
            if self.fitter is not None:
                self.fitter.restart()
            self.said.append(("gap", self._next, {"reason": "device back", "away_s": away, "attempts": attempt}))
            return True
        self.failure = error
        return False

    def _go_on(self, first: Packet | None) -> None:
        """Let the device's count begin behind what was, by the time from the last sample then to the first now."""
        if first is not None:
            rate = float(self.source.info.rate) * self.source.tempo
            missed = round((first.arrival - self._newest) * 1e-9 * rate) - len(first.samples)
            self._base = self._next + max(missed, 1) - first.start
            self._anew = False


def as_table(fit: Any) -> dict[str, Any]:
    """Return a clock fit as plain numbers."""
    return {
        "since": fit.since, "index": fit.index, "time": fit.time, "period": fit.period, "uncertainty": fit.uncertainty,
    }  # fmt: skip


def fitter(source: Source) -> ClockFitter:
    """Return what fits a source's clock."""
    return ClockFitter(float(source.info.rate) * source.tempo)
