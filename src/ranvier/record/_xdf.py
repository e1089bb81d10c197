"""XDF: `pyxdf` reads a checked file and sets its clocks on one; gaps are found here."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import FormatError
from ranvier.record._base import BaseRecording, Mark, Samples, Segment
from ranvier.record._format import Format
from ranvier.record._names import entities_of, exact_rate, kind_of, to_microvolts, unique_names
from ranvier.record._reading import need
from ranvier.record._streams import StreamEntry, choose_stream
from ranvier.record._xdf_file import XdfFile, open_xdf
from ranvier.stream import Channels, StreamInfo

Floats = npt.NDArray[np.float64]


class XdfRecording(BaseRecording):
    """One signal of an XDF file and the markers of all its marker streams.

    The index of a sample comes from counting, not from its time stamp: stamps jitter by more than a
    sample. A gap is a step of more than `gap` seconds that the stamps of the next second keep; a
    shorter loss cannot be told from jitter. Markers are placed between the samples by their stamps,
    after both clocks are set on the recording computer's and the signal's stamps are smoothed by a
    straight line a segment.
    """

    def __init__(
        self,
        path: Path,
        signal: Any,
        markers: list[Any],
        *,
        rate: float,
        unit: str,
        gap: float,
        notes: list[str],
        labels: Mapping[str, str] | None,
    ) -> None:
        head = signal["info"]
        raw = np.asarray(signal["time_series"])
        names, kinds, units, scale = _channels(head, raw.shape[1], unit, notes)
        self._data = (raw * scale).astype(np.float32)
        segments, stamps = _segment(np.asarray(signal["time_stamps"]), rate, gap, notes)
        self._stamps, self._markers = stamps, markers
        name = _text(head, "name") or "signal"
        super().__init__(
            info=StreamInfo.signal(exact_rate(rate), Channels.of(names, kinds, units), name=name),
            segments=segments,
            entities=entities_of(path, device=name),
            files=[path],
            notes=notes,
            labels=labels,
            event_sources=tuple(_text(m["info"], "name") for m in markers) or ("",),
            lazy=False,
        )

    def _load(self, a: int, b: int) -> Samples:
        return self._data[a:b]

    def _marks(self) -> Iterable[Mark]:
        for source, stream in enumerate(self._markers):
            for stamp, row in zip(stream["time_stamps"], stream["time_series"], strict=True):
                value = row[0]
                number = 0.0 if isinstance(value, str) else float(value)
                label = value if isinstance(value, str) else str(int(value))
                yield Mark(self._index_at(float(stamp)), label, 0.0, number, source)

    def _index_at(self, stamp: float) -> float:
        """Return the index in the signal of a time stamp [s], by the straight line of its segment."""
        segment, line = 0, self._stamps[0]
        for k, later in enumerate(self._stamps):
            if stamp >= later[0]:
                segment, line = k, later
        return self.segments[segment].start + (stamp - line[0]) / line[1]


def _segment(
    stamps: Floats, rate: float, gap: float, notes: list[str]
) -> tuple[list[Segment], list[tuple[float, float]]]:
    """Return the stretches without a gap, and (time of the first sample, period) of each [s]."""
    n, period = len(stamps), 1 / rate
    width = max(2, round(rate))  # a second's stamps on either side tell a loss from a late packet
    late = stamps - np.arange(n) * period
    cuts, lost = [0], []
    for k in (np.flatnonzero(np.abs(np.diff(stamps)) > gap + period) + 1).tolist():
        first = max(cuts[-1], k - width)
        step = float(np.median(late[k : k + width]) - np.median(late[first:k]))
        if abs(step) > gap:
            if step < 0:
                notes.append(f"The clock was set back by {-step:.3g} s at sample {k}; the index jumps by 1 s.")
            cuts.append(k)
            lost.append(step if step > 0 else 1.0)
    segments, lines, index = [], [], 0
    for k, (a, b) in enumerate(zip(cuts, [*cuts[1:], n], strict=True)):
        index += round(lost[k - 1] * rate) if k else 0
        segments.append(Segment(index, b - a, a))
        index += b - a
        x = np.arange(b - a) - (b - a - 1) / 2
        mean = float(stamps[a:b].mean())
        slope = float(x @ (stamps[a:b] - mean) / (x @ x)) if b - a > 1 else period
        slope = slope if slope > 0 else period
        lines.append((mean - (b - a - 1) / 2 * slope, slope))
    measured = np.median([line[1] for line in lines])
    if abs(measured * rate - 1) > 0.001:
        notes.append(f"Time stamps run at {1 / measured:.6g} Hz, the header says {rate:g} Hz, which is used (rate=).")
    return segments, lines


def _text(node: Any, key: str) -> str:
    """Return the text of a field of `pyxdf`'s nested lists, empty where it is not there."""
    found = (node or {}).get(key) or [""]
    return found[0].strip() if isinstance(found[0], str) else ""


