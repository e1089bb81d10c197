"""Streams and samples to fit on, all seeded."""

from fractions import Fraction

import numpy as np

from ranvier.stage import Run, Samples
from ranvier.stream import Block, Channels, Origin, StreamInfo


def stream(shape, dtype=np.float64, rate=10, source_rate=250, unit="uV", names=None):
    """A stream of samples of `shape`; rate 0 for one sample an event."""
    step = Fraction(source_rate, rate) if rate else Fraction(0)
    span = shape[0] if len(shape) == 2 else 1
    return StreamInfo(
        name="test", rate=Fraction(rate), channels=Channels.of(names or shape[-1], "eeg", unit), shape=shape,
        dtype=np.dtype(dtype), origin=Origin(source="test", rate=Fraction(source_rate), step=step, span=span),
        support=span,
    )  # fmt: skip


def labels(rng, n, classes=("left", "right")):
    """Labels in random order, every class at least five times."""
    y = np.array(classes)[np.arange(n) % len(classes)]
    return rng.permutation(y)


def samples(x, y, trial=None, names=("vx", "vy"), units=("cm/s", "cm/s")):
    y = np.asarray(y)
    which = np.zeros(len(x), np.int64) if trial is None else np.asarray(trial)
    if y.dtype.kind == "U":
        return Samples(x=x, y=y, stretch=np.arange(len(x)))
    return Samples(x=x, y=y, stretch=which, names=names[: y.shape[1]], units=units[: y.shape[1]])


def covariances(seed, n=60, c=6, classes=("left", "right"), length=100, dtype=np.float64):
    """Covariances of sources mixed alike, whose power depends on the class, and the labels."""
    rng = np.random.default_rng(seed)
    y = labels(rng, n, classes)
    mixing = rng.standard_normal((c, c))
    x = np.empty((n, c, c), dtype)
    for i, label in enumerate(y):
        power = np.ones(c)
        power[list(classes).index(label)] = 3.0
        s = rng.standard_normal((length, c)) * power * np.exp(0.2 * rng.standard_normal(c))
        x[i] = np.cov(s @ mixing.T, rowvar=False) * 10
    return x, y


def run(stage, info, x, valid=None, start=0):
    """What comes out of a stage when the samples `x` go in as one block."""
    at = None if info.rate else np.arange(len(x), dtype=np.int64) * 100
    return Run(stage, info).push(Block(np.asarray(x, info.dtype), start, valid, at))


def accuracy(stage, info, x, y):
    names = np.array(stage.describe(info).channels.names)
    return float((names[run(stage, info, x).data.argmax(axis=1)] == y).mean())
