"""Template: the running mean of a stimulation artefact, taken away."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar, final

import numpy as np

from ranvier.denoise._pulses import PulseStage
from ranvier.errors import ContractError
from ranvier.stage import Scratch, State, Tags
from ranvier.stream import Array, Block, StreamInfo, is_all_valid


@final
@dataclass(frozen=True, eq=False)
class Template(PulseStage):
    """Take away what stimulation pulses leave: the running mean of past artefacts, sample by sample.

    Parameters
    ----------
    period, phase, jump, on, patience
        When pulses begin, in one of three ways. A train: `period` from pulse to pulse and `phase`, the index of one
        [samples, not rounded]. Steps: where a channel changes by more than `jump` from one sample to the next [unit of
        the stream]. Events: labels `on` (``*`` for anything) at a second port, for which samples wait, at most
        `patience` [s].
    length
        Of the template, from a pulse on [s]; another pulse begins it anew (a step does not).
    memory
        Pulses of which the mean is taken; from there on weights fall exponentially with as many.
    least
        Pulses that are needed; until then the template's stretch is invalid.

    Notes
    -----
    *In*: signal ``(n,)``, and events with `on`. *Out*: the same channels, units and rate; float32 (float64 for
    float64), computed in float64. Each channel by itself. The present pulse does not enter what is taken from it.
    Templates are kept through invalid samples, which do not enter them. They are aligned to whole samples: where
    pulses fall between samples and the artefact is steep, `PARRM` leaves less. Offsets belong to the template: put
    a Highpass before it. Delay: 0. Support: 14 * `memory` pulses, as if they came every `length`. Settle: with
    `period`, `least` + 1 pulses; with `jump`, `length`, since a pulse may have been missed. Portable.

    References
    ----------
    Hashimoto, Elder & Vitek, J Neurosci Methods 113 (2002) 181-186 (template subtraction).
    """

    length: float = 0.005
    memory: int = 50
    least: int = 5

    tags: ClassVar[Tags] = Tags(exactness="portable", permutable=True, recursive=True)

    def describe_pulses(self, info: StreamInfo) -> StreamInfo:
        n = self.samples(info, self.length)
        if not 1 <= self.least <= self.memory <= 10**6:
            raise ContractError(
                f"Template needs 1 <= least <= memory <= 1e6 pulses; got least={self.least}, memory={self.memory}. "
                "Take 5 and 50 if in doubt."
            )
        settle = n if self.period is None else ceil((self.least + 1) * self.period) + n
        support = ceil(14 * self.memory * (self.period or n)) + n
        return info.but(
            support=info.support + int(-(-support * info.origin.step // 1)),
            settle=info.settle + int(-(-settle * info.origin.step // 1)),
        )

    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._pulses import template

        dtype = np.dtype(np.float64 if info.dtype == np.float64 else np.float32)
        n, length = info.n_channels, self.samples(info, self.length)
        return State(
            (template[dtype], self.jump or 0.0, Scratch((n,), dtype)),
            before=np.zeros(n, dtype),
            known=np.zeros(n, bool),
            place=np.stack([np.full(n, length), np.full(n, -1)]).astype(np.int64),
            mean=np.zeros((length, n)),
            count=np.zeros((length, n), np.int64),
        )

    def step(self, state: State, block: Block, marks: Array) -> Block:
        template, jump, scratch = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else w
        bad = template(x, ok, masked, marks, jump, self.memory, self.least, *state.arrays.values(), y, w)
        return Block(y, block.start, w if bad else None)
