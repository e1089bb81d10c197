"""Export to EDF+ (16 bit) and BDF+ (24 bit): whole numbers, continuous, what is missing marked by annotations.

Formats: edfplus.info/specs/edfplus.html, www.biosemi.com/faq/file_format.htm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import FormatError
from ranvier.record._export_content import Content, MarkAt
from ranvier.record._export_scaling import Scaling, scalings_of

if TYPE_CHECKING:
    from ranvier.record._export import Advance

LARGEST = 1 << 20  # bytes of a record; 61440 are recommended, readers take more
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()


def write(content: Content, out: Path, advance: Advance) -> None:
    """Write a recording as EDF+C or BDF+C; gaps are filled with the last value and annotated ``BAD_gap``."""
    bits = 24 if out.suffix.lower() == ".bdf" else 16
    if len(content.info.channels) > 9998:
        raise FormatError(f"EDF holds at most 9998 channels; got {content.info.n_channels}. Export to NWB.")
    scalings = scalings_of(content, bits)
    each, seconds = _record(content, bits // 8)
    n_records = -(-content.span // each)
    tals = _annotations(content, n_records * each)
    pieces, width = _packed(tals, n_records, seconds, bits // 8)
    worst = np.zeros(content.info.n_channels)
    with out.open("wb") as file:
        file.write(_header(content, scalings, bits, each, seconds, n_records, width))
        for k, record in enumerate(_records(content, scalings, each, worst)):
            file.write(_bytes(record, bits))
            file.write(pieces[k].ljust(width, b"\x00"))
            advance(each)
    _say(content, scalings, worst, bits)


def _record(content: Content, width: int) -> tuple[int, str]:
    """Return the samples in a record, and its length [s] as the header says it, exact where 8 characters allow."""
    rate, n, total = content.info.rate, content.info.n_channels, content.span
    exact: list[tuple[int, str]] = []
    most = max(LARGEST // (n * width), 1)
    for each in range(1, min(most, max(4 * int(rate), 1), total) + 1):
        text = _decimal(Fraction(each) / rate)
        if text:
            exact.append((each, text))
    if not exact:
        each = max(1, min(round(rate), most))
        text = f"{float(each / rate):.8f}"[:8]
        content.notes.append(
            f"The length of a record, {float(each / rate):.12g} s, is written as {text} s: 8 characters hold no more."
        )
        return each, text
    whole = [e for e in exact if total % e[0] == 0 and e[0] * 10 >= rate] or exact
    return min(whole, key=lambda e: abs(e[0] / float(rate) - 1))


def _decimal(value: Fraction) -> str:
    text = f"{float(value):.7f}".rstrip("0").rstrip(".")
    return text if len(text) <= 8 and Fraction(text) == value else ""


def _annotations(content: Content, end: int) -> list[MarkAt]:
    """Return what goes into the annotations, in the order of time: events, what is missing or invalid, commands."""
    rate, names = content.rate, content.info.channels.names
    found = [*content.marks, *(m._replace(label=f"command {m.label}") for m in content.commands)]
    for decided in content.decided:
        for time, row in zip(decided.times.tolist(), decided.values, strict=True):
            said = " ".join(f"{c}={v:.6g}" for c, v in zip(decided.columns, row, strict=True))
            found.append(MarkAt(time, f"{decided.name} {said}"))
    found += [MarkAt(g.start / rate, "BAD_gap", (g.stop - g.start) / rate) for g in content.gaps]
    if end > (n := content.span):
        found.append(MarkAt((content.first + n) / rate, "BAD_end", (end - n) / rate))
        content.notes.append(f"The last record was filled with {end - n} samples, marked BAD_end.")
    stretches = content.invalid()
    found += [MarkAt(s.start / rate, f"BAD_invalid {names[s.channel]}", (s.stop - s.start) / rate) for s in stretches]
    if stretches:
        content.notes.append(f"{len(stretches)} invalid stretches hold the last value, marked BAD_invalid.")
    if content.gaps:
        content.notes.append(f"{len(content.gaps)} gaps hold the last value, marked BAD_gap.")
    zero = content.first / rate
    return sorted((m._replace(onset=m.onset - zero) for m in found), key=lambda m: m.onset)


def _packed(marks: list[MarkAt], n_records: int, seconds: str, width: int) -> tuple[list[bytes], int]:
    """Return the annotations of each record, and how many bytes each has for them."""
    tals: deque[bytes] = deque()
    for m in marks:
        text = "".join(c for c in m.label if c >= " " or c == "\t").encode()
        duration = f"\x15{m.duration:.9f}".rstrip("0").rstrip(".") if m.duration else ""
        tals.append(_onset(m.onset).encode() + duration.encode() + b"\x14" + text + b"\x14\x00")
    times = [_onset(float(k * Fraction(seconds))).encode() + b"\x14\x14\x00" for k in range(n_records)]
    room = -(-sum(map(len, tals)) // n_records) + max(map(len, tals), default=0) + len(times[-1])
    room = -(-max(room, 24) // width) * width
    for k, t in enumerate(times):
        while tals and len(t) + len(tals[0]) <= room:
            t += tals.popleft()
        times[k] = t
    return times, room


def _onset(seconds: float) -> str:
    return f"{seconds:+.9f}".rstrip("0").rstrip(".")


def _records(
    content: Content, scalings: list[Scaling], each: int, worst: npt.NDArray[np.float64]
) -> Iterator[npt.NDArray[np.int32]]:
    """Yield records of counts; what is missing holds the last value."""
    step, offset = np.array([s.step for s in scalings]), np.array([s.offset for s in scalings])
    low, high = np.array([s.digital for s in scalings]).T
    held = np.clip(np.round(-offset / step), low, high).astype(np.int32)
    rows: list[npt.NDArray[np.int32]] = []
    waiting, index = 0, content.first
    n = content.span

    def full() -> Iterator[npt.NDArray[np.int32]]:
        nonlocal rows, waiting
        if waiting >= each:
            joined = np.concatenate(rows)
            whole = len(joined) // each * each
            yield from joined[:whole].reshape(-1, each, len(scalings))
            rows, waiting = [joined[whole:]], waiting - whole

    for block in content.blocks():
        while index < block.start:
            fill = min(block.start - index, 100 * each)
            rows.append(np.repeat(held[None], fill, axis=0))
            index, waiting = index + fill, waiting + fill
            yield from full()
        x = block.data.astype(np.float64)
        known = np.isfinite(x)
        counts = np.clip(np.round(np.where(known, x - offset, 0.0) / step), low, high).astype(np.int32)
        np.maximum(worst, np.where(known, np.abs(counts * step + offset - x), 0.0).max(axis=0, initial=0.0), out=worst)
        if not known.all():
            counts = _hold(counts, known, held)
        held = counts[-1]
        rows.append(counts)
        index, waiting = index + block.n, waiting + block.n
        yield from full()
    if n % each:
        rows.append(np.repeat(held[None], each - n % each, axis=0))
        waiting += each - n % each
        yield from full()


def _hold(counts: npt.NDArray[np.int32], known: npt.NDArray[Any], held: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Put the last known value where there is none."""
    rows = np.where(known, np.arange(1, len(counts) + 1)[:, None], 0)
    padded = np.concatenate([held[None], counts])
    taken: npt.NDArray[np.int32] = np.take_along_axis(padded, np.maximum.accumulate(rows, axis=0), axis=0)
    return taken


