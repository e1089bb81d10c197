"""A stream's description as bytes of a ring and back."""

from __future__ import annotations

import json

from ranvier.errors import ContractError, FormatError
from ranvier.stream import DTYPES, StreamInfo, info_from_table, info_to_table


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
    return json.dumps(info_to_table(info), separators=(",", ":"), allow_nan=False).encode()


def from_bytes(text: bytes) -> StreamInfo:
    """Read a stream's description, or raise FormatError."""
    try:
        info = info_from_table(json.loads(text))
        if isinstance(info, StreamInfo):
            return info
        why = "events"
    except (ValueError, RecursionError, FormatError) as e:
        why = f"{type(e).__name__}: {str(e)[:160]}"
    raise FormatError(
        f"Ring needs memory that begins with the description of a stream; got {len(text)} bytes that are none ({why}). "
        "Attach to a ring made by this version of Ranvier."
    )
