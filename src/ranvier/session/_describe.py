"""A stream's description as bytes and back; what comes back is believed only after it was checked."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np

from ranvier.errors import ContractError, FormatError
from ranvier.stream import Channels, Origin, StreamInfo

DTYPES = ("int16", "int32", "float32", "float64")  # what drivers deliver; nothing else is taken from shared memory
_CHANNELS = ("names", "kinds", "units", "positions", "groups")
_LARGEST = 2**53
_MOST = 2**31


def to_bytes(info: StreamInfo) -> bytes:
    """Write a stream down as JSON; refuse one that a ring cannot hold."""
    if info.dtype.name not in DTYPES or not info.dtype.isnative:
        raise ContractError(
            f"Ring needs samples of {', '.join(DTYPES)}; got {info.dtype} from {info.name!r}. Describe the stream as "
            "one of these, as its codec delivers it."
        )
    if not info.rate:
        raise ContractError(
            f"Ring needs a stream with a rate; got {info.name!r}, whose samples come at events. Put the ring before "
            "the stage that cuts epochs."
        )
    origin = info.origin
    table = {
        "name": info.name, "rate": _pair(info.rate), "shape": list(info.shape), "dtype": info.dtype.name,
        "support": info.support, "settle": info.settle, "delay": _pair(info.delay),
        "origin": {
            "source": origin.source, "rate": _pair(origin.rate), "step": _pair(origin.step),
            "offset": _pair(origin.offset), "span": origin.span,
        },
        "channels": {field: getattr(info.channels, field) for field in _CHANNELS},
    }  # fmt: skip
    return json.dumps(table, separators=(",", ":"), allow_nan=False).encode()


def from_bytes(text: bytes) -> StreamInfo:
    """Read a stream's description, or raise FormatError."""
    try:
        return _read(json.loads(text))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, RecursionError, ContractError) as e:
        raise FormatError(
            f"Ring needs memory that begins with the description of a stream; got {len(text)} bytes that are none "
            f"({type(e).__name__}: {str(e)[:120]}). Attach to a ring made by this version of Ranvier."
        ) from None


def _read(t: Any) -> StreamInfo:
    origin, channels = t["origin"], t["channels"]
    if t["dtype"] not in DTYPES:
        raise ValueError(f"dtype {t['dtype']!r:.20}")
    positions = tuple(None if p is None else tuple(float(v) for v in p) for p in channels["positions"])
    if any(p is not None and len(p) != 3 for p in positions):
        raise ValueError("positions")
    return StreamInfo(
        name=_text(t["name"]), rate=_fraction(t["rate"]), dtype=np.dtype(t["dtype"]),
        shape=tuple(_whole(n) for n in t["shape"]),
        support=_whole(t["support"]), settle=_whole(t["settle"]), delay=_fraction(t["delay"]),
        origin=Origin(
            source=_text(origin["source"]), rate=_fraction(origin["rate"]), step=_fraction(origin["step"]),
            offset=_fraction(origin["offset"]), span=_whole(origin["span"]),
        ),
        channels=Channels(
            positions=positions,  # type: ignore[arg-type]
            **{field: tuple(_text(v) for v in channels[field]) for field in _CHANNELS if field != "positions"},
        ),
    )  # fmt: skip


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
