"""Standardise: how far a sample lies from the mean, in standard deviations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, Tags, need_number, need_signal
from ranvier.stream import Array, Block, Info, StreamInfo, is_all_valid


@final
@dataclass(frozen=True, eq=False)
class Standardise(BlockStage):
    """Express each channel in standard deviations from its mean, running or given.

    Parameters
    ----------
    tau
        Time constant of the running mean and variance [s]. Until as much has been seen, all samples count
        alike. None where both are given.
    settle
        For how long a channel stays invalid from its first valid sample on [s]; `tau` unless given.
    mean, sd
        Given instead of `tau` (from a calibration), in the unit of the stream: one number, or one a channel.

    Notes
    -----
    *In*: signal ``(n,)``. *Out*: the same channels in the unit ``1``; float32 (float64 for float64), computed
    in float64. Running values are updated by every valid sample, the present one included, and are kept
    through invalid ones: a lost sample costs itself only. A channel that never varied gives 0. Delay 0;
    support: until a sample has less than 1e-6 of its first weight. Portable.

    References
    ----------
    West, Commun ACM 22 (1979) 532-535 (weighted updates of mean and variance).
    """

    tau: float | None = None
    settle: float | None = None
    mean: float | tuple[float, ...] | None = None
    sd: float | tuple[float, ...] | None = None

    @property
    def tags(self) -> Tags:  # type: ignore[override]
        one_each = isinstance(self.mean, tuple) or isinstance(self.sd, tuple)
        return Tags(exactness="portable", permutable=not one_each, recursive=self.tau is not None)

    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        rate, step = info.rate, info.origin.step
        if (self.tau is None) is (self.mean is None or self.sd is None):
            raise ContractError(
                f"Standardise needs tau, or both mean and sd; got tau={self.tau}, mean={self.mean}, sd={self.sd}. "
                "Give tau=30 (seconds) if in doubt."
            )
        settle = self._settle(info)
        memory = 0
        if self.tau is not None:
            need_number(self, "tau", self.tau, 2 / float(rate), 1e6, "s", "Take 30 s if in doubt.")
            if not 0 <= settle <= 1e6 * rate:
                raise ContractError(f"Standardise needs settle >= 0 s; got {self.settle} s. Leave it out if in doubt.")
            memory = round(15 * self.tau * rate) + settle
        else:
            self._each(info, "mean", self.mean)
            if not (self._each(info, "sd", self.sd) > 0).all():
                raise ContractError(f"Standardise needs sd > 0; got {self.sd}. Leave flat channels out with Pick.")
        return info.but(
            channels=info.channels.with_units("1"),
            dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32),
            support=info.support + int(-(-memory * step // 1)),
            settle=info.settle + int(-(-settle * step // 1)),
        )

    def _settle(self, info: StreamInfo) -> int:
        if self.tau is None:
            return 0
        return round((self.tau if self.settle is None else self.settle) * info.rate)

    def _each(self, info: StreamInfo, name: str, value: float | tuple[float, ...] | None) -> Array:
        """Return one number a channel."""
        numbers = np.array(value, dtype=float).reshape(-1)
        if len(numbers) not in (1, info.n_channels) or not np.isfinite(numbers).all():
            raise ContractError(
                f"Standardise needs one finite {name}, or one for each of {info.n_channels} channels; got "
                f"{len(numbers)}: {numbers[:6]}. Work it out on the same channels."
            )
        return np.broadcast_to(numbers, (info.n_channels,)).copy()

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._standardise import standardise

        out = self.describe(info)
        n = out.n_channels
        memory = 0.0 if self.tau is None else self.tau * float(info.rate)
        return State(
            (standardise[out.dtype], memory, self._settle(info), Scratch(out.shape, out.dtype)),
            mean=np.zeros(n) if self.tau is not None else self._each(info, "mean", self.mean),
            variance=np.zeros(n) if self.tau is not None else self._each(info, "sd", self.sd) ** 2,
            count=np.zeros(n, np.int64),
        )

    def step(self, state: State, block: Block) -> Block:
        standardise, memory, settle, scratch = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else w
        running = (state["mean"], state["variance"], state["count"])
        bad = standardise(x, ok, masked, memory, settle, *running, y, w)
        return Block(y, block.start, w if bad else None)
