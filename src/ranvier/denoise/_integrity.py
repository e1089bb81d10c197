"""Integrity: the entrance, where a raw signal becomes finite data and a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from ranvier.errors import ContractError
from ranvier.kernels import Gate, gate_state
from ranvier.stage import GateStage, State, Tags, need_signal
from ranvier.stream import Info, StreamInfo

LONGEST = 24 * 3600.0  # gap or stretch that can be asked for [s]
MOST = 2**31  # samples of a flat stretch that can be counted: 20 h at 30 kHz
NOT_JUDGED = frozenset({"trigger", "misc", "motion", "feature"})  # may stand still, and have no rails


@final
@dataclass(frozen=True, eq=False)
class Integrity(GateStage):
    """Turn a raw signal into finite numbers and a mask: NaN, gaps, rails, dead channels.

    Parameters
    ----------
    rail
        Magnitude from which on a sample counts as clipped, in the unit of the stream; None for never.
    flat
        How long a channel may repeat one value [s]; None for ever. It is marked from the sample on at which
        that is known (a stage cannot mark the past) until another value comes.
    gap
        Longest stretch of missing samples that is filled [s]; a longer one starts a new segment.

    Notes
    -----
    *In*: raw signal ``(n,)`` of any number type, NaN, infinities and index jumps included; a mask that comes
    with it is respected. *Out*: the same channels and units, float32 (float64 for float64), finite
    everywhere. What cannot be trusted is marked invalid and holds the channel's last trusted value (0 before
    the first). Samples missing for up to `gap` are put in like that, so that what follows sees no jump: a
    block may come out longer than it went in. A longer gap, or an index that goes back, passes through as a
    jump and starts afresh. Channels of the kinds trigger, misc, motion and feature are not judged by `rail`
    and `flat`. Unreadable samples neither lengthen nor end a flat stretch. Delay 0, settle 0; support: the
    samples of `flat`. Portable.

    Examples
    --------
    >>> import numpy as np
    >>> from ranvier.stage import Run
    >>> from ranvier.stream import Block, StreamInfo
    >>> run = Run(Integrity(), StreamInfo.signal(250, 1))
    >>> out = run.push(Block(np.array([[1.0], [np.nan], [3.0]], "f4")))
    >>> out.data[:, 0].tolist(), out.valid[:, 0].tolist()
    ([1.0, 1.0, 3.0], [True, False, True])
    """

    rail: float | None = None
    flat: float | None = None
    gap: float = 1.0

    tags: ClassVar[Tags] = Tags(exactness="portable", permutable=True)

    def _flat(self, info: StreamInfo) -> int:
        """Return how many equal samples are flat; 0 for never."""
        return 0 if self.flat is None else round(self.flat * info.rate)

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        if self.rail is not None and not self.rail > 0:
            raise ContractError(
                f"Integrity needs rail > 0 {info.channels.units[0]}; got {self.rail:g}. Give the largest magnitude "
                "that the amplifier can show, or None."
            )
        if self.flat is not None and not (0 < self.flat <= LONGEST and self._flat(info) >= 2):
            raise ContractError(
                f"Integrity needs flat of at least 2 samples ({2 / float(info.rate):g} s at {float(info.rate):g} Hz); "
                f"got {self.flat:g} s. Take 1 s if in doubt, {LONGEST:g} s at the most, or None."
            )
        if self._flat(info) >= MOST:
            raise ContractError(
                f"Integrity needs flat below {MOST / float(info.rate):.3g} s at {float(info.rate):g} Hz; "
                f"got {self.flat:g} s. Take 1 s if in doubt, or None."
            )
        if not 0 <= self.gap <= LONGEST:
            raise ContractError(f"Integrity needs 0 <= gap <= {LONGEST:g} s; got {self.gap:g} s. Take 1 s if in doubt.")
        longer = int(-(-max(self._flat(info) - 1, 0) * info.origin.step // 1))
        dtype = np.dtype(np.float64 if info.dtype == np.float64 else np.float32)
        return info.but(dtype=dtype, support=info.support + longer)

    def gate(self, info: StreamInfo) -> Gate:
        judged = np.array([kind not in NOT_JUDGED for kind in info.channels.kinds])
        most = float(np.finfo(self.describe(info).dtype).max)  # no number is larger: never
        rail = np.where(judged, np.inf if self.rail is None or self.rail > most else self.rail, np.inf)
        return Gate(rail, judged, self._flat(info))

    def longest(self, info: StreamInfo) -> int:
        return round(self.gap * info.rate)

    def memory(self, info: StreamInfo) -> State:
        return State(**gate_state(info.n_channels, self.describe(info).dtype))
