"""LineNoise: take mains away with a sine and cosine that follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ranvier.denoise._mains import Canceller, Line, Tracker, pieces
from ranvier.stage import BlockStage, Scratch, State, Tags, need_signal
from ranvier.stream import Block, Info, StreamInfo, is_all_valid


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
    where the frequency changes. The frequency is that by which the phase in windows (Hann, one hop long, on the
    absolute grid of samples) goes on from one to the next, over all channels, each weighted by its own
    coherence; what is not coherent moves it little. Where a channel is invalid its phasors go on: after as
    long as the time constant at most it is trusted at once, after longer it is primed afresh and settles. Where
    another grid is chosen, all channels settle. Delay 0. Settle: until 1 % of a disturbance is left, and the
    frequency is known (2 s). Support: until 1e-6 is left. Portable: plain arithmetic and square roots while it runs.

    References
    ----------
    Widrow et al., Proc IEEE 63 (1975) 1692-1716 (adaptive noise cancelling); Glover, IEEE Trans ASSP 25 (1977)
    484-491 (it is a notch).
    """

    frequency: float | None = None
    harmonics: int = 3
    bandwidth: float = 0.4
    reach: float = 0.5
    memory: float = 5.0

    @property
    def tags(self) -> Tags:  # type: ignore[override]
        fixed = self.frequency is not None and self.reach == 0
        return Tags(exactness="portable", linear=fixed, permutable=True, recursive=True)

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
        n = out.n_channels
        design: Any = canceller, tracker, line.wait > 0, Scratch(out.shape, out.dtype)
        return State(design, **canceller.memory(n), **tracker.memory(n))

    def step(self, state: State, block: Block) -> Block:
        canceller, tracker, choosing, scratch = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else w
        for a, b in pieces(block.start, block.n, tracker.hop):
            canceller.run(state, x[a:b], ok[a:b], masked, False, y[a:b], w[a:b])
            if choosing and state["chosen"][0] < 0:
                w[a:b] = False
            if tracker.run(state, x[a:b], ok[a:b], masked, state["base"], block.start + a):
                canceller.forget(state)
        return Block(y, block.start, w)