def _bytes(record: npt.NDArray[np.int32], bits: int) -> bytes:
    channels = np.ascontiguousarray(record.T)
    if bits == 16:
        return channels.astype("<i2").tobytes()
    return channels.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def _header(
    content: Content, scalings: list[Scaling], bits: int, each: int, seconds: str, n_records: int, width: int
) -> bytes:
    who, begin = content.recording.entities, content.begin
    kind = "BDF" if bits == 24 else "EDF"
    count = len(scalings) + 1
    date = f"{begin.day:02d}-{_MONTHS[begin.month - 1]}-{begin.year}" if begin else "X"
    patient = f"{_word(who.subject)} X X X"
    recording = f"Startdate {date} X X {_word(who.device)}"
    names = _names(content)
    units = [u if len(u) <= 8 and u.isascii() else "" for u in content.info.channels.units]
    first = (b"\xffBIOSEMI" if bits == 24 else b"0".ljust(8)) + b"".join(
        _field(text, size)
        for text, size in (
            (patient, 80),
            (recording, 80),
            (begin.strftime("%d.%m.%y") if begin else "01.01.85", 8),
            (begin.strftime("%H.%M.%S") if begin else "00.00.00", 8),
            (256 * (count + 1), 8),
            (f"{kind}+C", 44),
            (n_records, 8),
            (seconds, 8),
            (count, 4),
        )
    )
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    columns: list[tuple[list[Any], int]] = [
        ([*names, f"{kind} Annotations"], 16),
        ([""] * count, 80),
        ([*units, ""], 8),
        ([*(s.physical[0] for s in scalings), -1], 8),
        ([*(s.physical[1] for s in scalings), 1], 8),
        ([*(s.digital[0] for s in scalings), low], 8),
        ([*(s.digital[1] for s in scalings), high], 8),
        ([""] * count, 80),
        ([each] * len(scalings) + [width // (bits // 8)], 8),
        ([""] * count, 32),
    ]
    return first + b"".join(_field(v, size) for values, size in columns for v in values)


def _field(value: Any, size: int) -> bytes:
    return str(value).encode("ascii", "replace")[:size].ljust(size)


def _word(text: str) -> str:
    return "_".join(text.split()) or "X"


def _names(content: Content) -> list[str]:
    """Return names of at most 16 ASCII characters, no two alike."""
    taken: dict[str, str] = {}
    for name in content.info.channels.names:
        short = name.encode("ascii", "replace").decode()[:16].strip() or "X"
        k = 1
        while short in taken:
            k += 1
            short = f"{short[: 15 - len(str(k))]}-{k}"
        taken[short] = name
    if cut := [f"{b} as {a}" for a, b in taken.items() if a != b]:
        content.notes.append(f"{len(cut)} channel names were cut to 16 characters: {', '.join(cut[:4])}.")
    return list(taken)


def _say(content: Content, scalings: list[Scaling], worst: npt.NDArray[np.float64], bits: int) -> None:
    channels = content.info.channels
    exact = [s.exact and w < 0.05 * s.step for s, w in zip(scalings, worst, strict=True)]
    if all(exact):
        content.notes.append(f"All channels are counts that fit into {bits} bits: exact.")
    for c in [c for c, e in enumerate(exact) if not e][:8]:
        content.notes.append(
            f"{channels.names[c]} is rounded to steps of {scalings[c].step:.3g} {channels.units[c]}; "
            f"largest error {worst[c]:.3g} {channels.units[c]}."
        )
    if exact.count(False) > 8:
        content.notes.append(f"{exact.count(False) - 8} more channels are rounded to {bits} bits of their range.")
