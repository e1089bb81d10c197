"""Blank: the stretch after each stimulation pulse, replaced."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal, final

import numpy as np

from ranvier.denoise._pulses import PulseStage
from ranvier.errors import ContractError
from ranvier.stage import Scratch, State, Tags
from ranvier.stream import Array, Block, StreamInfo, is_all_valid


@final
@dataclass(frozen=True, eq=False)
class Blank(PulseStage):
    """Replace what follows each stimulation pulse, by the last sample before it or by a line.

    Parameters
    ----------
    period, phase, jump, on, patience
        When pulses begin, in one of three ways. A train: `period` from pulse to pulse and `phase`, the index of one
        [samples, not rounded]. Steps: where a channel changes by more than `jump` from one sample to the next [unit of
        the stream]. Events: labels `on` (``*`` for anything) at a second port, for which samples wait, at most
        `patience` [s].
    length
        How long is blanked from a pulse on, its own sample included [s]; from the last one where they come closer.
    fill
        ``hold``: the last sample before. ``line``: from there to the first sample after, which is waited for.
    mark
        Whether what is blanked is marked invalid, or trusted as any other sample.

    Notes
    -----
    *In*: signal ``(n,)``, and events with `on`. *Out*: the same channels, units and rate; float32 (float64 for
    float64). Each channel by itself; steps are looked for between neighbouring valid samples. A line reaches back
    over `length`: where pulses come closer, what is older holds. Delay: 0 with ``hold``; `length` with ``line``.
    Support: as long as is blanked at a time. Settle: `length` with ``line``, and once more with `jump`. Portable.

    Examples
    --------
    >>> import numpy as np
    >>> from ranvier.stage import Run
    >>> from ranvier.stream import Block, StreamInfo
    >>> run = Run(Blank(period=4, length=0.002), StreamInfo.signal(1000, 1))
    >>> run.push(Block(np.array([[9.0], [9], [1], [2], [9], [9], [3]], "f4"))).data.ravel().tolist()
    [0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 3.0]
    """

    length: float = 0.002
    fill: Literal["hold", "line"] = "hold"
    mark: bool = True

    tags: ClassVar[Tags] = Tags(exactness="portable", permutable=True)

    def describe_pulses(self, info: StreamInfo) -> StreamInfo:
        if self.fill not in ("hold", "line"):
            raise ContractError(f"Blank needs fill 'hold' or 'line'; got {self.fill!r}. Mend the word.")
        n = self.samples(info, self.length)
        late = n if self.fill == "line" else 0
        settle = late + (n + 1 if self.jump is not None else 0)
        return info.but(
            support=info.support + int(-(-(late + n + 1) * info.origin.step // 1)),
            settle=info.settle + int(-(-settle * info.origin.step // 1)),
            delay=info.delay + Fraction(late) / info.rate,
        )

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._pulses import blank

        dtype = np.dtype(np.float64 if info.dtype == np.float64 else np.float32)
        n, length = info.n_channels, self.samples(info, self.length)
        shape = (length + 1 if self.fill == "line" else 1, n)
        return State(
            (blank[dtype], self.jump or 0.0, length, Scratch((n,), dtype)),
            before=np.zeros(n, dtype),
            known=np.zeros(n, bool),
            last=np.zeros(n, dtype),
            seen=np.zeros(n, bool),
            left=np.zeros((2, n), np.int64),
            ring=np.zeros(shape, dtype),
            good=np.zeros(shape, bool),
            where=np.zeros(1, np.int64),
        )

    def step(self, state: State, block: Block, marks: Array) -> Block:
        blank, jump, length, scratch = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else w
        bad = blank(x, ok, masked, marks, jump, length, self.mark, *state.arrays.values(), y, w)
        return Block(y, block.start, w if bad else None)
