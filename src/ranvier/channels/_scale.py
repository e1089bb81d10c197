"""Scale: from counts to a unit."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import final

import numpy as np

from ranvier.errors import ContractError
from ranvier.kernels.words import mul
from ranvier.stage import ChannelStage, Step, Tags
from ranvier.stream import StreamInfo


def gain_body(x, s, k):
    """Multiply by the gain."""
    return mul(x, k[0]), s


@final
@dataclass(frozen=True, eq=False)
class Scale(ChannelStage):
    """Multiply by a gain, one for all channels or one each, and name the new unit.

    Parameters
    ----------
    gain
        New units in one old unit; one number, or a tuple with one a channel.
    unit
        What the numbers are in afterwards.

    Notes
    -----
    *In*: signal ``(n,)``; int16 and int32 counts, float32 or float64. *Out*: the same channels in `unit`,
    float32 (float64 for float64), rounded once. Delay 0, support 1, settle 0. Portable.

    Examples
    --------
    >>> from ranvier.stream import Channels, StreamInfo
    >>> counts = StreamInfo.signal(30_000, Channels.of(2, "spikes", "count"), dtype="int16")
    >>> Scale(0.195).describe(counts).channels.units
    ('uV', 'uV')
    """

    gain: float | tuple[float, ...]
    unit: str = "uV"

    @property
    def tags(self) -> Tags:  # type: ignore[override]
        return Tags(exactness="portable", linear=True, permutable=not isinstance(self.gain, tuple))

    def describe_channels(self, info: StreamInfo) -> StreamInfo:
        gains = self.gain if isinstance(self.gain, tuple) else (self.gain,) * info.n_channels
        if len(gains) != info.n_channels:
            raise ContractError(
                f"Scale needs one gain, or one for each of {info.n_channels} channels; got {len(gains)}. "
                "Give as many as the stream has, or put Pick before it."
            )
        odd = next((g for g in gains if not isfinite(g) or g == 0), None)
        if odd is not None:
            raise ContractError(f"Scale needs gains that are finite and not 0; got {odd:g}. Mend the gain.")
        if not self.unit:
            raise ContractError("Scale needs the unit that the gain leads to; got none. Write 'uV', or '1' for none.")
        return info.but(channels=info.channels.with_units(self.unit))

    def steps(self, info: StreamInfo) -> tuple[Step, ...]:
        return (Step(gain_body, (np.array(self.gain),), precision="f8" if info.dtype == np.float64 else "f4"),)
