"""The implant job: counts at 30 kHz to spikes, power and velocity; and everybody who does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ranvier.channels import CommonReference, Scale
from ranvier.decode import Kalman, KalmanFilter
from ranvier.denoise import Bandpass
from ranvier.errors import ConfigError
from ranvier.evaluate.bench._data import GROUP, MICROVOLTS, RATE, make_implant
from ranvier.evaluate.bench._ezmsg import PACKAGES as EZMSG
from ranvier.evaluate.bench._ezmsg import EzmsgImplant
from ranvier.evaluate.bench._others import BrainFlowImplant, SpikeInterfaceImplant
from ranvier.evaluate.bench._scipy import NumpyKalman, RunningNoise, ScipyImplant
from ranvier.evaluate.bench._timing import Contender, Push
from ranvier.features import BinnedCounts, SpikeBandPower, Spikes
from ranvier.stage import Recipe, Run, Stage, Stream
from ranvier.stream import Block, Channels, StreamInfo, Targets, all_valid

Array = npt.NDArray[Any]
BIN = 0.02  # s
BAND = (300.0, 6000.0)  # Hz
SIGMAS = 4.5
REFRACTORY = 0.001  # s
TRAINING = 4.0  # s that the decoder is fitted on
PEERS: dict[str, tuple[str, ...]] = {
    "scipy": ("scipy",),
    "ezmsg": EZMSG,
    "brainflow": ("brainflow",),
    "spikeinterface": ("spikeinterface",),
}


def filters() -> Stage:
    """Return the first half of the pipeline: gain, common average of each amplifier, spike band."""
    return cast(Stage, Scale(MICROVOLTS) | CommonReference(by="group") | Bandpass(*BAND))


def front() -> Stage:
    """Return the pipeline up to the features, as a user writes it."""
    counts = Spikes(threshold=SIGMAS, refractory=REFRACTORY) | BinnedCounts(BIN)
    return cast(Stage, filters() | (counts & SpikeBandPower(BIN)))


def loop_of(run: Run) -> Any:
    """Return the compiled loop that a run of the front, or of all, begins with."""
    return run._state.design.parts[0].loop


def describe(channels: int) -> StreamInfo:
    """Return the stream of an implant: int16 counts, an amplifier for each 64 channels."""
    if channels % min(GROUP, channels):
        raise ConfigError(f"bench implant needs a multiple of {GROUP} channels; got {channels}. Round it.")
    groups = [f"amplifier{i // GROUP}" for i in range(channels)]
    return StreamInfo.signal(RATE, Channels.of(channels, "spikes", "count", groups=groups), dtype=np.int16)


@dataclass(frozen=True, eq=False)
class Job:
    """What everybody needs to do it.

    Parameters
    ----------
    info
        Of the counts.
    counts, velocity
        To run over, and what they speak of.
    decoder
        Ours, fitted on what came before.
    threshold
        For those who cannot follow the noise [uV].
    """

    info: StreamInfo
    counts: Array
    velocity: Array
    decoder: KalmanFilter
    threshold: float

    @classmethod
    def of(cls, channels: int, seconds: float, seed: int) -> Job:
        """Make data, fit on its beginning, keep the rest."""
        info = describe(channels)
        made = make_implant(channels, TRAINING + seconds, seed)
        n = int(TRAINING * RATE)
        decoder = _fit(info, made.counts[:n], made.velocity[:n])
        filtered = Run(filters(), info).push(Block(made.counts[:RATE], 0)).data[RATE // 2 :]
        noise = float(np.median(np.abs(filtered))) / 0.6745
        return cls(info, made.counts[n:], made.velocity[n:], decoder, -SIGMAS * noise)

    @property
    def group(self) -> int:
        """Channels of one amplifier."""
        return min(GROUP, self.info.n_channels)

    @property
    def whole(self) -> Stage:
        """Our pipeline."""
        return cast(Stage, front() | self.decoder)

    def running(self) -> RunningNoise:
        """Return the noise estimate as the notes of `Spikes` define it."""
        end = Spikes().end(filters().describe(self.info))
        begin = filters().describe(self.info).settle
        return RunningNoise(self.info.n_channels, end.stride, end.heard, end.weight, SIGMAS, begin)

    def scipy(self, noise: RunningNoise | float) -> ScipyImplant:
        """Return SciPy's and NumPy's way, with running noise or a given threshold [uV]."""
        return ScipyImplant(
            RATE, MICROVOLTS, self.group, BAND, round(REFRACTORY * RATE), round(BIN * RATE), noise,
            NumpyKalman(self.decoder),
        )  # fmt: skip

    def ezmsg(self) -> EzmsgImplant:
        """Return ezmsg's way."""
        return EzmsgImplant(
            RATE, self.info.n_channels, MICROVOLTS, self.group, BAND, round(REFRACTORY * RATE), BIN, self.threshold,
            NumpyKalman(self.decoder),
        )  # fmt: skip

    def brainflow(self) -> BrainFlowImplant:
        """Return BrainFlow's way."""
        return BrainFlowImplant(RATE, MICROVOLTS, self.group, BAND)

    def spikeinterface(self) -> SpikeInterfaceImplant:
        """Return SpikeInterface's way."""
        return SpikeInterfaceImplant(self.counts, RATE, MICROVOLTS, self.group, BAND)

    def ours(self) -> Push:
        """Return our way."""
        run = Run(self.whole, self.info)
        return lambda x, start: run.step(Block(x, start))

    def loop(self) -> Push:
        """Return the compiled part of our way, which ends with the features."""
        loop, masks = loop_of(Run(front(), self.info)), {}

        def push(x: Array, start: int) -> Any:
            if len(x) not in masks:
                masks[len(x)] = all_valid(x.shape)
            return loop(x, masks[len(x)], start)

        return push

    def contenders(self, peers: list[str]) -> list[Contender]:
        """Return ours, then the peers."""
        known = {
            "scipy": Contender("scipy + numpy", lambda: self.scipy(self.running())),
            "ezmsg": Contender(
                "ezmsg-sigproc + ezmsg-event", self.ezmsg, lacks="running noise (threshold given), decoder (NumPy's)",
                note="transformers called directly, without its graph; float64; threads for blocks above 1 MiB",
            ),
            "brainflow": Contender(
                "brainflow DataFilter", self.brainflow, lacks="all after the filter",
                note="keeps no state: a transient at the start of every block; float64",
            ),
            "spikeinterface": Contender(
                "spikeinterface", self.spikeinterface, lacks="all after the filter",
                note="made for files: chunks of 1 s, each with a margin that is filtered again",
            ),
        }  # fmt: skip
        return [Contender("ranvier", self.ours), *[known[p] for p in peers]]


def _fit(info: StreamInfo, counts: Array, velocity: Array) -> KalmanFilter:
    run = Run(front(), info)
    blocks = [run.push(Block(counts[a : a + 3000], a)) for a in range(0, len(counts), 3000)]
    goal = Targets(names=("vx", "vy"), units=("cm/s", "cm/s"), values=velocity)
    recipe = Recipe((Kalman(shrinkage=1.0),))  # twice as many features as channels, and few samples
    return cast(KalmanFilter, recipe.fit_streams([Stream(run.info, [b for b in blocks if b.n])], [goal]))
