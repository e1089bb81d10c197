"""The head of an `.rvr` recording: streams as JSON and back; what is read is checked before it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ranvier.errors import ConfigError, ContractError, FormatError
from ranvier.record._rvr_array import CODECS, DTYPES, Kept, rows_for
from ranvier.record._rvr_format import slug
from ranvier.stream import EventInfo, StreamInfo, info_from_table, info_to_table

GIVEN = ("graph", "ids", "device", "entities", "session")  # what a caller may put into a head
_MOST = 2**31
_MOST_ROW = 1 << 26  # bytes of one sample


@dataclass(frozen=True)
class Stored:
    """A stream as it is to be recorded.

    Parameters
    ----------
    info
        Its description: of the numbers as they are delivered. An `EventInfo` for events of a graph.
    gain
        What counts are multiplied with to be in `unit`, one number or one a channel, as for `channels.Scale`; None
        where the numbers are in their units already.
    unit
        Unit behind the gain, one for all channels or one a channel.
    masked
        Whether each number comes with its validity, as a graph's outputs do.
    codec
        ``raw``, ``blosc`` (lz4 with bitshuffle, by channel) or ``delta`` (the same of differences; whole numbers only);
        None for the best.
    """

    info: StreamInfo | EventInfo
    gain: float | tuple[float, ...] | None = None
    unit: str | tuple[str, ...] | None = None
    masked: bool = False
    codec: str | None = None


@dataclass(frozen=True)
class Planned:
    """A stream and the arrays that it is kept in.

    Parameters
    ----------
    name
        Of the stream.
    stored
        The stream.
    arrays
        ``samples``, ``valid`` where it is masked, ``at`` where it has no rate; none for events.
    """

    name: str
    stored: Stored
    arrays: dict[str, Kept]


def plan(streams: Mapping[str, Stored]) -> list[Planned]:
    """Return the arrays that streams are kept in."""
    found, index = [], 0
    for name, stored in streams.items():
        arrays = {}
        if isinstance(stored.info, StreamInfo):
            info = stored.info
            rows = rows_for(float(info.rate), int(np.prod(info.shape)) * info.dtype.itemsize)
            for role, dtype, shape, codec in _roles(name, stored, info):
                folder = f"{index:02d}-{slug(name)}" + ("" if role == "samples" else f"-{role}")
                arrays[role] = Kept(index, folder, dtype, shape, rows, codec)
                index += 1
        found.append(Planned(name, stored, arrays))
    return found


def _roles(name: str, stored: Stored, info: StreamInfo) -> list[tuple[str, str, tuple[int, ...], str]]:
    whole = info.dtype.kind == "i"
    codec = stored.codec or ("delta" if whole else "blosc")
    gains = stored.gain if isinstance(stored.gain, tuple) else (stored.gain or 1.0,)
    wrong = (
        f"dtype {info.dtype}" if info.dtype.name not in DTYPES
        else f"codec {codec!r}" if codec not in CODECS or (codec == "delta" and not whole)
        else f"{len(gains)} gains for {info.n_channels} channels" if len(gains) not in (1, info.n_channels)
        else "a gain that is 0, or beyond float32" if not all(1e-37 < abs(g) < 1e37 for g in gains)
        else "a gain without its unit" if stored.gain is not None and not stored.unit
        else f"{len(stored.unit)} units for {info.n_channels} channels"
        if isinstance(stored.unit, tuple) and len(stored.unit) != info.n_channels
        else ""
    )  # fmt: skip
    if wrong:
        raise ContractError(
            f"A recording needs streams of {', '.join(DTYPES)}, codecs among {', '.join(CODECS)} (delta for whole "
            f"numbers), and one gain and unit or one a channel; got {wrong} for {name!r}. Mend its description."
        )
    roles = [("samples", info.dtype.name, info.shape, codec)]
    if stored.masked:
        roles.append(("valid", "bool", info.shape, "blosc"))
    if not info.rate:
        roles.append(("at", "int64", (), "raw"))
    return roles


def make_head(given: Mapping[str, Any], planned: list[Planned], monotonic: int, wall: int, identity: str) -> Any:
    """Return what a head says.

    Parameters
    ----------
    given
        What the caller adds, under the keys of `GIVEN`.
    monotonic, wall
        Host time and wall-clock time of one instant [ns].
    identity
        Of the recording.
    """
    if strange := [k for k in given if k not in GIVEN]:
        raise ConfigError(f"The head of a recording takes {', '.join(GIVEN)}; got {strange[0]!r}. Put it into one.")
    import platform  # 5 ms that importing this room need not cost
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version()}
    for package in ("ranvier", "numpy", "numcodecs"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "id": identity,
        "clock": {"monotonic_ns": monotonic, "time_ns": wall},
        "host": {"system": platform.system(), "release": platform.release(), "machine": platform.machine()},
        "versions": versions,
        **{k: given[k] for k in GIVEN if k in given},
        "streams": [_stream(p) for p in planned],
    }


def _stream(p: Planned) -> dict[str, Any]:
    s, info = p.stored, p.stored.info
    said: dict[str, Any] = {
        "name": p.name, "gain": s.gain, "unit": s.unit, "masked": s.masked, "info": info_to_table(info),
    }  # fmt: skip
    if isinstance(info, StreamInfo):
        said["arrays"] = {r: {"folder": k.folder, "rows": k.rows, "codec": k.codec} for r, k in p.arrays.items()}
    return said


def read_streams(head: Mapping[str, Any]) -> list[Planned]:
    """Return the streams of a head, or raise FormatError."""
    try:
        found, index = [], 0
        for said in head["streams"]:
            p = _planned(said, index)
            index += len(p.arrays)
            found.append(p)
    except (ValueError, KeyError, TypeError, IndexError, ZeroDivisionError, OverflowError, ContractError) as e:
        raise FormatError(
            f"The head of a recording needs descriptions of its streams; got something else ({type(e).__name__}: "
            f"{str(e)[:160]}). It was not written by this version, or is damaged."
        ) from None
    return found


def _planned(said: Any, index: int) -> Planned:
    gain = said["gain"]
    gain = tuple(float(g) for g in gain) if isinstance(gain, list) else None if gain is None else float(gain)
    masked, unit = bool(said["masked"]), said["unit"]
    unit = tuple(_text(u) for u in unit) if isinstance(unit, list) else None if unit is None else _text(unit)
    info, arrays = info_from_table(said["info"], tuple(DTYPES)), dict[str, Kept]()
    if isinstance(info, EventInfo):
        return Planned(_text(said["name"]), Stored(info, gain, unit, masked), arrays)
    stored = Stored(info, gain, unit, masked, said["arrays"]["samples"]["codec"])
    for role, dtype, shape, codec in _roles(said["name"], stored, info):
        kept = said["arrays"][role]
        rows, folder = _whole(kept["rows"]), _text(kept["folder"])
        size = int(np.prod([*map(int, shape), 1], dtype=object)) * np.dtype(dtype).itemsize
        if rows < 1 or size > _MOST_ROW or rows * size > max(1 << 24, size) or kept["codec"] != codec:
            raise ValueError(f"chunks of {rows} samples of {size} bytes in {str(kept['codec'])[:20]!r}")
        if not folder or any(c not in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in folder):
            raise ValueError(f"folder {folder[:40]!r}")
        arrays[role] = Kept(index + len(arrays), folder, dtype, shape, rows, codec)
    return Planned(_text(said["name"]), stored, arrays)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError(f"number {str(value)[:40]}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"text {str(value)[:40]}")
    return value
