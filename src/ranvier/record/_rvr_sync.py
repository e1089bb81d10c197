"""Syncer: once a second, in a thread of its own, make durable what was written, seal segments, watch the room."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from ranvier.record._rvr_files import Files
from ranvier.record._rvr_health import SOON
from ranvier.record._rvr_log import Log
from ranvier.record._rvr_segment import Segment, seal
from ranvier.record._rvr_track import Loss, Track
from ranvier.stream import HostClock

LATELY = 10  # syncs over which the rate is taken


class Syncer:
    """Makes durable what others write; nobody waits for it.

    Parameters
    ----------
    files, folder
        The disk, the folder of the part.
    tracks, log
        What is written to.
    describe
        What a sealed segment of a track is to say of itself.
    period
        Between two syncs [s]; 0: only when `once` is called.
    clock
        Host time.
    """

    def __init__(
        self, files: Files, folder: Path, tracks: list[Track], log: Log, describe: Callable[[Track], dict[str, Any]],
        period: float, clock: HostClock,
    ) -> None:  # fmt: skip
        self._files, self._folder, self._tracks, self._log = files, folder, tracks, log
        self._describe, self._clock = describe, clock
        self.said: deque[tuple[str, dict[str, Any]]] = deque()  # notes for the writer to take: kind, payload
        self.doubts: deque[tuple[Track, Loss]] = deque()
        self.unsure = dict.fromkeys(tracks, 0)
        self.synced, self.error = clock(), ""
        self.rate, self.seconds_left = 0.0, inf
        self._seen: deque[tuple[int, int]] = deque([(self.synced, 0)], LATELY)
        self._told = False
        self._one = Lock()  # one sync at a time; never taken by who appends
        self._end = Event()
        self._thread = Thread(target=self._run, args=(period,), name="ranvier record sync", daemon=True)
        if period:
            self._thread.start()

    def _run(self, period: float) -> None:
        while not self._end.wait(period):
            self.once()

    def once(self) -> bool:
        """Sync what is there now; return whether all went well."""
        with self._one:
            good = not [t for t in self._tracks if not self._track(t)]
            try:
                self._log.sync()
            except OSError as e:
                self._log.doubt, good = e, False
                self._failed(e)
                self.said.append(("loss", {"notes": [self._log.durable, self._log.written], **_why(e)}))
            if good:
                self.synced = self._clock()
            self._watch()
            return good

    def _track(self, track: Track) -> bool:
        # in this order: who is moved from `segment` to `full` meanwhile is seen at least once
        written, segment, full = track.written, track.segment, list(track.full)
        if written == track.durable and not full:
            return True
        try:
            for s in (*full, *([segment] if segment is not None and segment not in full else [])):
                s.sync()
        except OSError as e:
            self._failed(e)
            loss = Loss(track.durable, written, e.strerror or str(e), True)
            self.doubts.append((track, loss))
            self.unsure[track] += written - track.durable
            track.doubt = e  # what the disk forgot it will not remember: go on in another file
            for s in full:
                s.failed = True
        track.durable = written
        good = track.doubt is None
        while full:
            good = self._seal(track, full.pop(0)) and good
        return good

    def _seal(self, track: Track, segment: Segment) -> bool:
        try:
            if not segment.failed:
                seal(self._files, segment.folder, track.kept, segment.number, self._describe(track))
        except OSError as e:  # its journal says all that its index would
            self._failed(e)
        track.full.remove(segment)
        segment.close()
        return True

    def _failed(self, e: OSError) -> None:
        self.error = e.strerror or str(e)

    def _watch(self) -> None:
        """See how long the disk will do at the present rate, and say so ten minutes ahead."""
        now, total = self._clock(), sum(t.bytes for t in self._tracks) + self._log.bytes
        self._seen.append((now, total))
        before, then = self._seen[0]
        if now > before:
            self.rate = (total - then) / ((now - before) / 1e9)
        try:
            free = self._files.free(self._folder)
        except OSError as e:
            self._failed(e)
            return
        self.seconds_left = free / self.rate if self.rate > 0 else inf
        if self.seconds_left < SOON and not self._told:
            self.said.append(("disk", {"seconds_left": self.seconds_left, "free_bytes": free, "rate": self.rate}))
        self._told = self.seconds_left < SOON * (1.1 if self._told else 1)

    def close(self) -> None:
        """End the thread, wait for the sync that it is in, and sync once more."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self.once()


def _why(e: OSError) -> dict[str, Any]:
    return {"error": e.strerror or str(e), "errno": e.errno}
