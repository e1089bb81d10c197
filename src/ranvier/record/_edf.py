"""EDF, EDF+, BDF, BDF+: `edfio` decodes header and samples, record by record as they are asked for.

`edfio` alone would hold a BDF file in memory and close the gaps of a discontinuous one; here it is
handed the wanted records as a small file of their own.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import FormatError
from ranvier.record._base import BaseRecording, Mark, Samples, Segment
from ranvier.record._edf_file import MAGIC, Annotation, EdfFile
from ranvier.record._format import Format
from ranvier.record._names import entities_of, kind_of, to_microvolts, unique_names
from ranvier.record._reading import need
from ranvier.record._streams import StreamEntry, choose_stream
from ranvier.stream import Channels, StreamInfo


def _decode(file: EdfFile, first: int, last: int) -> Any:
    edfio = need("edfio", f"Reading {file.path.name}")
    raw = file.piece(first, last)
    try:
        file.head.decode("utf-8")
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = "latin-1"
    if file.kind == "EDF":
        return edfio.read_edf(raw, header_encoding=encoding)
    return edfio.read_bdf(io.BytesIO(raw), header_encoding=encoding)


class EdfRecording(BaseRecording):
    """The signals of one rate of an EDF or BDF file.

    Parameters
    ----------
    file
        Layout of the file.
    chosen
        Which of its signals, annotations not counted; all of one rate.
    """

    def __init__(
        self, file: EdfFile, chosen: list[int], name: str, notes: list[str], labels: Mapping[str, str] | None
    ) -> None:
        header = _decode(file, 0, 0) if not file.n_records else _decode(file, 0, 1)
        self._file, self._chosen = file, chosen
        self._per_record = file.samples[file.signals[chosen[0]]]
        signals = [header.signals[i] for i in chosen]
        rate = Fraction(self._per_record) / file.duration
        channels, self._scale = _channels(signals, notes)
        self._annotations, segments = _timeline(file, rate, self._per_record, notes)
        self._triggers = [i for i, k in enumerate(channels.kinds) if k == "trigger"]
        super().__init__(
            info=StreamInfo.signal(rate, channels, name=name),
            segments=segments,
            entities=entities_of(file.path, **_who(header)),
            files=[file.path],
            notes=notes,
            labels=labels,
            event_sources=("annotations", *(channels.names[i] for i in self._triggers)),
        )

    def _load(self, a: int, b: int) -> Samples:
        first, last = a // self._per_record, -(-b // self._per_record)
        if first >= last:
            return np.empty((0, len(self._chosen)), np.float32)
        signals = _decode(self._file, first, last).signals
        cut = slice(a - first * self._per_record, b - first * self._per_record)
        out = np.empty((b - a, len(self._chosen)), np.float32)
        for column, (i, scale) in enumerate(zip(self._chosen, self._scale, strict=True)):
            out[:, column] = signals[i].data[cut] * scale
        return out

    def _marks(self) -> Iterable[Mark]:
        rate = self.info.rate
        for a in self._annotations:
            yield Mark(float(a.onset * rate), a.text, a.duration * float(rate))
        for source, channel in enumerate(self._triggers, 1):
            mask = 0xFFFF if self._file.kind == "BDF" else -1  # the high byte of a BioSemi status is the amplifier's
            for index, length, value in self._runs(channel, mask):
                yield Mark(index, str(value), length, value, source)


def _channels(signals: list[Any], notes: list[str]) -> tuple[Channels, npt.NDArray[np.float64]]:
    """Return the channels, and what their calibrated numbers are multiplied with to be in their units."""
    names = unique_names([s.label for s in signals], notes)
    kinds, units, scale = [], [], []
    for name, s in zip(names, signals, strict=True):
        dimension, factor = s.physical_dimension, to_microvolts(s.physical_dimension)
        kind = kind_of(s.label, "eeg" if factor else "misc")
        if s.physical_min == s.physical_max or s.digital_min == s.digital_max:
            notes.append(f"{name} has no usable range in the header: its numbers are the raw ones.")
            dimension, factor = "1", None
        if kind == "trigger":
            dimension, factor = "1", None
        if factor and factor != 1 and (said := f"Channels in {dimension} were converted to uV.") not in notes:
            notes.append(said)
        kinds.append(kind)
        units.append("uV" if factor else dimension or "1")
        scale.append(factor or 1.0)
    for text in sorted({s.prefiltering for s in signals if s.prefiltering}):
        notes.append(f"Filtered when recorded: {text}.")
    return Channels.of(names, kinds, units), np.array(scale)


def _timeline(
    file: EdfFile, rate: Fraction, per_record: int, notes: list[str]
) -> tuple[list[Annotation], list[Segment]]:
    """Return the annotations, timed from the first sample, and the stretches without a gap."""
    found = list(file.annotations(notes))
    times: dict[int, Fraction] = {}
    for a in found:
        if not a.text:
            times.setdefault(a.record, a.onset)
    if file.annotating and not times and not file.discontinuous:
        notes.append("No record says when it begins: they are taken to follow each other.")
    elif file.annotating and (absent := [k for k in range(file.n_records) if k not in times]):
        raise FormatError(
            f"{file.path.name}: record {absent[0]} (byte {file.byte_of(absent[0])}) does not say when it begins. "
            "The records are shifted or damaged; get a fresh copy."
        )
    zero = times.get(0, Fraction(0))
    segments = [Segment(0, 0, 0)]
    for k in range(file.n_records):
        place = k * per_record
        start = round((times[k] - zero) * rate) if file.discontinuous and k in times else place
        last = segments[-1]
        if start < last.stop - 1:
            raise FormatError(
                f"{file.path.name}: record {k} (byte {file.byte_of(k)}) begins before record {k - 1} has ended. "
                "Its clock was set back; cut the file there and open the parts."
            )
        if start > last.stop + 1:  # one sample is what rounding may do
            segments.append(Segment(start, per_record, place))
        else:
            segments[-1] = Segment(last.start, last.n + per_record, last.at)
    kept = [a._replace(onset=a.onset - zero) for a in found if a.text]
    return kept, segments


def _who(header: Any) -> dict[str, str]:
    """Return who, when and with what, from the fields of the header that are filled in."""
    patient, recording = header.patient, header.recording
    given = {"subject": patient.code, "device": recording.equipment_code}
    try:
        given["start"] = header.startdatetime.isoformat()
    except ValueError:
        given["start"] = ""
    return {k: "" if v == "X" else v for k, v in given.items()}


def _rates(file: EdfFile) -> dict[int, list[int]]:
    """Return the signals of each number of samples a record."""
    groups: dict[int, list[int]] = {}
    for i, signal in enumerate(file.signals):
        groups.setdefault(file.samples[signal], []).append(i)
    return groups


def _streams(path: Path, file: EdfFile | None = None) -> Iterator[StreamEntry]:
    file = file or EdfFile(path, True, [])
    for samples, group in _rates(file).items():
        rate = float(samples / file.duration) if file.duration else 0.0
        yield StreamEntry(f"{rate:g} Hz", "signal", rate, len(group), samples * file.n_records)


def _open(
    path: Path,
    *,
    stream: str | int | None = None,
    labels: Mapping[str, str] | None = None,
    partial: bool = False,
) -> EdfRecording:
    notes: list[str] = []
    file = EdfFile(path, partial, notes)
    if not file.signals:
        raise FormatError(
            f"{path.name} holds annotations and no signal, as hypnograms do. Open the file with the signals."
        )
    if file.duration <= 0:
        raise FormatError(f"{path.name}: byte 244 gives records of 0 s, so there is no rate. Get a fresh copy.")
    entries = list(_streams(path, file))
    place = choose_stream(path, entries, stream, notes)
    return EdfRecording(file, list(_rates(file).values())[place], entries[place].name, notes, labels)


EDF, BDF = (
    Format(
        name=name,
        suffixes=suffixes,
        magic=f"{MAGIC[name]!r}",
        sniff=lambda path, head, magic=MAGIC[name]: head.startswith(magic),  # type: ignore[misc]
        open=_open,
        streams=lambda path: list(_streams(path)),
    )
    for name, suffixes in (("EDF", (".edf", ".rec")), ("BDF", (".bdf",)))
)
