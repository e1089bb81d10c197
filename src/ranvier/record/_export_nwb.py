"""Export to NWB: potentials as an ElectricalSeries, gaps in the time stamps, events and decisions as tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import MissingExtraError
from ranvier.record._export_content import Content, Decided

if TYPE_CHECKING:
    from ranvier.record._export import Advance

_CHUNK = 1 << 18  # numbers in a chunk of the file: 1 MiB of float32


def write(content: Content, out: Path, advance: Advance) -> None:
    """Write a recording as NWB; what is invalid is nan, and an invalid time."""
    try:
        import pynwb
    except ImportError as error:
        raise MissingExtraError("Export to NWB", "pynwb", "export") from error
    nwb = _file(pynwb, content)
    channels = content.info.channels
    volts = [i for i, u in enumerate(channels.units) if u == "uV"]
    others = {u: [i for i, v in enumerate(channels.units) if v == u] for u in channels.units if u != "uV"}
    stamped = None
    if volts:
        region = nwb.create_electrode_table_region(list(range(len(volts))), "the electrodes of the signal")
        stamped = pynwb.ecephys.ElectricalSeries(
            name="ElectricalSeries", description=content.info.name, electrodes=region, conversion=1e-6,
            data=_data(content, volts, advance), **_times(content, None),
        )  # fmt: skip
        nwb.add_acquisition(stamped)
    for k, (unit, index) in enumerate(others.items()):
        name = "TimeSeries" if len(others) == 1 else f"TimeSeries{k + 1}"
        series = pynwb.TimeSeries(
            name=name, description=", ".join(channels.names[i] for i in index), unit=unit if unit != "1" else "n/a",
            data=_data(content, index, advance if stamped is None else lambda done: None), **_times(content, stamped),
        )  # fmt: skip
        nwb.add_acquisition(series)
        stamped = stamped or series
    _tables(pynwb, nwb, content)
    with pynwb.NWBHDF5IO(str(out), "w") as io:
        io.write(nwb)
    if content.gaps:
        content.notes.append("Gaps are jumps of the time stamps, and invalid times.")


def _file(pynwb: Any, content: Content) -> Any:
    who = content.recording.entities
    begin = content.begin
    if begin is None:
        begin = datetime(1970, 1, 1, tzinfo=UTC)
        content.notes.append("The recording does not say when it began: 1970-01-01 is written.")
    nwb = pynwb.NWBFile(
        session_description=who.task or content.info.name,
        identifier=content.recording.digest(),
        session_start_time=begin,
        session_id=who.session or None,
        subject=pynwb.file.Subject(subject_id=who.subject) if who.subject else None,
    )
    device = nwb.create_device(name=who.device or "device")
    channels = content.info.channels
    groups: dict[str, Any] = {}
    placed = any(p is not None for p, u in zip(channels.positions, channels.units, strict=True) if u == "uV")
    nwb.add_electrode_column("label", "name of the channel")
    nwb.add_electrode_column("kind", "kind of the channel: eeg, eog, ecog, lfp ...")
    for i, unit in enumerate(channels.units):
        if unit != "uV":
            continue
        name = channels.groups[i] or "electrodes"
        if name not in groups:
            groups[name] = nwb.create_electrode_group(name, description=name, location="unknown", device=device)
        at = channels.positions[i] or (float("nan"),) * 3
        where = dict(zip("xyz", (v * 1e6 for v in at), strict=True)) if placed else {}  # NWB: [um]
        nwb.add_electrode(
            group=groups[name], location="unknown", label=channels.names[i], kind=channels.kinds[i],
            reference=who.reference or "unknown", **where,
        )  # fmt: skip
    return nwb


def _times(content: Content, like: Any) -> dict[str, Any]:
    """Return a rate where there is no gap, else the time of every sample."""
    if not content.gaps:
        return {"rate": content.rate, "starting_time": content.first / content.rate}
    if like is not None:
        return {"timestamps": like}

    def times() -> Iterator[npt.NDArray[np.float64]]:
        for s in content.segments:
            for a in range(s.start, s.stop, _CHUNK):
                yield np.arange(a, min(a + _CHUNK, s.stop)) / content.rate

    return {"timestamps": _chunked(times(), (content.n_held,), np.dtype(np.float64))}


def _data(content: Content, index: list[int], advance: Advance) -> Any:
    def blocks() -> Iterator[npt.NDArray[Any]]:
        for block in content.blocks():
            yield block.data[:, index]
            advance(block.n)

    return _chunked(blocks(), (content.n_held, len(index)), np.dtype(np.float32))


def _chunked(pieces: Iterator[npt.NDArray[Any]], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Let HDF5 take the pieces one after the other, compressed."""
    from hdmf.backends.hdf5.h5_utils import H5DataIO
    from hdmf.data_utils import AbstractDataChunkIterator, DataChunk

    rows = max(1, min(shape[0], _CHUNK // int(np.prod(shape[1:]))))

    class Pieces(AbstractDataChunkIterator):  # type: ignore[misc]
        """Pieces in order along the first axis."""

        at = 0
        dtype = property(lambda self: dtype)
        maxshape = property(lambda self: shape)

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            piece = next(pieces)
            first, self.at = self.at, self.at + len(piece)
            return DataChunk(piece, (slice(first, self.at), *(slice(0, n) for n in shape[1:])))

        def recommended_chunk_shape(self) -> tuple[int, ...]:
            return (rows, *shape[1:])

        def recommended_data_shape(self) -> tuple[int, ...]:
            return shape

    return H5DataIO(Pieces(), compression="gzip", compression_opts=1, shuffle=True, chunks=(rows, *shape[1:]))


def _tables(pynwb: Any, nwb: Any, content: Content) -> None:
    """Add what is invalid, the events, the decisions and the commands."""
    rate, names = content.rate, content.info.channels.names
    for s in sorted([*content.gaps, *content.invalid()]):
        tag = "gap" if s.channel < 0 else f"invalid {names[s.channel]}"
        nwb.add_invalid_time_interval(start_time=s.start / rate, stop_time=s.stop / rate, tags=tag)
    if content.marks:
        table = pynwb.epoch.TimeIntervals(name="events", description="events of the recording")
        for column, text in (
            ("label", "what the event is called"), ("value", "the number that came with it"),
            ("uncertainty", "one standard deviation of its instant [s]"),
        ):  # fmt: skip
            table.add_column(column, text)
        for m in content.marks:
            table.add_row(
                start_time=m.onset, stop_time=m.onset + m.duration, label=m.label, value=m.value,
                uncertainty=m.uncertainty,
            )  # fmt: skip
        nwb.add_time_intervals(table)
    if content.decided or content.commands:
        module = nwb.create_processing_module("decisions", "what the graph decided, and what was commanded")
        for decided in content.decided:
            module.add(_decisions(pynwb, decided))
        if content.commands:
            columns = [("time", "[s]", [m.onset for m in content.commands]),
                       ("command", "as it was recorded, JSON", [m.label for m in content.commands])]  # fmt: skip
            module.add(_table(pynwb, "commands", "commands: wanted, given, their age", columns))


def _decisions(pynwb: Any, decided: Decided) -> Any:
    columns: list[tuple[str, str, Any]] = [("time", "of the newest sample that it depends on [s]", decided.times)]
    for k, (name, unit) in enumerate(zip(decided.columns, decided.units, strict=True)):
        columns.append((name, f"[{unit}]; nan where it is invalid", decided.values[:, k]))
    return _table(pynwb, decided.name, "output of the graph", columns)


def _table(pynwb: Any, name: str, text: str, columns: list[tuple[str, str, Any]]) -> Any:
    from hdmf.common import DynamicTable, VectorData

    return DynamicTable(
        name=name, description=text, columns=[VectorData(name=n, description=t, data=v) for n, t, v in columns]
    )
