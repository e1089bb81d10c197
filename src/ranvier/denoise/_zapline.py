"""ZapLine: take mains away from the combinations of channels that it is in, and from these only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ranvier.denoise._line_frequency import Tracker
from ranvier.denoise._line_space import Combinations
from ranvier.denoise._mains import Line, pieces
from ranvier.denoise._phasors import Canceller, Quick
from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, Tags, need_number, need_signal
from ranvier.stream import Block, Info, StreamInfo, is_all_valid

LOOKS = 32  # instants a second at which products of channels are added up; also how many make one update
QUICKER = 8  # width of the phasors that speak where mains jumps, over that of the line
FAR = 6.0  # power over the usual one from which on they speak
WIDER = 4  # width of what counts as beside the line, over that of the line
MOST = 8  # components
TRACKED = 3.0  # time constant of the frequency [s]


@final
@dataclass(frozen=True, eq=False)
class ZapLine(BlockStage):
    """Take mains and its harmonics away from those combinations of channels that it is in, and leave the others alone.

    Parameters
    ----------
    frequency, harmonics, reach
        Of the mains [Hz], as for `LineNoise`.
    bandwidth
        -3 dB width of what is removed at each multiple, in these combinations [Hz].
    components
        How many combinations; None for as many as have more mains than chance explains, at most 8.
    memory
        Time constant of the combinations [s].

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, units and rate. The line part is what phasors that follow the
    mains (see `LineNoise`) take away; once a second, on the absolute grid of samples, the combinations in which it
    is largest beside what is near it in frequency (four times as wide) are found from products of such phasors,
    summed with fading weights: a generalised eigenproblem of a correlation matrix, shrunk by the third power of
    channels over channels and samples. From then on ``x - pattern * (filter @ line part)`` comes out. De Cheveigne
    splits by a moving average over one period, which delays what is below the line if it is causal; phasors do not.
    Where mains jumps, quicker phasors (8 times as wide) follow what is left of it in each combination, and speak while
    that is far more than usual, and coherent.
    A channel that is invalid leaves the sums pair by pair, is foretold by its phasors until the next update, and
    after longer than their time constant has no part in the combinations until it has settled again; other channels
    stay valid. Delay 0. Settle: phasors and frequency (2.5 s), two seconds of products, an update.
    Support: until 1e-6 of the products is left. Once a second the cost grows with the cube of channels: for up to
    some 200. Exact.

    References
    ----------
    de Cheveigne, NeuroImage 207 (2020) 116356.
    """

    frequency: float | None = None
    harmonics: int = 3
    bandwidth: float = 2.5
    reach: float = 0.5
    components: int | None = None
    memory: float = 30.0

    @property
    def tags(self) -> Tags:  # type: ignore[override]
        return Tags(exactness="exact", recursive=True)

    def _line(self, info: StreamInfo) -> Line:
        return Line(self, float(info.rate), self.frequency, self.reach, self.harmonics, TRACKED)

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        line, step = self._line(info), info.origin.step
        need_number(self, "memory", self.memory, 2, 1e5, "s", "Take 30 s if in doubt.")
        if self.components is not None and not 1 <= self.components <= min(MOST, info.n_channels):
            raise ContractError(
                f"ZapLine needs 1 <= components <= {min(MOST, info.n_channels)} of {info.n_channels} channels; got "
                f"{self.components}. Leave it out for as many as stand out."
            )
        if info.n_channels < 2:
            raise ContractError("ZapLine needs at least 2 channels to combine; got 1. Take LineNoise.")
        line.sections(self.bandwidth * WIDER)
        look = self._look(line.rate)
        settle = self._settled(line) + line.chosen() + 3 * LOOKS * look
        memory = line.felt(self.bandwidth) + round(14 * self.memory * line.rate)
        return info.but(
            dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32),
            support=info.support + int(-(-memory * step // 1)),
            settle=info.settle + int(-(-settle * step // 1)),
        )

    def _settled(self, line: Line) -> int:
        return line.settle(self.bandwidth)

    def _look(self, rate: float) -> int:
        return max(round(rate / LOOKS), 1)

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._line_space import combine, gather, subtract

        out, line = self.describe(info), self._line(info)
        n, dtype, settle = out.n_channels, out.dtype, self._settled(line)
        narrow = Canceller(line, self.bandwidth, dtype, settle)
        names = (("band_", WIDER), ("line_", 1), ("wide_", WIDER))
        around = [Canceller(line, self.bandwidth * times, dtype, settle, name) for name, times in names]
        for each in around:
            each.hold = narrow.hold  # all begin anew together
        tracker = Tracker(line, dtype)
        room = np.zeros((2, line.count, n), dtype)
        look = self._look(line.rate) / line.rate
        space = Combinations(self.components, self.bandwidth, WIDER, QUICKER, look, self.memory)
        k = min(MOST, n)
        quick = Quick(line, self.bandwidth * QUICKER, FAR, dtype, "quick_", 0, space.usual)
        design = (
            narrow, around, tracker, gather[dtype], combine[dtype], subtract[dtype], quick, space,
            self._look(line.rate), room, [Scratch(shape, dtype) for shape in (out.shape, out.shape, (k,), (k,))],
            Scratch(out.shape, dtype), np.zeros(k, dtype),
        )  # fmt: skip
        arrays: dict[str, Any] = tracker.memory(n) | quick.memory(k)
        for each in (narrow, *around):
            arrays |= each.memory(n)
        return State(
            design, **arrays,
            space=np.zeros((3, n, n)), filters=np.zeros((k, n)), patterns=np.zeros((k, n)), used=np.zeros(n, bool),
        )  # fmt: skip

    def step(self, state: State, block: Block) -> Block:
        narrow, around, tracker, gather, combine, subtract, quick, space, look, room, rooms, scratch, level = (
            state.design
        )
        y, w = scratch.take(block.n)
        (part, _), (rest, _), (found, whole), (more, _) = (each.take(block.n) for each in rooms)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else w
        whole[...] = True
        if not masked:
            w[...] = True
        for a, b in pieces(block.start, block.n, tracker.hop, look):
            around[0].run(state, x[a:b], ok[a:b], masked, True, part[a:b], w[a:b])
            for each in around[1:]:
                each.run(state, part[a:b], ok[a:b], masked, False, rest[a:b], w[a:b])
            narrow.run(state, x[a:b], ok[a:b], masked, True, part[a:b], w[a:b])
            combine(x[a:b], w[a:b], state["base"], part[a:b], state["filters"], found[a:b], more[a:b])
            quick.run(state, more[a:b], whole[a:b], level, True)
            if tracker.searching(state):
                w[a:b] = False
            subtract(x[a:b], found[a:b], more[a:b], state["patterns"], state["used"], y[a:b], w[a:b])
            if tracker.run(state, x[a:b], ok[a:b], masked, state["base"], block.start + a):
                for each in (narrow, *around):
                    each.forget(state)
            if (block.start + b) % look == 0:
                gather(
                    state["line_wave"], state["wide_wave"], state["seen"], state["gone"], narrow.settle, narrow.hold,
                    space.keep, state["space"], room,
                )  # fmt: skip
                if (block.start + b) // look % LOOKS == 0:
                    space.update(state)
        return Block(y, block.start, w)
