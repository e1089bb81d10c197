"""Stages that are broken on purpose, one fault each, and the check that must catch it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ranvier.denoise import Bandpass
from ranvier.kernels.words import add, fma, mul
from ranvier.stage import BlockStage, ChannelStage, Scratch, Stage, State, Step, Tags, counter, need_signal
from ranvier.stream import Block, StreamInfo

LEAK = []


@dataclass(frozen=True, eq=False)
class Sound(BlockStage):
    """Not broken: leaky sum per channel, what the others are derived from."""

    decay: float = 0.9
    tags = Tags(exactness="exact", recursive=True, permutable=True, linear=False)

    def describe(self, *infos):
        info = need_signal(self, infos[0])
        return info.but(dtype=np.dtype(np.float64), support=info.support + 200, settle=info.settle + 50)

    def prepare(self, info):
        return State(None, y=np.zeros(info.n_channels), primed=np.zeros(info.n_channels, np.int64))

    def sample(self, state, x, ok):
        y, primed = state["y"], state["primed"]
        fresh = ok & (primed == 0)
        y[fresh] = x[fresh]
        primed[ok] += 1
        primed[~ok] = 0
        np.minimum(primed, 60, out=primed)
        y[ok] = self.decay * y[ok] + (1 - self.decay) * x[ok]
        return np.where(ok, y, 0.0), ok & (primed > 50)

    def step(self, state, block):
        y, w = np.empty(block.data.shape), np.empty(block.data.shape, bool)
        for i in range(block.n):
            y[i], w[i] = self.sample(state, block.data[i].astype(float), block.valid[i])
        return Block(y, block.start, w)


class ForgetsAtBlockEnd(Sound):
    """Its memory ends with every block."""

    def step(self, state, block):
        if block.n:
            state["y"][:] = block.data[0]
        return Sound.step(self, state, block)


class LearnsFromFirstBlock(Sound):
    """It subtracts the mean of the first block that it sees."""

    def prepare(self, info):
        return State(None, y=np.zeros(info.n_channels), primed=np.zeros(info.n_channels, np.int64),
                     mean=np.zeros(info.n_channels), known=counter())  # fmt: skip

    def step(self, state, block):
        if block.n and not state["known"][0]:
            state["mean"][:] = block.data.mean(axis=0)
            state["known"][0] = 1
        out = Sound.step(self, state, block)
        return Block(out.data - state["mean"], out.start, out.valid)


class LooksAhead(Sound):
    """It uses the end of the block for its beginning."""

    def step(self, state, block):
        out = Sound.step(self, state, block)
        return Block(out.data + (block.data[-1] if block.n else 0), out.start, out.valid)


class ChokesOnEmpty(Sound):
    """It takes the last sample of a block that has none."""

    def step(self, state, block):
        state["y"][:] = state["y"] + 0 * block.data[-1]
        return Sound.step(self, state, block)


class CountsEmpty(Sound):
    """An empty block changes its state."""

    def prepare(self, info):
        return State(None, y=np.zeros(info.n_channels), primed=np.zeros(info.n_channels, np.int64), calls=counter())

    def step(self, state, block):
        state["calls"][0] += 1
        return Sound.step(self, state, block)


class WritesInput(Sound):
    """It works in the memory of its input."""

    def step(self, state, block):
        block.data[...] = block.data * 1
        return Sound.step(self, state, block)


class ReadsInvalid(Sound):
    """Invalid samples enter its memory."""

    def sample(self, state, x, ok):
        y, w = Sound.sample(self, state, x, np.ones_like(ok))
        return y, w & ok


class SpreadsInvalid(Sound):
    """One invalid channel makes all invalid."""

    def sample(self, state, x, ok):
        y, w = Sound.sample(self, state, x, ok)
        return y, w & ok.all()


class NeverBack(Sound):
    """A channel that was invalid once stays so."""

    def prepare(self, info):
        return State(None, y=np.zeros(info.n_channels), primed=np.zeros(info.n_channels, np.int64),
                     dead=np.zeros(info.n_channels, np.int64))  # fmt: skip

    def sample(self, state, x, ok):
        state["dead"][~ok] = 1
        y, w = Sound.sample(self, state, x, ok)
        return y, w & (state["dead"] == 0)


@dataclass(frozen=True, eq=False)
class IgnoresJumps(Stage):
    """Its memory goes on over a jump of the index."""

    tags = Tags(recursive=True)

    def describe(self, *infos):
        info = need_signal(self, infos[0])
        return info.but(dtype=np.dtype(np.float64), support=info.support + 400)

    def init(self, *infos):
        return State(None, y=np.zeros(infos[0].n_channels))

    def process(self, state, *chunks):
        (block,) = chunks
        y = np.zeros(block.data.shape)
        for i in range(block.n):
            x = np.where(block.valid[i], block.data[i].astype(float), state["y"])
            state["y"][:] = 0.9 * state["y"] + 0.1 * x
            y[i] = state["y"]
        return Block(y, block.start, block.valid)


class HidesState(Sound):
    """It remembers something outside its state."""

    def prepare(self, info):
        state = Sound.prepare(self, info)
        state.design = {"n": 0}
        return state

    def step(self, state, block):
        out = Sound.step(self, state, block)
        drift = np.arange(state.design["n"], state.design["n"] + block.n)[:, None]
        state.design["n"] += block.n
        return Block(out.data + drift, out.start, out.valid)


class SharesState(Sound):
    """Two runs share one memory."""

    common = State(None, y=np.zeros(64), primed=np.zeros(64, np.int64))

    def prepare(self, info):
        n = info.n_channels
        return State(None, y=self.common["y"][:n], primed=self.common["primed"][:n])


class GrowsState(Sound):
    """Its state grows with every block."""

    def prepare(self, info):
        return State(None, y=np.zeros(info.n_channels), primed=np.zeros(info.n_channels, np.int64), past=np.zeros(0))

    def step(self, state, block):
        if block.n:
            state.arrays["past"] = np.append(state["past"], np.zeros(block.n))
        return Sound.step(self, state, block)


class LeaksMemory(Sound):
    """It keeps a copy of every block somewhere."""

    def step(self, state, block):
        LEAK.append(np.tile(block.data, (8, 1)))
        return Sound.step(self, state, block)


class WrongType(Sound):
    """It describes float64 and puts out float32."""

    def step(self, state, block):
        out = Sound.step(self, state, block)
        return Block(out.data.astype(np.float32), out.start, out.valid)


class SkipsIndex(Sound):
    """Its blocks start one sample late."""

    def step(self, state, block):
        out = Sound.step(self, state, block)
        return Block(out.data[1:], out.start + 1, out.valid[1:])


class GivesNaN(Sound):
    """It marks what it cannot know with NaN instead of the mask alone."""

    def step(self, state, block):
        out = Sound.step(self, state, block)
        return Block(np.where(block.valid, out.data, np.nan), out.start, out.valid)


class NeverValid(Sound):
    """It trusts nothing, ever, so that every comparison of valid numbers holds."""

    def step(self, state, block):
        out = Sound.step(self, state, block)
        return Block(out.data, out.start, np.zeros(out.data.shape, bool))


class HoldsBack(Sound):
    """It puts out in tens only, so that what is known at a sample depends on the cut."""

    def prepare(self, info):
        n = info.n_channels
        return State(None, y=np.zeros(n), primed=np.zeros(n, np.int64), data=np.zeros((10, n)),
                     valid=np.zeros((10, n), bool), held=counter(), start=counter())  # fmt: skip

    def step(self, state, block):
        out = Sound.step(self, state, block)
        h = int(state["held"][0])
        data = np.concatenate([state["data"][:h], out.data])
        valid = np.concatenate([state["valid"][:h], out.valid])
        start = int(state["start"][0]) if h else block.start
        n = len(data) // 10 * 10
        rest = len(data) - n
        state["data"][:] = 0
        state["valid"][:] = False
        state["data"][:rest], state["valid"][:rest] = data[n:], valid[n:]
        state["held"][0], state["start"][0] = rest, start + n
        return Block(data[:n], start, valid[:n])


class ShortSupport(Sound):
    """It remembers far longer than it declares."""

    def describe(self, *infos):
        return Sound.describe(self, *infos).but(support=2)


@dataclass(frozen=True, eq=False)
class WrongDelay(ChannelStage):
    """It declares no delay and has one of some samples."""

    tags = Tags(exactness="portable", linear=True, permutable=True, recursive=True)

    def describe_channels(self, info):
        return info.but(support=info.support + 500)

    def settle_for(self, info):
        return 30

    def steps(self, info):
        from ranvier.denoise._design import butterworth
        from ranvier.denoise._iir import cascade

        return cascade(butterworth(4, "low", (float(info.rate) / 50,), float(info.rate)), "f8")


def offset(x, s, k):
    """Add a constant: affine, not linear."""
    return add(x, k[0]), s


@dataclass(frozen=True, eq=False)
class NotLinear(ChannelStage):
    """It calls itself linear and adds a constant."""

    tags = Tags(exactness="portable", linear=True, permutable=True)

    def steps(self, info):
        return (Step(offset, (5.0,)),)


def leaky(x, s, k):
    """One-pole smoothing."""
    y = fma(k[0], s[0], mul(k[1], x))
    return y, (y,)


def leaky_prime(x, k):
    """As if x had been there for ever."""
    return (x,)


@dataclass(frozen=True, eq=False)
class KnowsPlaces(ChannelStage):
    """It calls itself indifferent to the order of channels and weights them by place."""

    tags = Tags(exactness="portable", permutable=True, recursive=True)

    def describe_channels(self, info):
        return info.but(support=info.support + 400)

    def steps(self, info):
        a = np.linspace(0.5, 0.9, info.n_channels)
        return (Step(leaky, (a, 1 - a), 1, leaky_prime),)


class CompilesLate(Sound):
    """It compiles a kernel when the first block comes."""

    def step(self, state, block):
        import numba

        if block.n:
            numba.njit(lambda v: v + 1)(1.0)
        return Sound.step(self, state, block)


class Warns(Sound):
    """It divides by what may be zero."""

    def step(self, state, block):
        out = Sound.step(self, state, block)
        return Block(out.data + 0 * np.nan_to_num(np.ones(out.data.shape) / np.ptp(block.data, axis=0, initial=0)),
                     out.start, out.valid)  # fmt: skip


class AcceptsAnything(Sound):
    """It refuses no shape."""

    def describe(self, *infos):
        info = infos[0]
        return info.but(dtype=np.dtype(np.float64), support=info.support + 200, settle=info.settle + 50)


@dataclass(frozen=True, eq=False)
class LendsForever(BlockStage):
    """`push` hands out memory that the next call overwrites, because it lends through a view of itself."""

    def describe(self, *infos):
        return need_signal(self, infos[0]).but(dtype=np.dtype(np.float64))

    def prepare(self, info):
        return State(Scratch(info.shape, np.float64, 4096), last=np.zeros(info.shape))

    def step(self, state, block):
        y, _ = state.design.take(block.n)
        y[...] = block.data
        return _Sticky(y, block.start, block.valid)


class _Sticky(Block):
    """A block whose copy is itself."""

    def copy(self):
        return self


@dataclass(frozen=True, eq=False)
class LosesParameter(Sound):
    """A parameter is changed on the way in, so that what is read back is another stage."""

    def __post_init__(self):
        object.__setattr__(self, "decay", self.decay * 0.99)


CASES: dict[str, tuple[Any, str]] = {
    "forgets at block end": (ForgetsAtBlockEnd(), "block_invariance"),
    "learns from the first block": (LearnsFromFirstBlock(), "block_invariance"),
    "looks ahead": (LooksAhead(), "causal_and_prompt"),
    "chokes on empty": (ChokesOnEmpty(), "empty_block"),
    "counts empty": (CountsEmpty(), "empty_block"),
    "writes its input": (WritesInput(), "input_untouched"),
    "reads invalid": (ReadsInvalid(), "invalid_never_read"),
    "spreads invalid": (SpreadsInvalid(), "settle"),
    "never back": (NeverBack(), "settle"),
    "ignores jumps": (IgnoresJumps(), "segment"),
    "hides state": (HidesState(), "state_round_trip"),
    "shares state": (SharesState(), "runs_independent"),
    "grows its state": (GrowsState(), "state_round_trip"),
    "leaks memory": (LeaksMemory(), "bounded"),
    "wrong type": (WrongType(), "contract"),
    "skips an index": (SkipsIndex(), "contract"),
    "gives NaN": (GivesNaN(), "contract"),
    "never valid": (NeverValid(), "contract"),
    "holds back": (HoldsBack(), "causal_and_prompt"),
    "short support": (ShortSupport(decay=0.99), "causal_and_prompt"),
    "wrong delay": (WrongDelay(), "delay"),
    "not linear": (NotLinear(), "linear"),
    "knows places": (KnowsPlaces(), "channel_order"),
    "compiles late": (CompilesLate(), "one_signature"),
    "warns": (Warns(), "quiet"),
    "accepts anything": (AcceptsAnything(), "errors"),
    "lends for ever": (LendsForever(), "lent_memory"),
    "loses a parameter": (LosesParameter(), "serialises"),
}
INFO = StreamInfo.signal(250, 4)
SOUND = (Sound(), Bandpass(8, 30))
