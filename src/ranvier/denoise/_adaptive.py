"""What references (EOG, EMG, accelerometer) predict of a channel is taken off, by weights that adapt."""

from __future__ import annotations

import abc
from typing import ClassVar, final

import numpy as np

from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, Tags, need_number, need_signal
from ranvier.stream import Block, Info, StreamInfo, is_all_valid

ELECTRODES = ("eeg", "ecog", "seeg", "dbs", "lfp")
REFERENCES = ("eog", "emg", "motion", "ref")
RELEASE, USUAL = 0.1, 30.0  # seconds in which a reference's peak falls, and in which its usual one is found
FELT = 15  # time constants until about a millionth is left: of weights, and of what was usual
MOST = 512  # weights of a channel: their correlation is gone through at every sample


class Adaptive(BlockStage):
    """Takes off what references predict; a subclass says how it learns.

    References hear the brain too, and where there is no artefact nothing but the brain can be taken off. So of a
    reference only that share of its power counts that is above `quiet` times its usual amplitude: a Wiener gain, made
    from its recent peak and that peak's running median, for learning and for taking off alike.
    """

    tags: ClassVar[Tags] = Tags(exactness="portable", recursive=True)
    squares: ClassVar[bool]

    references: tuple[str, ...]
    taps: int
    ridge: float
    quiet: float

    @abc.abstractmethod
    def rate_of(self, info: StreamInfo) -> float:
        """Return the forgetting factor or the step."""

    @abc.abstractmethod
    def least(self, info: StreamInfo) -> float:
        """Return the power of a reference that counts as nothing."""

    @abc.abstractmethod
    def memory(self, info: StreamInfo) -> int:
        """Return for how many samples a sample is felt."""

    def _columns(self, info: StreamInfo) -> tuple[list[int], list[int]]:
        """Return which channels are cleaned, and by which."""
        c, name = info.channels, type(self).__name__
        found = list(dict.fromkeys(i for what in self.references for i in c.find(what)))
        which = [i for i, kind in enumerate(c.kinds) if kind in ELECTRODES and i not in found]
        if not found or not which:
            raise ContractError(
                f"{name} needs references {self.references} and electrodes ({', '.join(ELECTRODES)}) in one stream; "
                f"got {len(found)} and {len(which)} among kinds {', '.join(dict.fromkeys(c.kinds))}. Name channels "
                "or kinds, or join the streams with Align."
            )
        if not 1 <= self.taps * len(found) <= MOST:
            raise ContractError(
                f"{name} needs 1 to {MOST} weights a channel; got taps={self.taps} for {len(found)} references. "
                "Take 3 taps if in doubt."
            )
        return which, found

    @final
    def describe(self, *infos: Info) -> StreamInfo:
        (given,) = infos
        info = need_signal(self, given)
        self._columns(info)
        need_number(self, "ridge", self.ridge, 0, 1e12, "", "Take 1 if in doubt.")
        if not 0 <= self.quiet <= 1e3:
            raise ContractError(
                f"{type(self).__name__} needs 0 <= quiet <= 1000; got {self.quiet:g}. Take 3 for references that are "
                "active at times, 0 for those that always are."
            )
        self.rate_of(info)
        memory = self.taps + self.memory(info) + (round(FELT * USUAL * info.rate) if self.quiet else 0)
        return info.but(
            dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32),
            support=info.support + int(-(-memory * info.origin.step // 1)),
        )

    @final
    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._adaptive import adapt

        out = self.describe(info)
        which, references = (np.array(v, np.int64) for v in self._columns(info))
        m, rate = len(references) * self.taps, float(info.rate)
        gate = (self.quiet**2, 1 - min(1 / (RELEASE * rate), 1.0), min(1 / (USUAL * rate), 0.5), self.least(info))
        return State(
            (adapt[out.dtype], which, references, self.rate_of(info), gate, Scratch(out.shape, out.dtype), np.zeros(m)),
            ears=np.zeros((len(references), 3)), u=np.zeros((2, m)), gone=np.zeros(len(references), np.int64),
            inverse=np.eye(m) / self.ridge, weights=np.zeros((len(which), m)),
        )  # fmt: skip

    @final
    def step(self, state: State, block: Block) -> Block:
        adapt, which, references, rate, gate, scratch, gain = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else w
        learned = (state["ears"], state["u"], state["gone"], state["inverse"], state["weights"])
        bad = adapt(
            x, ok, masked, which, references, self.taps, rate, self.ridge, self.squares, gate, *learned,
            gain, y, w,
        )  # fmt: skip
        return Block(y, block.start, w if bad else None)
