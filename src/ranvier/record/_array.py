"""Recordings of plain arrays: from memory, raw binary, .npy and .npz."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ConfigError, FormatError
from ranvier.record._base import BaseRecording, Mark, Samples, Segment
from ranvier.record._description import Description, check_description, find_description
from ranvier.record._format import Format
from ranvier.record._names import entities_of
from ranvier.record._reading import LARGEST_PART, MOST_PACKED
from ranvier.stream import StreamInfo


class ArrayRecording(BaseRecording):
    """An array with its description.

    Parameters
    ----------
    data
        Shape ``(n, n_channels)``, or ``(n_trials, n, n_channels)``: then each trial is a segment, one
        second after the one before, with an event of its label at its first sample.
    said
        The description.
    trial_labels
        One label a trial.
    """

    def __init__(
        self,
        data: npt.NDArray[Any],
        said: Description,
        *,
        name: str,
        trial_labels: Sequence[Any] | None = None,
        files: Sequence[Path] = (),
        labels: Mapping[str, str] | None = None,
        lazy: bool = True,
    ) -> None:
        marks, segments = list(said.marks), [Segment(0, len(data), 0)]
        if data.ndim == 3:
            each, apart = data.shape[1], data.shape[1] + math.ceil(said.rate) + 1
            segments = [Segment(k * apart, each, k * each) for k in range(len(data))]
            marks += [Mark(s.start, str(v), each) for s, v in zip(segments, trial_labels or (), strict=False)]
        self._data, self._said, self._given = data, said, marks
        super().__init__(
            info=StreamInfo.signal(said.rate, said.channels, name=name),
            segments=segments,
            entities=entities_of(files[0] if files else Path(), **said.entities),
            files=files,
            notes=list(said.notes),
            labels=labels,
            lazy=lazy,
        )

    def _load(self, a: int, b: int) -> Samples:
        data = self._data if self._data.ndim == 2 else self._data.reshape(-1, self._data.shape[2])
        return (data[a:b].astype(np.float64) * self._said.scale + self._said.offset).astype(np.float32)

    def _marks(self) -> Iterable[Mark]:
        return self._given

    def digest(self) -> str:
        """Return the SHA-256 of its files; of the numbers and their description where there are none."""
        if self.files:
            return super().digest()
        import hashlib  # 3 ms that importing this room need not cost

        total = hashlib.sha256(repr((self.info, self._given, self._said.scale, self._said.offset)).encode())
        total.update(np.ascontiguousarray(self._data).tobytes())
        return total.hexdigest()


def _arranged(data: Any, said: Description, who: str) -> npt.NDArray[Any]:
    """Return the numbers with time first and channels last, or say what does not fit."""
    data = np.asanyarray(data)
    if data.ndim != len(said.axes) or data.dtype.kind not in "iufb":
        raise FormatError(
            f"{who} needs numbers with the axes {','.join(said.axes)}; got shape {data.shape} of {data.dtype}. "
            "Correct axes, or choose the right array."
        )
    order = [said.axes.index(a) for a in ("trial", "time", "channel") if a in said.axes]
    arranged: npt.NDArray[Any] = data.transpose(order)
    if arranged.shape[-1] != len(said.channels):
        raise FormatError(
            f"{who} needs {len(said.channels)} channels along the axis 'channel', as its description says; got "
            f"{arranged.shape[-1]} (shape {arranged.shape}, time before channel). Correct names, or swap axes."
        )
    return arranged


def _trial_labels(data: npt.NDArray[Any], labels: Any, who: str) -> list[Any] | None:
    if data.ndim != 3:
        if labels is not None:
            raise ConfigError(f"{who}: labels need an axis 'trial'; got an array without. Give events instead.")
        return None
    listed = [""] * len(data) if labels is None else list(labels)
    if len(listed) != len(data):
        raise ConfigError(f"{who} needs one label a trial; got {len(listed)} for {len(data)} trials. Give each one.")
    return listed


def from_array(
    data: npt.NDArray[Any],
    rate: float | str | Fraction,
    names: Sequence[str] | int | None = None,
    *,
    kind: str | Sequence[str] = "eeg",
    unit: str | Sequence[str] = "uV",
    scale: float | Sequence[float] = 1.0,
    offset: float | Sequence[float] = 0.0,
    positions: Sequence[Any] | None = None,
    events: Sequence[tuple[Any, ...]] = (),
    labels: Sequence[Any] | None = None,
    entities: Mapping[str, str] | None = None,
    name: str = "array",
) -> ArrayRecording:
    """Make a recording of an array.

    Parameters
    ----------
    data
        Shape ``(n, n_channels)``; or ``(n_trials, n, n_channels)``: then each trial is a segment.
        Numbers x `scale` + `offset` are in `unit`. It is not copied: do not write to it.
    rate
        Samples per second [Hz].
    names
        Names of the channels, or None to number them.
    kind, unit, scale, offset
        One for all channels, or one each. V, mV and nV become uV.
    positions
        Of each channel [m], None where unknown.
    events
        ``(sample, label)`` or ``(sample, label, duration)``, duration in samples.
    labels
        One a trial: becomes an event at its first sample.
    entities
        Subject, session, run, task, device, reference, ground, frame, start.
    name
        What the stream is called.

    >>> rec = from_array(np.zeros((500, 2)), 250, ["C3", "C4"], events=[(100, "left")])
    >>> rec.duration, rec.event_info.labels
    (2.0, {0: 'left'})
    """
    data = np.asanyarray(data)
    given = {
        "schema": 1,
        "rate": str(rate) if isinstance(rate, Fraction) else rate,
        "kind": kind,
        "unit": unit,
        "scale": scale,
        "offset": offset,
        "positions": positions,
        "events": events,
        "entities": entities or {},
        "axes": "trial,time,channel" if data.ndim == 3 else "time,channel",
    }
    if names is None or isinstance(names, int):
        given["n_channels"] = names or (data.shape[-1] if data.ndim else 0)
    else:
        given["names"] = [str(n) for n in names]
    said = check_description("from_array", given)
    data = _arranged(data, said, "from_array")
    return ArrayRecording(data, said, name=name, trial_labels=_trial_labels(data, labels, "from_array"), lazy=False)


def _open_raw(
    path: Path, *, description: Any = None, labels: Mapping[str, str] | None = None, partial: bool = False
) -> ArrayRecording:
    said, beside = find_description(path, description)
    if said.dtype is None:
        raise ConfigError(f"{path.name}: its description needs the key 'dtype', such as 'int16'. Add it.")
    width, size = said.dtype.itemsize * len(said.channels), path.stat().st_size
    n, rest = divmod(size, width)
    if rest and not partial:
        raise FormatError(
            f"{path.name} ends at byte {size}, {rest} bytes into sample {n} of {width} bytes each "
            f"({len(said.channels)} channels of {said.dtype}). Get a whole copy, correct its description, or open it "
            "with partial=True."
        )
    if "trial" in said.axes:
        raise ConfigError(f"{path.name}: 'axes' of a raw file are time,channel or channel,time; got {said.axes}.")
    shape = (n, len(said.channels)) if said.axes[0] == "time" else (len(said.channels), n)
    data = np.memmap(path, said.dtype, "r", 0, shape) if n else np.empty(shape, said.dtype)
    return ArrayRecording(_arranged(data, said, path.name), said, name=path.stem, files=[path, *beside], labels=labels)


def _open_numpy(path: Path, *, description: Any = None, labels: Mapping[str, str] | None = None) -> ArrayRecording:
    said, beside = find_description(path, description)
    trial_labels, lazy = said.labels, path.suffix.lower() != ".npz"
    if lazy:
        joined = np.load(path, mmap_mode="r", allow_pickle=False)
    else:
        _check_members(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            wanted = said.data or (("data",) if "data" in held.files else tuple(held.files[:1]))
            named = (said.labels,) if isinstance(said.labels, str) else ()
            if absent := [d for d in (*wanted, *named) if d not in held.files]:
                raise ConfigError(
                    f"{path.name} has no array {absent[0]!r}; it has {', '.join(held.files)}. Correct it."
                )
            joined = np.concatenate([held[d] for d in wanted], axis=said.axes.index("channel"))
            trial_labels = held[said.labels].tolist() if isinstance(said.labels, str) else said.labels
    data = _arranged(joined, said, path.name)
    return ArrayRecording(
        data,
        said,
        name=path.stem,
        trial_labels=_trial_labels(data, trial_labels, path.name),
        files=[path, *beside],
        labels=labels,
        lazy=lazy,
    )


def _check_members(path: Path) -> None:
    """Refuse an .npz file with a member that would unpack to more than `LARGEST_PART`, or than deflate can pack."""
    import zipfile  # 5 ms that importing this room need not cost

    size = path.stat().st_size
    with zipfile.ZipFile(path) as held:
        for member in held.infolist():
            if member.file_size > LARGEST_PART or member.file_size > MOST_PACKED * max(member.compress_size, 64):
                raise FormatError(
                    f"{path.name}: its member {member.filename!r} needs at most {LARGEST_PART >> 30} GiB unpacked, and "
                    f"{MOST_PACKED} times what it takes packed; got {member.file_size} bytes from "
                    f"{member.compress_size}. It is damaged; get a fresh copy, or write .npy."
                )
            if member.compress_size > size:
                raise FormatError(
                    f"{path.name}: its member {member.filename!r} claims {member.compress_size} bytes of a file of "
                    f"{size}. It is damaged; get a fresh copy."
                )


def _is_raw(path: Path, head: bytes) -> bool:
    suffix = path.suffix.lower()
    described = path.with_suffix(".json").is_file() or Path(f"{path}.json").is_file()
    return suffix in (".bin", ".raw") or (suffix == ".dat" and described)


RAW = Format(
    name="raw binary",
    suffixes=(".bin", ".raw", ".dat"),
    magic="a JSON description beside it",
    sniff=_is_raw,
    open=_open_raw,
)
NUMPY = Format(
    name="NumPy array",
    suffixes=(".npy", ".npz"),
    magic="b'\\x93NUMPY' or b'PK'",
    sniff=lambda path, head: (
        head.startswith(b"\x93NUMPY") or (head.startswith(b"PK\x03\x04") and path.suffix.lower() == ".npz")
    ),
    open=_open_numpy,
)
