"""BCI2000 `.dat`: own reader, memory-mapped.

No kept library reads it right: neo 0.14 takes a gain of 0.01617 for 0, mne 1.13 drops gains, channel names
and all states but one and loads everything. Format: bci2000.org, "Technical Reference: BCI2000 File Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt

from ranvier.errors import ConfigError, FormatError
from ranvier.record._base import BaseRecording, Mark, Samples
from ranvier.record._format import Format
from ranvier.record._names import entities_of, exact_rate, kind_of, to_microvolts, unique_names
from ranvier.stream import Channels, StreamInfo

_DTYPE = {"int16": "<i2", "int32": "<i4", "float32": "<f4"}
_CONTINUOUS = ("SourceTime", "StimulusTime", "Eyetracker*", "Mouse*", "Joystick*", "Cursor*", "*Pos[XYZ]")
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-zµμ]*)")
MOST_CHANNELS = 1 << 16  # and bytes of states, of one sample
LARGEST_HEADER = 64 << 20  # bytes
_STEP = 1 << 16  # samples of states decoded at once


class State(NamedTuple):
    """A state: a number of `bits` bits in each sample's state vector, lowest bit first."""

    name: str
    bits: int
    byte: int
    bit: int


class Header:
    """What the text before the samples says; whatever does not fit raises a `FormatError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            first = file.readline(1024).decode("latin-1")
            fields = dict(re.findall(r"(\w+)=\s*(\S+)", first))
            self.size = self._whole(fields, "HeaderLen", 1, LARGEST_HEADER)
            self.n_channels = self._whole(fields, "SourceCh", 1, MOST_CHANNELS)
            self.state_bytes = self._whole(fields, "StatevectorLen", 0, MOST_CHANNELS)
            if self.size > path.stat().st_size:
                raise FormatError(
                    f"{path.name} ends at byte {path.stat().st_size}, inside its header of {self.size} bytes "
                    "(HeaderLen, line 1). Get a whole copy."
                )
            file.seek(0)
            text = file.read(self.size).decode("utf-8", "replace")
        if not text.endswith("\n"):
            raise FormatError(
                f"{path.name}: its header does not end at byte {self.size}, as HeaderLen (line 1) says. "
                "One of them is damaged; get a fresh copy."
            )
        data = fields.get("DataFormat", "int16")
        if data not in _DTYPE:
            raise FormatError(f"{path.name}: DataFormat (line 1) needs one of {', '.join(_DTYPE)}; got {data!r}.")
        self.dtype = np.dtype(_DTYPE[data])
        self.frame = np.dtype([("x", self.dtype, (self.n_channels,)), ("states", "u1", (self.state_bytes,))])
        if "[ State Vector Definition ]" not in text or "[ Parameter Definition ]" not in text:
            raise FormatError(
                f"{path.name} lacks the section State Vector or Parameter Definition within the {self.size} bytes of "
                "its header. It is damaged; get a fresh copy."
            )
        states, parameters = text.split("[ State Vector Definition ]", 1)[1].split("[ Parameter Definition ]", 1)
        self.states = [self._state(line) for line in states.splitlines() if line.strip()]
        self.parameters: dict[str, list[str]] = {}
        for line in parameters.splitlines():
            if match := re.match(r"\s*\S+\s+\S+\s+(\S+?)=\s*(.*?)\s*(?://.*)?$", line):
                self.parameters[match[1]] = match[2].split()

    def _whole(self, fields: Mapping[str, str], name: str, least: int, most: int) -> int:
        text = fields.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
            raise FormatError(
                f"{self.path.name}: {name} (line 1) needs a whole number from {least} to {most}; got {text[:40]!r}. "
                "The header is damaged; get a fresh copy."
            )
        return int(text)

    def _state(self, line: str) -> State:
        words = line.split()
        try:
            state = State(words[0], int(words[1]), int(words[3]), int(words[4]))
        except (IndexError, ValueError):
            state = State(line.strip(), 0, 0, 0)
        last = 8 * state.byte + state.bit + state.bits
        if not (1 <= state.bits <= 64 and state.byte >= 0 and state.bit >= 0 and last <= 8 * self.state_bytes):
            raise FormatError(
                f"{self.path.name}: the state {line.strip()!r} needs 1 to 64 bits inside the {self.state_bytes} bytes "
                "of StatevectorLen. The header is damaged; get a fresh copy."
            )
        return state

    def value(self, name: str) -> str:
        """Return a parameter's first word, decoded; empty where there is none."""
        words = self.parameters.get(name) or [""]
        return "" if words[0] == "%" else unquote(words[0])

    def values(self, name: str) -> list[str]:
        """Return a list parameter's entries, decoded: their count, or labels in braces, comes first."""
        words = self.parameters.get(name) or ["0"]
        if words[0] == "{" and "}" in words:
            count, words = words.index("}") - 1, words[words.index("}") + 1 :]
        else:
            count, words = (int(words[0]) if words[0].isdigit() else 0), words[1:]
        return [unquote(w) for w in words[:count]]

    def numbers(self, name: str, unit: str) -> npt.NDArray[np.float64]:
        """Return one number a channel of a list parameter, potentials in uV; `unit` is that of a plain number."""
        found = []
        for text in self.values(name):
            match = _NUMBER.fullmatch(text)
            factor = to_microvolts(match[2] or unit) if match else None
            found.append(float(match[1]) * (factor or 1.0) if match else np.nan)
        if len(found) != self.n_channels or not np.isfinite(found).all():
            raise FormatError(
                f"{self.path.name}: parameter {name} needs {self.n_channels} numbers, one a channel; got "
                f"{' '.join(self.parameters.get(name, ['nothing'])[:6])} ... The header is damaged; get a fresh copy."
            )
        return np.array(found)


