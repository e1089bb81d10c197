"""FIF, BrainVision and EEGLAB: `mne` reads them; only the samples asked for, where it can."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ranvier.errors import FormatError
from ranvier.record._base import BaseRecording, Mark, Samples, Segment
from ranvier.record._format import Format
from ranvier.record._mat_file import check_mat
from ranvier.record._names import entities_of, exact_rate, kind_of, to_microvolts, unique_names
from ranvier.record._reading import guarded, need
from ranvier.stream import Channels, StreamInfo

_KIND = {"stim": "trigger", "seeg": "lfp", "dbs": "lfp", "mag": "meg", "grad": "meg"}  # others keep mne's word
_UNIT = {101: "Hz", 107: "V", 112: "T", 201: "T/m", 114: "S", 117: "rad", 118: "C"}  # FIFF unit codes
_FIFF_TAG = struct.Struct(">iIii")  # kind, type, size [bytes], place of the next


class MneRecording(BaseRecording):
    """A file that `mne` has opened.

    Parameters
    ----------
    raw
        What `mne` made of it.
    files
        The files that it consists of, the one that was opened first.
    stored
        Unit that potentials have in the file, in words for the notes.
    lost
        Says of an annotation (text, duration [s]) how many seconds are missing there; None where it is no gap.
    """

    def __init__(
        self,
        raw: Any,
        files: list[Path],
        stored: str,
        lost: Callable[[str, float], float | None],
        notes: list[str],
        labels: Mapping[str, str] | None,
    ) -> None:
        self._raw = raw
        types = raw.get_channel_types()
        names = unique_names(raw.ch_names, notes)
        kinds = [kind_of(n, "eeg") if t == "eeg" else _KIND.get(t, t) for n, t in zip(names, types, strict=True)]
        said = getattr(raw, "_orig_units", None) or {}  # as the header has them, where it does
        units, scale = [], np.ones(len(names))
        for i, (ch, kind) in enumerate(zip(raw.info["chs"], kinds, strict=True)):
            unit = _UNIT.get(int(ch["unit"]), said.get(ch["ch_name"], "1"))
            factor = None if kind == "trigger" else to_microvolts(unit)
            units.append("uV" if factor else ("1" if kind == "trigger" or unit in ("NA", "n/a", "") else unit))
            scale[i] = factor or 1.0
        self._scale = scale
        self._triggers = [i for i, kind in enumerate(kinds) if kind == "trigger"]
        rate = exact_rate(float(raw.info["sfreq"]))
        notes.append(f"Potentials, stored in {stored}, are given in uV.")
        if raw.info["highpass"] > 0 or 0 < raw.info["lowpass"] < float(rate) / 2:
            notes.append(f"Filtered when recorded: {raw.info['highpass']:g} to {raw.info['lowpass']:g} Hz.")
        where = [(float(ch["loc"][0]), float(ch["loc"][1]), float(ch["loc"][2])) for ch in raw.info["chs"]]
        known = [p if np.isfinite(p).all() and any(p) and kinds[i] != "trigger" else None for i, p in enumerate(where)]
        begun, person = raw.info["meas_date"], raw.info["subject_info"] or {}
        super().__init__(
            info=StreamInfo.signal(rate, Channels.of(names, kinds, units, known), name=files[0].stem),
            segments=self._find_segments(float(rate), lost, notes),
            entities=entities_of(
                files[0],
                subject=str(person.get("his_id", "") or ""),
                start=begun.isoformat() if begun else "",
                frame="head" if any(known) else "",
            ),
            files=files,
            notes=notes,
            labels=labels,
            event_sources=("annotations", *(names[i] for i in self._triggers)),
            lazy=not raw.preload,
        )

    def _annotations(self) -> Iterable[tuple[float, float, str]]:
        """Yield (place, duration [s], text) of each annotation, places counted from the first sample."""
        notes, rate = self._raw.annotations, float(self._raw.info["sfreq"])
        shift = self._raw.first_time if notes.orig_time is not None else 0.0
        for onset, duration, text in zip(notes.onset, notes.duration, notes.description, strict=True):
            yield float(onset - shift) * rate, float(duration), str(text)

    def _find_segments(
        self, rate: float, lost: Callable[[str, float], float | None], notes: list[str]
    ) -> list[Segment]:
        segments = [Segment(0, len(self._raw.times), 0)]
        for place, duration, text in sorted(self._annotations()):
            seconds = lost(text, duration)
            last = segments[-1]
            if seconds is None or not last.at < (cut := int(np.ceil(place - 1e-3))) < last.at + last.n:
                continue
            if not np.isfinite(seconds) or seconds <= 0:
                notes.append(f"{text!r} at sample {cut} is a gap of unknown length; the index jumps by 1 s.")
                seconds = 1.0
            n, end = cut - last.at, last.at + last.n
            jump = max(1, round(seconds * rate))
            segments[-1] = Segment(last.start, n, last.at)
            skip = jump if text == _SKIP else 0  # a FIF file keeps zeros in the place of what is missing
            if cut + skip < end:
                segments.append(Segment(last.start + n + jump, end - cut - skip, cut + skip))
        return segments

    def _load(self, a: int, b: int) -> Samples:
        data: Samples = (self._raw.get_data(start=a, stop=b).T * self._scale).astype(np.float32)
        return data

    def _marks(self) -> Iterable[Mark]:
        rate = float(self.info.rate)
        for place, duration, text in self._annotations():
            yield Mark(self.index_of(place), text, 0.0 if np.isnan(duration) else duration * rate)
        for source, channel in enumerate(self._triggers, 1):
            for index, length, value in self._runs(channel):
                yield Mark(index, str(value), length, value, source)


_SKIP = "BAD_ACQ_SKIP"


def _check_fif(path: Path) -> None:
    """Follow the tags of a FIF file to its end: each must lie inside the file."""
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            raw = file.read(16)
            kind, _, length, following = _FIFF_TAG.unpack(raw) if len(raw) == 16 else (0, 0, -1, 0)
            if length < 0 or at + 16 + length > size:
                raise FormatError(
                    f"{path.name}: the tag at byte {at} (kind {kind}) does not fit into the {size} bytes of the file. "
                    "It is cut short or damaged; get a fresh copy."
                )
            if following == -1:
                return
            if following > 0 and following < at + 16 + length:
                raise FormatError(f"{path.name}: the tag at byte {at} points back to {following}. Get a fresh copy.")
            at = following or at + 16 + length
    raise FormatError(f"{path.name} has no last tag: it is cut short at byte {size}. Get a fresh copy.")


def _open_fif(path: Path, *, labels: Mapping[str, str] | None = None) -> MneRecording:
    notes: list[str] = []
    mne = need("mne", f"Reading {path.name}")
    if not path.name.endswith(".gz"):
        _check_fif(path)
    with guarded(path, notes, "opening it as FIF"):
        raw = mne.io.read_raw_fif(path, preload=False, verbose="ERROR")
        files = [Path(f) for f in raw.filenames]
        return MneRecording(raw, files, "V", lambda t, d: d if t == _SKIP else None, notes, labels)


def _open_brainvision(path: Path, *, labels: Mapping[str, str] | None = None, partial: bool = False) -> MneRecording:
    notes: list[str] = []
    mne = need("mne", f"Reading {path.name}")
    header = path.read_bytes().decode("latin-1")
    marker = re.search(r"^MarkerFile=(.+?)\s*$", header, re.MULTILINE)
    promised = re.search(r"^DataPoints=(\d+)", header, re.MULTILINE)
    binary = re.search(r"^BinaryFormat=(\w+)", header, re.MULTILINE)
    with guarded(path, notes, "opening it as BrainVision"):
        raw = mne.io.read_raw_brainvision(path, preload=False, verbose="ERROR")
        data = Path(raw.filenames[0])
        n, size = len(raw.times), data.stat().st_size
        if binary:
            width = 4 if binary[1].endswith("32") else 2
            rest = size - n * len(raw.ch_names) * width
            if (rest or (promised and int(promised[1]) != n)) and not partial:
                raise FormatError(
                    f"{data.name} ends at byte {size}, {rest} bytes after its last whole sample {n}"
                    f"{f' of {promised[1]} promised' if promised else ''}. Get a whole copy, or open it with "
                    "partial=True."
                )
        marks = path.parent / marker[1].replace("$b", path.stem) if marker else path
        files = list(dict.fromkeys([path, data, *([marks] if marks.is_file() else [])]))
        stored = " and ".join(sorted(set(getattr(raw, "_orig_units", {}).values())))
        # a new segment later on is a pause; mne does not hand on its date, so its length is unknown
        return MneRecording(
            raw, files, stored, lambda t, d: 0.0 if t.startswith("New Segment/") else None, notes, labels
        )


def _open_eeglab(path: Path, *, labels: Mapping[str, str] | None = None) -> MneRecording:
    notes: list[str] = []
    mne = need("mne", f"Reading {path.name}")
    need("pymatreader", f"Reading {path.name}")
    check_mat(path)
    with guarded(path, notes, "opening it as EEGLAB"):
        raw = mne.io.read_raw_eeglab(path, preload=False, verbose="ERROR")
        data = [Path(f) for f in raw.filenames if f is not None and Path(f) != path]
        for file in data:
            size, whole = file.stat().st_size, 4 * len(raw.ch_names) * len(raw.times)
            if size != whole:
                raise FormatError(
                    f"{file.name} needs {whole} bytes for {len(raw.ch_names)} channels and {len(raw.times)} samples, "
                    f"as {path.name} says; got {size}. Get a fresh copy of both."
                )
        if raw.info["sfreq"] <= 0:
            raise FormatError(f"{path.name}: field srate needs a rate above 0 Hz. Mend it in EEGLAB.")
        said = "uV (EEGLAB's convention)"
        return MneRecording(raw, [path, *data], said, lambda t, d: d if t == "boundary" else None, notes, labels)


def _is_fif(path: Path, head: bytes) -> bool:
    return head.startswith(bytes.fromhex("000000640000001f00000014")) or (
        path.name.endswith(".fif.gz") and head.startswith(b"\x1f\x8b")
    )


def _is_brainvision(path: Path, head: bytes) -> bool:
    return re.match(rb"(\xef\xbb\xbf)?\s*Brain ?Vision (Data Exchange|Core Data Format) Header", head[:120]) is not None


def _is_eeglab(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".set" and head.startswith((b"MATLAB 5.0 MAT-file", b"\x89HDF", b"MATLAB 7.3"))


FIF = Format(name="FIF", suffixes=(".fif", ".fif.gz"), magic="a FIFF file id", sniff=_is_fif, open=_open_fif)
BRAINVISION = Format(
    name="BrainVision",
    suffixes=(".vhdr", ".ahdr"),
    magic="'Brain Vision Data Exchange Header File'",
    sniff=_is_brainvision,
    open=_open_brainvision,
)
EEGLAB = Format(name="EEGLAB", suffixes=(".set",), magic="'MATLAB 5.0 MAT-file'", sniff=_is_eeglab, open=_open_eeglab)
