"""The absolute grid of windows: which samples each stands for, wherever a stream begins and however it is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, isfinite
from typing import Any

import numpy as np

from ranvier.errors import ContractError
from ranvier.stream import Array, Channels, Origin, StreamInfo

MOST = 2**31  # samples: ten hours at 60 kHz


def to_samples(who: Any, name: str, seconds: float, rate: Fraction, least: int = 1) -> int:
    """Round a length in seconds to samples, refusing less than `least`."""
    if seconds * float(rate) >= MOST:
        raise ContractError(
            f"{type(who).__name__} needs {name} below {MOST / float(rate):.3g} s at {float(rate):g} Hz; "
            f"got {name}={seconds:g} s. Make it shorter."
        )
    n = round(seconds * rate) if isfinite(seconds) else 0
    if n < least:
        raise ContractError(
            f"{type(who).__name__} needs {name} of at least {least} sample(s), {least / float(rate):g} s at "
            f"{float(rate):g} Hz; got {name}={seconds:g} s. Make it longer."
        )
    return n


def need_valid(who: Any, share: float, length: int) -> int:
    """Return how many of `length` samples are `min_valid` of them, refusing a share outside 0 to 1."""
    if not 0 < share <= 1:
        raise ContractError(
            f"{type(who).__name__} needs 0 < min_valid <= 1; got min_valid={share:g}. Take 0.5 if in doubt."
        )
    return max(1, ceil(share * length - 1e-9))


def with_units(channels: Channels, pattern: str) -> Channels:
    """Return channels whose unit ``u`` became ``pattern.format(u)``."""
    units = [pattern.format(u) for u in channels.units]
    return Channels.of(channels.names, channels.kinds, units, channels.positions, channels.groups)


def spread(info: StreamInfo, length: int) -> dict[str, Any]:
    """Return by how much a window of `length` samples makes span, support and settle grow [source samples]."""
    more = ceil((length - 1) * info.origin.step)
    return {"support": info.support + more, "settle": info.settle + more}


@dataclass(frozen=True, slots=True)
class Grid:
    """Windows of `length` samples, one each `hop` samples: window k covers ``[k * hop, k * hop + length)``."""

    length: int
    hop: int

    @classmethod
    def of(cls, who: Any, info: StreamInfo, length: float, hop: float) -> Grid:
        """Round length and hop [s] to samples of a stream."""
        return cls(to_samples(who, "length", length, info.rate), to_samples(who, "hop", hop, info.rate))

    @classmethod
    def in_hops(cls, who: Any, info: StreamInfo, length: float, hop: float) -> Grid:
        """Round the hop [s] to samples and the length [s] to whole hops, refusing one that is not meant to be."""
        grid = cls.of(who, info, length, hop)
        hops = round(length / hop)
        if abs(length / hop - hops) < 0.01:
            return cls(hops * grid.hop, grid.hop)
        if grid.length % grid.hop:
            better = max(grid.length // grid.hop, 1) * grid.hop / float(info.rate)
            raise ContractError(
                f"{type(who).__name__} needs length to be a multiple of hop; got length={length:g} s, hop={hop:g} s, "
                f"{grid.length} and {grid.hop} samples at {float(info.rate):g} Hz. Take length={better:g} s."
            )
        return grid

    def describe(self, info: StreamInfo, **changes: Any) -> StreamInfo:
        """Return the stream of one sample a window."""
        step = info.origin.step
        origin = Origin(
            source=info.origin.source,
            rate=info.origin.rate,
            step=step * self.hop,
            offset=info.origin.offset + (self.length - 1) * step,
            span=info.origin.span + ceil((self.length - 1) * step),
        )
        return info.but(rate=info.rate / self.hop, origin=origin, **spread(info, self.length), **changes)

    def next(self, seen: Array, start: int, stop: int) -> int:
        """Return the index of the next window before [start, stop) is heard, and note down that it was.

        Parameters
        ----------
        seen
            State of ``(2,)`` int64, at first -1: where this segment began, and up to where it was heard.
        """
        begin = int(seen[0]) if seen[1] == start else start
        if stop > start:
            seen[:] = begin, stop
        return max(-(-begin // self.hop), (start - self.length) // self.hop + 1)

    def pieces(self, first: int, start: int, stop: int) -> Iterator[tuple[int, int, bool]]:
        """Yield the places of [start, stop) at which hops begin and end: begin, end, whether the hop is complete.

        Places count from `start`. What lies before window `first` is left out; `length` is a multiple of `hop`.
        """
        a = max(start, first * self.hop)
        while a < stop:
            end = (a // self.hop + 1) * self.hop
            yield a - start, min(end, stop) - start, end <= stop
            a = end


def nowhere() -> Array:
    """Return the state that `Grid.next` needs."""
    return np.full(2, -1, np.int64)
