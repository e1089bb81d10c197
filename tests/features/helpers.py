"""Shared by the tests of this room: seeded signals, and flows in any cut."""

import numpy as np

from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo, concatenate


def signal(rate, n, dtype="f4"):
    return StreamInfo.signal(rate, Channels.of(n), dtype=dtype)


def noise(seed, n, channels, dtype="f4", scale=10.0):
    """Make correlated noise with an offset a channel [uV]."""
    rng = np.random.default_rng(seed)
    mix = np.eye(channels) + 0.4 * rng.standard_normal((channels, channels))
    return (scale * rng.standard_normal((n, channels)) @ mix + np.arange(channels)).astype(dtype)


def whole(stage, info, x, start=0, valid=None):
    """Push everything at once."""
    return Run(stage, info).push(Block(x, start, valid))


def in_cuts(stage, info, x, cuts, start=0, valid=None):
    """Push in pieces of the given lengths, then the rest, and join what comes out."""
    run, out, at = Run(stage, info), [], 0
    block = Block(x, start, valid)
    for n in [*cuts, len(x)]:
        out.append(run.push(block.cut(at, min(at + n, len(x)))))
        at = min(at + n, len(x))
    return concatenate(out)
