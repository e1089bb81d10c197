"""RLS and LMS: what references (EOG, EMG, accelerometer) predict of a channel is taken off, by weights that adapt."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from ranvier.errors import ContractError
from ranvier.stage import BlockStage, Scratch, State, Tags, need_number, need_signal
from ranvier.stream import Block, Info, StreamInfo, is_all_valid

ELECTRODES = ("eeg", "ecog", "seeg", "dbs", "lfp")
REFERENCES = ("eog", "emg", "motion", "ref")
MOST = 512  # weights of a channel: their correlation is gone through at every sample


class Adaptive(BlockStage):
    """Takes off what references predict; a subclass says how it learns."""

    tags: ClassVar[Tags] = Tags(exactness="portable", recursive=True)
    squares: ClassVar[bool]

    references: tuple[str, ...]
    taps: int
    ridge: float

    @abc.abstractmethod
    def rate_of(self, info: StreamInfo) -> float:
        """Return the forgetting factor or the step."""

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
        self.rate_of(info)
        memory = self.taps + self.memory(info)
        return info.but(
            dtype=np.dtype(np.float64 if info.dtype == np.float64 else np.float32),
            support=info.support + int(-(-memory * info.origin.step // 1)),
        )

    @final
    def prepare(self, info: StreamInfo) -> State:
        from ranvier.kernels._adaptive import adapt

        out = self.describe(info)
        which, references = (np.array(v, np.int64) for v in self._columns(info))
        m = len(references) * self.taps
        return State(
            (adapt[out.dtype], which, references, self.rate_of(info), Scratch(out.shape, out.dtype), np.zeros(m)),
            u=np.zeros((2, m)), gone=np.zeros(len(references), np.int64),
            inverse=np.eye(m) / self.ridge, weights=np.zeros((len(which), m)),
        )  # fmt: skip

    @final
    def step(self, state: State, block: Block) -> Block:
        adapt, which, references, rate, scratch, gain = state.design
        y, w = scratch.take(block.n)
        x = np.ascontiguousarray(block.data, y.dtype)
        masked = not is_all_valid(block.valid)
        ok = np.ascontiguousarray(block.valid) if masked else w
        learned = (state["u"], state["gone"], state["inverse"], state["weights"])
        bad = adapt(
            x, ok, masked, which, references, self.taps, rate, self.ridge, self.squares, *learned, gain, y, w
        )  # fmt: skip
        return Block(y, block.start, w if bad else None)


@final
@dataclass(frozen=True, eq=False)
class RLS(Adaptive):
    """Take off what references predict, by recursive least squares.

    Parameters
    ----------
    references
        Names, kinds or patterns of the references; kinds that the stream lacks are passed over.
    taps
        How many of their last samples are used, the present one included.
    tau
        Time constant of forgetting [s].
    ridge
        Energy of a reference that counts as nothing [its unit squared, summed over `tau`]: it holds the
        weights at 0 until there is more.

    Notes
    -----
    *In*: signal ``(n_channels,)`` without offset and drift (`Highpass` before it), electrodes and references in it.
    *Out*: the same, references as they were; float32 (float64 for float64). Each electrode less the weighted last
    samples of the references; the weights are those that were best up to the sample before. With a reference
    invalid, or in one of its last `taps` samples, its weights are held and nothing is taken off for it; the
    others go on. An invalid electrode's weights are held. A reference that is flat is not forgotten. What of the brain
    the references hear is taken off too. Delay 0; support 15 `tau`; settle 0. Portable.

    References
    ----------
    Haykin, Adaptive Filter Theory, ch. 10. He, Wilson & Russell, Med. Biol. Eng. Comput. 42 (2004) 407-412.
    """

    references: tuple[str, ...] = REFERENCES
    taps: int = 3
    tau: float = 40.0
    ridge: float = 1.0

    squares: ClassVar[bool] = True

    def rate_of(self, info: StreamInfo) -> float:
        need_number(self, "tau", self.tau, 2 / float(info.rate), 1e6, "s", "Take 40 s if in doubt.")
        return float(1 - 1 / (self.tau * float(info.rate)))

    def memory(self, info: StreamInfo) -> int:
        return round(15 * self.tau * info.rate)


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

    Notes
    -----
    *In*, *out*, masks: as of `RLS`; cheaper, slower to learn. Each reference is measured by its own power,
    whatever its unit. Delay 0; support: 15 times ``taps * n_references / step_size`` samples, for steady references;
    settle 0. Portable.

    References
    ----------
    Haykin, Adaptive Filter Theory, ch. 6.
    """

    references: tuple[str, ...] = REFERENCES
    taps: int = 3
    step_size: float = 0.005
    ridge: float = 1.0

    squares: ClassVar[bool] = False

    def rate_of(self, info: StreamInfo) -> float:
        need_number(self, "step_size", self.step_size, 0, 1, "", "Take 0.005 if in doubt.")
        return self.step_size

    def memory(self, info: StreamInfo) -> int:
        return round(15 * self.taps * len(self._columns(info)[1]) / self.step_size)
