"""LineNoise: take mains away with a sine and cosine that follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ranvier.denoise._line_frequency import Tracker
from ranvier.denoise._mains import Line, pieces
from ranvier.denoise._phasors import Canceller, Quick
from ranvier.stage import BlockStage, Scratch, State, Tags, need_signal
from ranvier.stream import Block, Info, StreamInfo, is_all_valid

QUICKER = (5, 30)  # bandwidths of the phasors that speak where mains jumps, over that of the slow ones
FAR = 9.0  # power over the usual one from which on they speak


@final
@dataclass(frozen=True, eq=False)
class LineNoise(BlockStage):
    """Take mains and its harmonics away, following its frequency and, in each channel, its amplitude and phase.

    Parameters
    ----------
    frequency
        Of the mains [Hz]; None to find it within 45-65 Hz.
    harmonics
        How many multiples are removed, the first included; those above rate / 2 are left out.
    bandwidth
        -3 dB width of what is removed at each multiple [Hz]; the amplitude is followed with the time constant
        ``1 / (pi * bandwidth)``.
    reach
        How far from `frequency` the mains may be [Hz]; 0 for a fixed frequency. Not used where that is None.
    memory
        Time constant of the frequency [s].

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, units and rate; float32 (float64 for float64). Each
    harmonic is a phasor a channel that turns with the mains and is pulled by every sample towards what is
    left: at a constant frequency exactly the notch of `Notch` with the same width, but without a transient
    where the frequency changes. It is pulled hard at first, and ever less. Where mains jumps, such a phasor needs
    its time constant (0.8 s): two quicker ones (5 and 30 times as wide) therefore follow what is left, and
    take it away while it is far more than usual, and coherent, in that channel and harmonic; else they are silent.
    The frequency is that by which the phase in windows (Hann, one hop long, on the
    absolute grid of samples) goes on from one to the next, over all channels, each weighted by its own
    coherence, and its trend; what is not coherent moves it little. Where a channel is invalid its phasors go on: after
    as long as the time constant at most it is trusted at once, after longer it is primed afresh and settles. Where no
    frequency is given, 31 are listened to, 50 and 60 Hz preferred, and the most coherent is followed: chosen after 4 s,
    and left only for one that is clearly more coherent over 20 s; all channels settle then. Listening to so many costs
    more than all else: name the frequency where there are thousands of fast channels. Delay 0. Settle: until 1 % of
    mains is left that keeps within 0.05 Hz of `frequency`, which is known after 2.5 s. Support: until 1e-6 of the
    phasors, the frequency and what is usual is left; which of several grids was chosen is remembered for longer.
    Portable: plain arithmetic and square roots while it runs.

    References
    ----------
    Widrow et al., Proc IEEE 63 (1975) 1692-1716 (adaptive noise cancelling); Glover, IEEE Trans ASSP 25 (1977)
    484-491 (it is a notch).
    """

    frequency: float | None = None
    harmonics: int = 3
    bandwidth: float = 0.4
    reach: float = 0.5
    memory: float = 3.0

    @property
    def tags(self) -> Tags:  # type: ignore[override]
        return Tags(exactness="portable", permutable=True, recursive=True)

    def _line(self, info: StreamInfo) -> Line:
        return Line(self, float(info.rate), self.frequency, self.reach, self.harmonics, self.memory)

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        line, step = self._line(info), info.origin.step
        settle = line.settle(self.bandwidth) + line.chosen()
        return info.but(
            dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32),
            support=info.support + int(-(-line.felt(self.bandwidth) * step // 1)),
            settle=info.settle + int(-(-settle * step // 1)),
        )

    def prepare(self, info: StreamInfo) -> State:
        out, line = self.describe(info), self._line(info)
        canceller = Canceller(line, self.bandwidth, out.dtype, line.settle(self.bandwidth))
        tracker = Tracker(line, out.dtype)
        quick = [
            Quick(line, self.bandwidth * times, FAR, out.dtype, f"quick{times}_", canceller.hold) for times in QUICKER
        ]
        arrays: dict[str, Any] = canceller.memory(out.n_channels) | tracker.memory(out.n_channels)
        for each in quick:
            arrays |= each.memory(out.n_channels)
        return State((canceller, quick, tracker, Scratch(out.shape, out.dtype)), **arrays)

    def step(self, state: State, block: Block) -> Block:
        canceller, quick, tracker, scratch = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else w
        for a, b in pieces(block.start, block.n, tracker.hop):
            canceller.run(state, x[a:b], ok[a:b], masked, False, y[a:b], w[a:b])
            if tracker.searching(state):
                w[a:b] = False
            for each in quick:
                each.run(state, y[a:b], w[a:b], state["base"])
            if tracker.run(state, x[a:b], ok[a:b], masked, state["base"], block.start + a):
                canceller.forget(state)
        return Block(y, block.start, w)
