"""Writer: records streams and notes in an `.rvr` folder that can be read from the first second on, whatever happens."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from fractions import Fraction
from math import nan
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from ranvier.errors import ConfigError, ContractError, StateError
from ranvier.record._rvr_array import group
from ranvier.record._rvr_files import Files
from ranvier.record._rvr_format import END, HEAD, PART, SUFFIX, ZARR, parts_of, sealed_text
from ranvier.record._rvr_head import Planned, Stored, make_head, plan
from ranvier.record._rvr_health import Durable, Health
from ranvier.record._rvr_log import Log, Note
from ranvier.record._rvr_segment import seal
from ranvier.record._rvr_sync import Syncer
from ranvier.record._rvr_track import Loss, Track
from ranvier.stream import Block, Events, HostClock, StreamInfo

if TYPE_CHECKING:
    from typing import Self

OLD = 60_000_000  # ns after which a chunk that is not full is written
SEGMENT_BYTES = 1 << 30


class Writer:
    """Records streams and notes; made for one thread, which never waits for a disk to be in sync.

    Parameters
    ----------
    path
        Folder to make; its name ends in ``.rvr``.
    head
        What else to keep, under the keys ``graph`` (TOML), ``ids``, ``device``, ``entities``, ``session``.
    streams
        What will be recorded, by name.
    resume
        Whether to add to a recording that is there; its indices go on behind `stops`, and a note of kind ``gap`` says
        where.
    segment_bytes
        After which a new segment is begun.
    sync_seconds
        Between two syncs [s]; 0: only when `sync` is called.
    clock
        Host time; `time.monotonic_ns`, or a virtual one in tests.
    files
        The disk, or one that fails in tests.

    Attributes
    ----------
    ended
        Of each stream: when the last sample that an earlier writer left was there [ns of the wall clock]; 0 for none.
    left
        The last notes of earlier writers whose head says the same of its session.

    Notes
    -----
    `append` copies samples into a chunk of at most 50 ms; a full chunk is coded and written. `flush`, called at least
    every 50 ms, writes chunks that are not full and notes: a killed process loses at most 100 ms, a power cut at most
    1.1 s. What the disk refuses is counted in `health` and, once it works again, in a note of kind ``loss``; what was
    written before stays as it is.

    Raises
    ------
    ConfigError
        The folder is there already, or is not (`resume`), or a key of the head is none.
    ContractError
        A stream cannot be recorded, or is another than the one to be resumed.
    OSError
        The disk refuses the very first files.
    """

    def __init__(
        self,
        path: str | Path,
        head: Mapping[str, Any],
        streams: Mapping[str, Stored],
        *,
        resume: bool = False,
        segment_bytes: int = SEGMENT_BYTES,
        sync_seconds: float = 1.0,
        clock: HostClock = time.monotonic_ns,
        files: Files | None = None,
    ) -> None:
        self.path, self._clock, self._files = Path(path), clock, files or Files()
        self._planned = {p.name: p for p in plan(streams)}
        monotonic, wall = clock(), time.time_ns()
        identity, number = os.urandom(16).hex(), 0
        stops = {(p.name, role): 0 for p in self._planned.values() for role in p.arrays}
        self.ended = dict.fromkeys(self._planned, 0)
        self.left: list[Note] = []
        text = make_head(head, list(self._planned.values()), monotonic, wall, identity)
        sealed = sealed_text("head", text)
        self._refuse_place(resume)
        if resume:
            number = self._take_up(stops, head.get("session"))
        self._part = self.path / PART.format(number)
        self._make_folders()
        self._files.put(self._part / HEAD, sealed)
        self._lock = self._files.lock(self._part / HEAD)
        self._tracks = {
            (p.name, role): Track(
                self._files, self._part, kept, _period(p.stored.info.rate), segment_bytes, stops[p.name, role]
            )
            for p in self._planned.values()
            for role, kept in p.arrays.items()
        }
        self._of = {track: name for (name, _), track in self._tracks.items()}
        self._log = Log(self._files, self._part)
        self._said_lost = 0
        self.closed = False
        self.note("head", payload=text)
        self._log.flush()
        self._syncer = Syncer(
            self._files, self._part, list(self._tracks.values()), self._log, self._describe, sync_seconds, clock
        )

    # the way in --------------------------------------------------------------------------------
    def append(self, stream: str, samples: npt.NDArray[Any], start: int, arrival: int, device: float = nan) -> None:
        """Record samples as they were delivered.

        Parameters
        ----------
        stream
            Its name.
        samples
            ``(n, *shape)`` of the dtype that was described.
        start
            Index of the first; where it jumps forward, samples are missing.
        arrival
            Host time at which the last one was there [ns].
        device
            Device clock at the first one [s].
        """
        p = self._need(stream, samples, start)
        if p.stored.masked or not p.stored.info.rate:
            raise ContractError(f"Stream {stream!r} is kept with its mask or its instants; use append_block.")
        self._tracks[stream, "samples"].append(samples, start, arrival, device)

    def append_block(self, stream: str, block: Block, arrival: int | None = None) -> None:
        """Record a block of a stream that is kept with its mask, with its source indices where it has no rate."""
        p = self._need(stream, block.data, block.start)
        host = self._clock() if arrival is None else arrival
        if block.at is None and "at" in p.arrays:
            raise ContractError(f"Stream {stream!r} has no rate: its blocks need `at`; got one without. Pass it on.")
        for role in p.arrays:
            values: npt.NDArray[Any] = getattr(block, "data" if role == "samples" else role)
            track = self._tracks[stream, role]
            had = max(track.stop - block.start, 0)  # of one array more may have been saved than of another
            if had < block.n:
                track.append(values[had:], block.start + had, host, nan)

    def append_events(self, stream: str, events: Events, arrival: int | None = None) -> None:
        """Record events of a stream that an `EventInfo` describes; they may be none."""
        if stream not in self._planned or self._planned[stream].arrays:
            raise ContractError(
                f"{stream!r} was not described as a stream of events. Give its EventInfo to the writer."
            )
        payload = {"start": events.start, "stop": events.stop}
        arrays = {"table": events.table} if events.n else {}
        self.note("events", stream, events.start, self._clock() if arrival is None else arrival, payload, arrays)

    def note(
        self,
        kind: str,
        stream: str = "",
        sample: int = -1,
        host: int | None = None,
        payload: Mapping[str, Any] | None = None,
        arrays: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> int:
        """Record something else: an event, decision, command, gap, clock fit, setting. Return its sequence.

        Parameters
        ----------
        kind
            What it is. Notes of kind ``event`` become events of the opened recording: their payload holds ``label``,
            and if wanted ``fraction``, ``duration`` [samples], ``value``, ``source``, ``uncertainty`` [s].
        stream, sample
            What it speaks of.
        host
            Host time [ns]; now where None.
        payload
            Numbers and texts; numbers that are not finite become null.
        arrays
            Numbers to the bit, by name.
        """
        self._running()
        host = self._clock() if host is None else host
        return self._log.add(kind, stream, sample, host, payload or {}, arrays or {})

    def flush(self, older: int = OLD) -> None:
        """Write notes, and chunks whose first sample came more than `older` [ns] ago; call it at least every 50 ms.

        Less than 0 means all chunks.
        """
        self._running()
        before = self._clock() - older if older >= 0 else 2**62  # all, whatever time a source gave it
        for track in self._tracks.values():
            track.flush(before)
        self._tell()
        if error := self._log.flush():
            self._syncer.error = error.strerror or str(error)
        elif (lost := self._log.lost) > self._said_lost:
            self._said_lost = lost
            self.note("loss", payload={"notes_lost": lost})

    # how it fares ------------------------------------------------------------------------------
    @property
    def stops(self) -> dict[str, int]:
        """Of each stream: the least index that its next sample may have."""
        return {p.name: min(self._tracks[p.name, r].stop for r in p.arrays) for p in self._planned.values() if p.arrays}

    @property
    def durable(self) -> Durable:
        """Up to where everything would survive a power cut."""
        samples: dict[str, int] = {}
        for (name, _), track in self._tracks.items():
            samples[name] = min(track.durable, samples.get(name, track.durable))
        return Durable(samples, self._log.durable)

    @property
    def health(self) -> Health:
        """How the writer fares."""
        s, lost, unsure = self._syncer, dict.fromkeys(self._planned, 0), dict.fromkeys(self._planned, 0)
        for (name, _), track in self._tracks.items():
            lost[name] = max(lost[name], track.lost)
            unsure[name] = max(unsure[name], s.unsure[track])
        written = sum(t.bytes for t in self._tracks.values()) + self._log.bytes
        return Health(
            bytes=written, rate=s.rate, lost=lost, unsure=unsure, notes_lost=self._log.lost,
            seconds_left=s.seconds_left, synced=s.synced, error=s.error,
        )  # fmt: skip

    def sync(self) -> bool:
        """Flush all, wait until it is durable, and return whether that went well. Not for the data's way."""
        self.flush(-1)
        return self._syncer.once()

    # the end -----------------------------------------------------------------------------------
    def close(self) -> None:
        """Write what is left, make it durable, and make Zarr arrays of the segments; safe to call twice."""
        if self.closed:
            return
        self.flush(-1)
        for track in self._tracks.values():
            if track.segment is not None:
                track.full.append(track.segment)
                track.segment = None
        self._syncer.close()
        self._tell(last=True)
        self._log.flush()
        self.closed = True
        try:
            self._log.sync()
            self._files.put(self._part / END, sealed_text("end", self._end()))
        except OSError as e:
            self._syncer.error = e.strerror or str(e)
        finally:
            self._log.close()
            self._files.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # inside ------------------------------------------------------------------------------------
    def _running(self) -> None:
        if self.closed:
            raise StateError(f"The writer of {self.path.name} is closed. Make another with resume=True.")

    def _need(self, stream: str, samples: npt.NDArray[Any], start: int) -> Planned:
        """Return the plan of a stream, or say what does not fit it."""
        self._running()
        p = self._planned.get(stream)
        if p is None or not isinstance(info := p.stored.info, StreamInfo):
            raise ContractError(f"The recording has no signal {stream!r}; it has {', '.join(self._planned)}.")
        if samples.dtype != info.dtype or samples.shape[1:] != info.shape:
            raise ContractError(
                f"Stream {stream!r} needs samples of shape (n, {', '.join(map(str, info.shape))}), {info.dtype}; got "
                f"{samples.shape}, {samples.dtype}. Record them as they were described."
            )
        if start < (stop := min(self._tracks[stream, role].stop for role in p.arrays)):
            raise ContractError(
                f"Stream {stream!r} needs indices that grow; got {start} after {stop - 1}. Where a device began to "
                "count anew, go on behind."
            )
        return p

    def _tell(self, last: bool = False) -> None:
        """Note what was lost, once writing works again, and what the syncer has to say."""
        for track, name in self._of.items():
            while track.losses and (last or track.losses[0].stop <= track.written):
                self._lost(name, track.kept.folder, track.losses.popleft())
        while self._syncer.doubts:
            track, loss = self._syncer.doubts.popleft()
            self._lost(self._of[track], track.kept.folder, loss)
        while self._syncer.said:
            kind, payload = self._syncer.said.popleft()
            self.note(kind, payload=payload)

    def _lost(self, name: str, array: str, loss: Loss) -> None:
        payload = {"array": array, "first": loss.first, "stop": loss.stop, "error": loss.why, "unsure": loss.unsure}
        self.note("loss", name, loss.first, payload=payload)

    def _describe(self, track: Track) -> dict[str, Any]:
        return {"stream": self._of[track], "array": track.kept.folder}

    def _end(self) -> dict[str, Any]:
        """Return how long each file is."""
        known = (p for p in sorted(self._part.rglob("*")) if p.is_file() and p.name != END)
        return {
            "files": {p.relative_to(self._part).as_posix(): p.stat().st_size for p in known},
            "samples": self.stops,
            "notes": self._log.sequence,
        }

    def _refuse_place(self, resume: bool) -> None:
        if self.path.suffix != SUFFIX:
            raise ConfigError(f"A recording needs a name that ends in {SUFFIX}; got {self.path.name!r}. Rename it.")
        if resume and not self.path.is_dir():
            raise ConfigError(f"{self.path} needs to be a recording to be resumed; there is none. Leave out resume.")
        if self.path.exists() and not resume:
            raise ConfigError(f"{self.path} is there already. Choose another name, or resume=True to add to it.")

    def _make_folders(self) -> None:
        for folder in (self.path, self._part):
            self._files.make_folder(folder)
        for p in self._planned.values():
            for kept in p.arrays.values():
                self._files.make_folder(self._part / kept.folder)
                self._files.put(self._part / kept.folder / ZARR, group({"stream": p.name}))
        for folder in (self._part, self.path):
            self._files.put(folder / ZARR, group())
        self._files.sync_folder(self.path.parent)

    def _take_up(self, stops: dict[tuple[str, str], int], session: Any) -> int:
        """Seal what an earlier writer left, learn where its arrays ended; return the number of the next part."""
        from ranvier.record._rvr_index import Part  # reads what this file writes

        parts = parts_of(self.path)
        for folder in parts:
            if not (folder / HEAD).exists() and not any(folder.glob("notes-*")):
                continue  # its writer was interrupted before it began
            if (folder / HEAD).exists():
                self._files.close(self._files.lock(folder / HEAD))
            part = Part(folder)
            if session is not None and part.head.get("session") == session:
                self.left += part.last_notes()
            for p in part.streams:
                mine = self._planned.get(p.name)
                if mine is None or (mine.stored.info, mine.stored.gain) != (p.stored.info, p.stored.gain):
                    raise ContractError(
                        f"Resuming {self.path.name} needs the streams that it has; {p.name!r} is missing or differs. "
                        "Record to another path."
                    )
                for role, kept in p.arrays.items():
                    for number, segment in part.segments(kept):
                        seal(self._files, segment, kept, number, {"stream": p.name, "array": kept.folder}, True)
                    stop, wall = part.end(kept)
                    stops[p.name, role] = max(stops[p.name, role], stop)
                    self.ended[p.name] = wall or self.ended[p.name]
        return int(parts[-1].name[5:]) + 1 if parts else 0


def _period(rate: Fraction) -> float:
    return float(1 / rate) if rate else 0.0