def _channels(
    head: Any, count: int, unit: str, notes: list[str]
) -> tuple[list[str], list[str], list[str], npt.NDArray[np.float64]]:
    described: list[Any] = []
    node = (head.get("desc") or [None])[0]
    if isinstance(node, dict) and node.get("channels") and isinstance(node["channels"][0], dict):
        described = node["channels"][0].get("channel") or []
    if len(described) != count:
        described = [{}] * count
    kind = _text(head, "type").lower()
    labels = [_text(d, "label") or f"ch{i:03d}" for i, d in enumerate(described)]
    kinds = [_text(d, "type").lower() or kind_of(n, kind) for d, n in zip(described, labels, strict=True)]
    kinds = [k if k in _KINDS else kind_of(n, "misc") for k, n in zip(kinds, labels, strict=True)]
    said = [unit or _text(d, "unit") for d in described]
    if any(not s and k in _POTENTIAL for s, k in zip(said, kinds, strict=True)):
        notes.append("The file names no unit; uV is assumed, as XDF's conventions for EEG prefer (unit=).")
    said = [s or ("uV" if k in _POTENTIAL else "1") for s, k in zip(said, kinds, strict=True)]
    factors = [to_microvolts(s) for s in said]
    for s in sorted({s for s, f in zip(said, factors, strict=True) if f and f != 1.0}):
        notes.append(f"Channels in {s} were converted to uV.")
    units = ["uV" if f else s for s, f in zip(said, factors, strict=True)]
    return unique_names(labels, notes), kinds, units, np.array([f or 1.0 for f in factors])


_POTENTIAL = {"eeg", "eog", "emg", "ecg", "ecog", "lfp"}
_KINDS = _POTENTIAL | {"trigger", "motion", "misc", "spikes", "meg"}


@contextmanager
def _logged(notes: list[str]) -> Iterator[None]:
    """Keep `pyxdf`'s log off the screen: warnings become notes."""
    logger = logging.getLogger("pyxdf")
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda entry: notes.append(f"pyxdf: {entry.getMessage()}.")  # type: ignore[method-assign, assignment]
    handler.addFilter(lambda entry: "clock-segments differ" not in entry.getMessage())  # gaps are found here
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = before
        logger.removeHandler(handler)


def _entry(s: Any) -> StreamEntry:
    return StreamEntry(s.name, s.type, 0.0 if s.is_markers else s.rate, s.n_channels, s.n_samples)


def _open(
    path: Path,
    *,
    stream: str | int | None = None,
    labels: Mapping[str, str] | None = None,
    partial: bool = False,
    rate: float | None = None,
    unit: str = "",
    gap: float = 0.2,
) -> XdfRecording:
    notes: list[str] = []
    pyxdf = need("pyxdf", f"Reading {path.name}")
    file = XdfFile.walk(path, partial)
    if file.fault:
        notes.append(f"Read up to byte {file.whole}, where a chunk {file.fault}.")
    known = list(file.streams.values())
    chosen = known[choose_stream(path, [_entry(s) for s in known], stream, notes)]
    if not chosen.closed:
        notes.append("The stream has no footer: its recording was not closed.")
    wanted = [chosen.id, *(s.id for s in known if s.is_markers and s.n_samples)]
    with _logged(notes), open_xdf(path) as raw:
        whole = io.BytesIO(raw.read(file.whole)) if file.fault else raw
        loaded, _ = pyxdf.load_xdf(whole, select_streams=wanted, dejitter_timestamps=False)
    found = {s["info"]["stream_id"]: s for s in loaded}
    for s in known:
        if s.id in wanted and (s.id not in found or len(found[s.id]["time_stamps"]) != s.n_samples):
            raise FormatError(
                f"{path.name}: stream {s.name!r} promises {s.n_samples} samples, and fewer could be read: a chunk of "
                "samples is damaged inside. Get a fresh copy."
            )
    signal = found[chosen.id]
    if not np.isfinite(signal["time_stamps"]).all():
        raise FormatError(f"{path.name}: stream {chosen.name!r} has time stamps that are no numbers. Get a fresh copy.")
    return XdfRecording(
        path,
        signal,
        [found[i] for i in wanted[1:]],
        rate=rate or chosen.rate,
        unit=unit,
        gap=gap,
        notes=notes,
        labels=labels,
    )


XDF = Format(
    name="XDF",
    suffixes=(".xdf", ".xdfz", ".xdf.gz"),
    magic="b'XDF:'",
    sniff=lambda path, head: (
        head.startswith(b"XDF:") or (path.name.lower().endswith((".xdfz", ".xdf.gz")) and head.startswith(b"\x1f\x8b"))
    ),
    open=_open,
    streams=lambda path: [_entry(s) for s in XdfFile.walk(path, True).streams.values()],
)