class Bci2000Recording(BaseRecording):
    """A BCI2000 file: (number - SourceChOffset) x SourceChGain in uV; states as events.

    A stretch in which a state keeps a value that is not 0 is one event, labelled ``StimulusCode=3``,
    with the length of the stretch as its duration.

    Parameters
    ----------
    header
        What the text before the samples says.
    states
        Globs of the states that become events; None for all but clocks, gaze and positions.
    names
        Names of the channels; None for those of the file.
    """

    def __init__(
        self,
        header: Header,
        n: int,
        states: Sequence[str] | None,
        names: Sequence[str] | None,
        notes: list[str],
        labels: Mapping[str, str] | None,
    ) -> None:
        path = header.path
        self._frames = np.memmap(path, header.frame, "r", header.size, (n,)) if n else np.zeros(0, header.frame)
        self._gain = header.numbers("SourceChGain", "uV")
        self._offset = header.numbers("SourceChOffset", "")
        rate = _NUMBER.fullmatch(header.value("SamplingRate"))
        if rate is None or float(rate[1]) <= 0:
            raise FormatError(
                f"{path.name}: parameter SamplingRate needs a number above 0 Hz; got {header.value('SamplingRate')!r}. "
                "The header is damaged; get a fresh copy."
            )
        called = list(names or header.values("ChannelNames"))
        if len(called) != header.n_channels:
            if names is not None:
                raise ConfigError(
                    f"{path.name} needs {header.n_channels} names=; got {len(names)}. Name every channel."
                )
            notes.append("The file does not name its channels (ChannelNames); they are numbered (names=).")
            called = [f"ch{i + 1:03d}" for i in range(header.n_channels)]
        called = unique_names(called, notes)
        wanted = [
            s
            for s in header.states
            if (any(fnmatchcase(s.name, p) for p in states) if states is not None else not _changes_always(s.name))
        ]
        if left := [s.name for s in header.states if s not in wanted]:
            notes.append(f"States not read as events: {', '.join(left)} (states=).")
        self._states = wanted
        super().__init__(
            info=StreamInfo.signal(
                exact_rate(rate[1]), Channels.of(called, [kind_of(c, "eeg") for c in called]), name="BCI2000"
            ),
            segments=n,
            entities=entities_of(
                path,
                subject=header.value("SubjectName"),
                session=header.value("SubjectSession"),
                run=header.value("SubjectRun"),
                start=_iso(header.value("StorageTime")),
            ),
            files=[path],
            notes=notes,
            labels=labels,
            event_sources=[s.name for s in wanted] or [""],
        )

    def _load(self, a: int, b: int) -> Samples:
        raw = self._frames["x"][a:b].astype(np.float64)
        return ((raw - self._offset) * self._gain).astype(np.float32)

    def _marks(self) -> Iterable[Mark]:
        n = len(self._frames)
        for source, state in enumerate(self._states):
            held, begin = 0, 0
            for a in range(0, n, _STEP):
                x = self._decode(state, a, min(a + _STEP, n))
                for k in np.flatnonzero(x != np.concatenate(([held], x[:-1])).astype(x.dtype)):
                    if held:
                        yield Mark(begin, f"{state.name}={held}", a + int(k) - begin, held, source)
                    held, begin = int(x[k]), a + int(k)
            if held:
                yield Mark(begin, f"{state.name}={held}", n - begin, held, source)

    def _decode(self, state: State, a: int, b: int) -> npt.NDArray[np.uint64]:
        vector = self._frames["states"][a:b]
        out = np.zeros(b - a, np.uint64)
        for i in range(state.bits):
            byte, bit = divmod(8 * state.byte + state.bit + i, 8)
            out |= (vector[:, byte] >> bit & 1).astype(np.uint64) << np.uint64(i)
        return out


def _iso(text: str) -> str:
    """Return "Thu Sep 04 12:59:22 2008", as older versions write the time, like 2008-09-04T12:59:22."""
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").isoformat()
    except ValueError:
        return text


def _changes_always(name: str) -> bool:
    return any(fnmatchcase(name, p) for p in _CONTINUOUS)


def _open(
    path: Path,
    *,
    labels: Mapping[str, str] | None = None,
    partial: bool = False,
    states: str | Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> Bci2000Recording:
    notes: list[str] = []
    header = Header(path)
    n, rest = divmod(path.stat().st_size - header.size, header.frame.itemsize)
    if rest and not partial:
        raise FormatError(
            f"{path.name} ends {rest} bytes into sample {n} of {header.frame.itemsize} bytes each. "
            "Get a whole copy, or open it with partial=True."
        )
    if rest:
        notes.append(f"The file is cut short: {rest} bytes after sample {n - 1} are left out.")
    wanted = [states] if isinstance(states, str) else states
    return Bci2000Recording(header, n, wanted, names, notes, labels)


BCI2000 = Format(
    name="BCI2000",
    suffixes=(".dat",),
    magic="'BCI2000V=' or 'HeaderLen='",
    sniff=lambda path, head: re.match(rb"(BCI2000V=.*)?\s*HeaderLen=", head[:200]) is not None,
    open=_open,
)
