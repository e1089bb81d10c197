"""RLS: what references predict is taken off, by recursive least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from ranvier.denoise._adaptive import FELT, REFERENCES, Adaptive
from ranvier.stage import need_number
from ranvier.stream import StreamInfo


@final
@dataclass(frozen=True, eq=False)
class RLS(Adaptive):
    """Take off what references predict, by recursive least squares.

    Parameters
    ----------
    references
        Names, kinds or patterns of the references; kinds that the stream lacks are passed over.
    taps
        How many of their last samples are used, the present one included.
    tau
        Time constant of forgetting [s].
    ridge
        Energy of a reference that counts as nothing [its unit squared, summed over `tau`]: it holds the
        weights at 0 until there is more.
    quiet
        How many times its usual amplitude a reference must have to count; 0 where it always is active (a pulse, a
        tremor) and hears little of the brain.

    Notes
    -----
    *In*: signal ``(n_channels,)`` without offset and drift (`Highpass` before it), electrodes and references in it.
    *Out*: the same, references as they were; float32 (float64 for float64). Each electrode less the weighted last
    samples of the references; the weights are those that were best up to the sample before. Of a reference counts
    ``max(0, 1 - quiet^2 usual / peak)``: its peak power, of which it keeps 0.1 s in mind, and the running median of
    that, which grows by e in 30 s: it must rest more than half of the time. While all rest, numbers are those that
    came in, to the bit, and nothing is forgotten; after a start or a jump it takes some seconds to know what is usual.

    With a reference invalid, or in one of its last `taps` samples, its weights are held and nothing is taken off
    for it; the others go on. An invalid electrode's weights are held. While a reference is active, what it hears of
    the brain is taken off too. Delay 0; support: 15 `tau` of activity, and where `quiet` counts 450 s more, until what
    was usual once makes a difference of some percent at most; settle 0. Portable.

    References
    ----------
    Haykin, Adaptive Filter Theory, ch. 10. He, Wilson & Russell, Med. Biol. Eng. Comput. 42 (2004) 407-412.
    """

    references: tuple[str, ...] = REFERENCES
    taps: int = 3
    tau: float = 40.0
    ridge: float = 1.0
    quiet: float = 3.0

    squares: ClassVar[bool] = True

    def rate_of(self, info: StreamInfo) -> float:
        need_number(self, "tau", self.tau, 2 / float(info.rate), 1e6, "s", "Take 40 s if in doubt.")
        return float(1 - 1 / (self.tau * float(info.rate)))

    def least(self, info: StreamInfo) -> float:
        return self.ridge / (self.tau * float(info.rate))

    def memory(self, info: StreamInfo) -> int:
        return round(FELT * self.tau * info.rate)
