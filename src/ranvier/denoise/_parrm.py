"""PARRM: a periodic stimulation artefact, rebuilt from past samples of the same phase and taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, Tags, need_number, need_signal
from ranvier.stream import Array, Block, Info, StreamInfo, is_all_valid

FEWEST = 8  # past samples that a mean is taken of: it adds 1/8 of the power of what is not periodic, at most
LONGEST = 2**21  # samples of the past that can be kept


@final
@dataclass(frozen=True, eq=False)
class PARRM(BlockStage):
    """Take away the artefact of regular stimulation: the mean of past samples of the same phase.

    Period-based artefact reconstruction and removal, with past samples only. As the period does not change, which
    past samples have nearly the phase of the present one depends on how far back they lie alone: this is one
    filter of finite length, with few taps that are not 0.

    Parameters
    ----------
    period
        From pulse to pulse [samples], not rounded. Its error times the periods in `window` has to stay well below
        `half_width`: use `find_period` on a calibration recording.
    window
        How far back samples are taken from [s].
    half_width
        How far from the phase of the present sample they may be [periods]. Wider: more of them, so less noise,
        and more of the artefact's steep edges left.
    skip
        How much of the newest past is left out [s], where brain signals still resemble the present.
    least
        Part of these samples that has to be valid.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels, units and rate; float32 (float64 for float64). Invalid samples
    are left out of the mean; a result is invalid where its own sample is, or where fewer than `least` are left:
    from a fresh start on for about `skip` + `least` * (`window` - `skip`). What does not repeat with the period
    passes as it is, with noise of about 1 / (number of samples) of its power added. What does, the mean of a channel
    too where harmonics of the stimulation fold to 0 Hz, is gone. Delay: 0. Support, settle: `window`. Portable.

    Raises
    ------
    ContractError
        Where fewer than 8 past samples have the phase; the message says how many there are.

    Examples
    --------
    >>> from ranvier.stream import StreamInfo
    >>> stage = PARRM(period=1000 / 130)
    >>> stage.describe(StreamInfo.signal(1000, 2)).support, len(stage.lags(1000))
    (10001, 99)

    References
    ----------
    Dastin-van Rijn et al., Cell Reports Methods 1 (2021) 100010.
    """

    period: float
    window: float = 10.0
    half_width: float = 0.008
    skip: float = 0.1
    least: float = 0.5

    tags: ClassVar[Tags] = Tags(exactness="portable", linear=True, permutable=True)

    def lags(self, rate: float) -> Array:
        """Return how far back the samples of nearly the same phase lie [samples]."""
        back = np.arange(round(self.skip * rate) + 1, round(self.window * rate) + 1)
        away = back / self.period
        return back[np.abs(away - np.round(away)) <= self.half_width]

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        rate = float(info.rate)
        need_number(self, "period", self.period, 1, LONGEST, "samples", "Take rate / stimulation rate, or find_period.")
        need_number(self, "window", self.window, self.period / rate, LONGEST / rate, "s", "Take 10 s if in doubt.")
        need_number(self, "half_width", self.half_width, 0, 0.5, "periods", "Take 0.008 if in doubt.")
        need_number(self, "least", self.least, 0, 1.001, "of the samples", "Take 0.5 if in doubt.")
        if not 0 <= self.skip < self.window:
            raise ContractError(f"PARRM needs 0 <= skip < window; got {self.skip} s of {self.window} s. Take 0.1 s.")
        if (found := len(self.lags(rate))) < FEWEST:
            raise ContractError(
                f"PARRM needs at least {FEWEST} past samples of one phase; got {found} in {self.window:g} s within "
                f"{self.half_width:g} periods of {self.period:g} samples. Make window or half_width larger."
            )
        memory = int(-(-round(self.window * rate) * info.origin.step // 1))
        dtype = np.dtype(np.float64 if info.dtype == np.float64 else np.float32)
        return info.but(dtype=dtype, support=info.support + memory, settle=info.settle + memory)

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._past_mean import past_mean

        out = self.describe(info)
        lags = self.lags(float(info.rate))
        shape = (int(lags[-1]) + 1, out.n_channels)
        least = max(1, int(np.ceil(self.least * len(lags))))
        return State(
            (past_mean[out.dtype], lags, least, Scratch(out.shape, out.dtype)),
            ring=np.zeros(shape, out.dtype),
            good=np.zeros(shape, bool),
            where=np.array([0, shape[0] * shape[1]]),
        )

    def step(self, state: State, block: Block) -> Block:
        past_mean, lags, least, scratch = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else w
        bad = past_mean(x, ok, masked, lags, least, state["ring"], state["good"], state["where"], y, w)
        return Block(y, block.start, w if bad else None)
