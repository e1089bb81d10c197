"""The flicker job: which of 40 targets is looked at, from a second of EEG by canonical correlation, beside others."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.decode import FBCCA
from ranvier.evaluate.bench._machine import Watch, machine, versions
from ranvier.evaluate.bench._options import Options, same
from ranvier.evaluate.bench._timing import Contender, Push, in_turns, most_turns, part_length
from ranvier.stage import Run
from ranvier.stream import Block, Channels, Origin, StreamInfo

Array = npt.NDArray[Any]
TARGETS = tuple(8 + k / 5 for k in range(40))  # Hz: those of the speller of Wang et al., IEEE TNSRE 25 (2017) 1746
HARMONICS = 5
CHANNELS, RATE, LENGTH = 9, 250, 250
NOISE = 4.0  # of a channel, over a response of amplitude 1 with harmonics of 1/2, 1/3 ...
CHECKED = 4  # windows over which correlations are compared before anything is timed
AGREE = 1e-4  # largest difference of squared correlations: scikit-learn stops where its iteration moves by 1e-6
LIBRARY = "scikit-learn"


@dataclass(frozen=True, eq=False)
class Job:
    """What everybody needs to do it.

    Parameters
    ----------
    x
        Windows one after the other, ``(n_windows * LENGTH, n_channels)`` float32.
    looked
        Which target each window holds.
    """

    x: Array
    looked: Array

    @classmethod
    def of(cls, channels: int, windows: int, seed: int) -> Job:
        """Make windows with a response to one target each."""
        rng = np.random.default_rng(seed)
        looked = rng.integers(0, len(TARGETS), windows)
        t, out = np.arange(LENGTH) / RATE, np.empty((windows, LENGTH, channels), np.float32)
        mixing = rng.standard_normal((HARMONICS, channels))
        colour = rng.standard_normal((channels, channels)) / np.sqrt(channels)
        for k, which in enumerate(looked):
            phases = rng.uniform(0, 2 * np.pi, HARMONICS)
            order = np.arange(1, HARMONICS + 1)
            waves = np.sin(2 * np.pi * TARGETS[which] * order * t[:, None] + phases) / order
            out[k] = waves @ mixing + NOISE * rng.standard_normal((LENGTH, channels)) @ colour
        return cls(out.reshape(-1, channels), looked)

    @property
    def info(self) -> StreamInfo:
        """Return the stream of windows, one a second, as `Window` makes it."""
        origin = Origin(
            source="bench", rate=Fraction(RATE), step=Fraction(LENGTH), offset=Fraction(LENGTH - 1), span=LENGTH
        )
        channels = Channels.of(self.x.shape[1], "eeg")
        return StreamInfo(
            name="bench", rate=Fraction(RATE, LENGTH), channels=channels, shape=(LENGTH, len(channels.names)),
            dtype=np.dtype(np.float32), origin=origin, support=LENGTH,
        )  # fmt: skip


def references() -> Array:
    """Return sines and cosines of each target ``(n_targets, LENGTH, 2 * HARMONICS)``."""
    angle = 2 * np.pi * np.arange(LENGTH)[:, None] / RATE * np.arange(1, HARMONICS + 1)
    return np.stack([np.concatenate([np.sin(f * angle), np.cos(f * angle)], axis=1) for f in TARGETS])


def _ours(job: Job) -> Push:
    run = Run(FBCCA(TARGETS, n_harmonics=HARMONICS), job.info)
    return lambda x, start: run.step(Block(x[None], start // LENGTH)).data[0] / 1.25  # weight of the first band


def _numpy(job: Job) -> Push:
    """Correlations as somebody who knows NumPy well would: factors of the references made once, all targets at once."""
    waves = references()
    factors = np.linalg.qr(waves - waves.mean(axis=1, keepdims=True))[0].transpose(0, 2, 1).copy()

    def push(x: Array, start: int) -> Array:
        wide = x.astype(np.float64)
        factor = np.linalg.qr(wide - wide.mean(axis=0))[0]
        return np.asarray(np.linalg.svd(factors @ factor, compute_uv=False)[:, 0] ** 2)

    return push


def _sklearn(job: Job) -> Push:
    from sklearn.cross_decomposition import CCA

    waves = references()

    def push(x: Array, start: int) -> Array:
        found = np.empty(len(waves))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of iterations that did not converge: the outputs are compared
            for k, y in enumerate(waves):
                a, b = CCA(n_components=1).fit(x, y).transform(x, y)
                found[k] = np.corrcoef(a[:, 0], b[:, 0])[0, 1] ** 2
        return found

    return push


def contenders(job: Job) -> list[Contender]:
    """Return ours, then the peers that are installed."""
    ours = Contender("ranvier", lambda: _ours(job))
    numpy = Contender("numpy", lambda: _numpy(job), note="references factored once, then all targets at once")
    library = Contender(LIBRARY, lambda: _sklearn(job), note="CCA(n_components=1), fitted for each target")
    return [ours, numpy, *([library] if versions(LIBRARY) else [])]


def verify(job: Job) -> list[dict[str, Any]]:
    """Compare everybody's squared correlations with ours; refuse what does not agree."""
    ours, *others = contenders(job)
    rows = []
    for c in others:
        mine, push = ours.make(), c.make()
        apart = [
            np.abs(mine(job.x[a : a + LENGTH], a) - push(job.x[a : a + LENGTH], a)).max()
            for a in range(0, CHECKED * LENGTH, LENGTH)
        ]
        rows.append({"peer": c.name, "block": LENGTH, "scores": same("correlations", float(max(apart)), AGREE)})
    return rows


def accuracy(job: Job) -> float:
    """Return the share of windows in which the right target is found."""
    push = _ours(job)
    found = [push(job.x[a : a + LENGTH], a).argmax() for a in range(0, len(job.x), LENGTH)]
    return float(np.mean(np.array(found) == job.looked))


def fbcca(options: Options, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure the flicker job; beside it always NumPy and scikit-learn, and none of the peers of other jobs."""
    channels = options.channels or CHANNELS
    watch = Watch()
    windows = max(round(options.seconds * 8), options.turns + 1, CHECKED)
    job = Job.of(channels, windows, options.seed)
    tell("comparing outputs")
    checks = verify(job)
    tell("timing")
    turns = most_turns(len(job.x), LENGTH, options.turns, LENGTH)
    runners = contenders(job)
    timings = in_turns(runners, job.x, LENGTH, turns, LENGTH)
    samples = part_length(len(job.x), LENGTH, turns, LENGTH)
    rows = [
        {
            "who": c.name, "channels": channels, "targets": len(TARGETS), "block_ms": 1000 * LENGTH / RATE,
            **timings[c.name].row(samples, channels, RATE), "times_ours": timings[c.name].ratio(timings["ranvier"]),
            "lacks": c.lacks,
        }
        for c in runners
    ]  # fmt: skip
    missing = [] if versions(LIBRARY) else [f"{LIBRARY} is not installed and was left out: pip install {LIBRARY}"]
    return {
        "kind": "fbcca", "rows": rows, "checks": checks, "accuracy": accuracy(job), "busy": watch.said(),
        "machine": machine(LIBRARY), "seed": options.seed,
        "notes": [*missing, *[f"{c.name}: {c.note}" for c in runners if c.note]],
    }  # fmt: skip
