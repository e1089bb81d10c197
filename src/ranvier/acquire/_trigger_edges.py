"""TriggerEdges: from a trigger channel to marks."""

from __future__ import annotations

import numpy as np

from ranvier.acquire._source import Mark, Packet
from ranvier.errors import ConfigError


class TriggerEdges:
    """Find where a trigger channel changes: a mark at the first sample of each new value.

    Parameters
    ----------
    channel
        Its column in the packets.
    mask
        Bits of it that count (0xFFFF for a BioSemi status channel); -1 for all.
    rest
        Value at rest: going back to it is no mark.

    Notes
    -----
    Any cut of the stream into packets gives the same marks. What is on when the stream begins has no instant, and
    makes no mark. A value that is another one behind lost samples is marked at the first sample behind them: it came
    up to that much earlier. The edge lies within the sample period before the mark.
    """

    def __init__(self, channel: int, *, mask: int = -1, rest: int = 0) -> None:
        if channel < 0:
            raise ConfigError(f"TriggerEdges needs a channel >= 0; got {channel}. Count the columns of the packets.")
        self._channel, self._mask, self._rest = channel, mask, rest
        self._held: int | None = None

    def feed(self, packet: Packet) -> list[Mark]:
        """Return the marks within a packet."""
        column = packet.samples[:, self._channel]
        if not len(column):
            return []
        values = column.astype(np.int64) & self._mask
        held = int(values[0]) if self._held is None else self._held
        at = np.flatnonzero(np.diff(values, prepend=held))
        self._held = int(values[-1])
        return [
            Mark(float(packet.start + k), str(v), float(v), packet.arrival)
            for k, v in zip(at.tolist(), values[at].tolist(), strict=True)
            if v != self._rest
        ]
