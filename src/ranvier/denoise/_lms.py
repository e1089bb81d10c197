"""LMS: what references predict is taken off, by normalised least mean squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from ranvier.denoise._adaptive import FELT, REFERENCES, Adaptive
from ranvier.stage import need_number
from ranvier.stream import StreamInfo


@final
@dataclass(frozen=True, eq=False)
class LMS(Adaptive):
    """Take off what references predict, by normalised least mean squares.

    Parameters
    ----------
    references, taps
        As of `RLS`.
    step_size
        How far the weights go at each sample to where there would be no error, 0 to 1.
    ridge
        Energy of a reference that counts as nothing [its unit squared, summed over `taps`].
    quiet
        As of `RLS`.

    Notes
    -----
    *In*, *out*, masks, rest: as of `RLS`; cheaper, slower to learn. Each reference is measured by its own power and
    `quiet` times its usual one, whatever its unit. Delay 0; support: 15 times ``taps * n_references / step_size``
    samples of activity, for steady references, and what `RLS` needs for what is usual; settle 0. Portable.

    References
    ----------
    Haykin, Adaptive Filter Theory, ch. 6.
    """

    references: tuple[str, ...] = REFERENCES
    taps: int = 3
    step_size: float = 0.005
    ridge: float = 1.0
    quiet: float = 3.0

    squares: ClassVar[bool] = False

    def rate_of(self, info: StreamInfo) -> float:
        need_number(self, "step_size", self.step_size, 0, 1, "", "Take 0.005 if in doubt.")
        return self.step_size

    def least(self, info: StreamInfo) -> float:
        return self.ridge * self.step_size / self.taps

    def memory(self, info: StreamInfo) -> int:
        return round(FELT * self.taps * len(self._columns(info)[1]) / self.step_size)
