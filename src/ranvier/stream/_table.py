"""Descriptions of streams as plain tables for JSON, and back; what comes back is believed only after it was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ranvier.errors import ContractError, FormatError
from ranvier.stream._channels import Channels
from ranvier.stream._info import EventInfo, Info, Origin, StreamInfo

DTYPES = ("int16", "int32", "float32", "float64")  # what drivers deliver and graphs put out; nothing else is believed
_CHANNELS = ("names", "kinds", "units", "positions", "groups")
_LARGEST = 2**53
_MOST = 2**31


def info_to_table(info: Info) -> dict[str, Any]:
    """Return a description as plain values."""
    origin = info.origin
    table: dict[str, Any] = {
        "name": info.name, "rate": _pair(info.rate), "support": info.support, "settle": info.settle,
        "delay": _pair(info.delay),
        "origin": {
            "source": origin.source, "rate": _pair(origin.rate), "step": _pair(origin.step),
            "offset": _pair(origin.offset), "span": origin.span,
        },
    }  # fmt: skip
    if isinstance(info, StreamInfo):
        channels = {field: getattr(info.channels, field) for field in _CHANNELS}
        return table | {"shape": list(info.shape), "dtype": info.dtype.name, "channels": channels}
    return table | {"labels": [[k, v] for k, v in info.labels.items()], "sources": list(info.sources)}


def info_from_table(table: Any, dtypes: Sequence[str] = DTYPES) -> Info:
    """Return the description that a table holds, of samples of one of some dtypes; or raise FormatError."""
    try:
        return _read(table, dtypes)
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError, OverflowError, ContractError) as e:
        raise FormatError(
            f"A stream needs a description; got a table that is none ({type(e).__name__}: {str(e)[:120]}). It was not "
            "written by this version, or is damaged."
        ) from None


def _read(t: Mapping[str, Any], dtypes: Sequence[str]) -> Info:
    o = t["origin"]
    common: dict[str, Any] = {
        "name": _text(t["name"]), "rate": _fraction(t["rate"]), "support": _whole(t["support"]),
        "settle": _whole(t["settle"]), "delay": _fraction(t["delay"]),
        "origin": Origin(
            source=_text(o["source"]), rate=_fraction(o["rate"]), step=_fraction(o["step"]),
            offset=_fraction(o["offset"]), span=_whole(o["span"]),
        ),
    }  # fmt: skip
    if "labels" in t:
        labels = {_whole(k): _text(v) for k, v in t["labels"]}
        return EventInfo(labels=labels, sources=tuple(_text(v) for v in t["sources"]), **common)
    if t["dtype"] not in dtypes:
        raise ValueError(f"dtype {str(t['dtype'])[:20]!r}")
    c = t["channels"]
    positions = tuple(None if p is None else tuple(float(v) for v in p) for p in c["positions"])
    if any(p is not None and len(p) != 3 for p in positions):
        raise ValueError("positions")
    channels = Channels(
        positions=positions,  # type: ignore[arg-type]
        **{field: tuple(_text(v) for v in c[field]) for field in _CHANNELS if field != "positions"},
    )
    shape = tuple(_whole(n) for n in t["shape"])
    return StreamInfo(dtype=np.dtype(t["dtype"]), shape=shape, channels=channels, **common)


def _pair(value: Fraction) -> list[int]:
    return [value.numerator, value.denominator]


def _fraction(pair: Any) -> Fraction:
    a, b = pair
    if not (isinstance(a, int) and isinstance(b, int) and abs(a) <= _LARGEST and 0 < b <= _LARGEST):
        raise ValueError(f"fraction {str(pair)[:40]}")
    return Fraction(a, b)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError(f"number {str(value)[:40]}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"text {str(value)[:40]}")
    return value
