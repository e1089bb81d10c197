"""Lengths of what looks at a window every hop, in samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ranvier.errors import ContractError
from ranvier.stream import StreamInfo

SLOWEST = 80.0  # rate below which the weighting lacks muscle [Hz]: two of its three shelves are left


@dataclass(frozen=True)
class Steps:
    """Lengths in samples: a hop, hops in a window, the delay."""

    hop: int
    hops: int
    late: int

    @property
    def window(self) -> int:
        return self.hop * self.hops


def steps_of(who: Any, info: StreamInfo, window: float, lookahead: float, hop: float) -> Steps:
    """Round to samples, the window to an even number of hops; refuse what does not fit."""
    rate = info.rate
    if rate < SLOWEST:
        raise ContractError(
            f"{type(who).__name__} needs a rate of {SLOWEST:g} Hz or more; got {float(rate):g} Hz. Put it before "
            "what lowers the rate."
        )
    if not (1 / float(rate) <= hop <= window / 2 and 0.05 <= window <= 10):
        raise ContractError(
            f"{type(who).__name__} needs a window of 0.05 to 10 s and hops of one sample to half of it; got "
            f"window={window:g} s, hop={hop:g} s at {float(rate):g} Hz. Take 0.5 and 0.05 s if in doubt."
        )
    if not 0 <= lookahead <= 0.25:
        raise ContractError(
            f"{type(who).__name__} needs 0 <= lookahead <= 0.25 s; got lookahead={lookahead:g} s. It is a delay: take "
            "0.25 s where that is no matter, 0 where it is."
        )
    samples = max(1, round(hop * rate))
    return Steps(samples, max(2, 2 * round(window / (2 * samples) * rate)), round(lookahead * rate))
