"""Write a stage, check it, use it: the whole of CONTRIBUTING.md."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import final

import numpy as np

from ranvier.denoise import Lowpass
from ranvier.kernels.words import sub
from ranvier.stage import ChannelStage, Run, Step, Tags
from ranvier.stream import Block, StreamInfo
from ranvier.testing import report_stage


def difference(x, s, k):
    """Take away what was before."""
    return sub(x, s[0]), (x,)


def difference_prime(x, k):
    """The state as if x had been there for ever."""
    return (x,)


@final
@dataclass(frozen=True, eq=False)
class Difference(ChannelStage):
    """How much each channel changed since the last sample."""

    tags = Tags(exactness="portable", linear=True, permutable=True)

    def describe_channels(self, info):
        step = ceil(info.origin.step)  # one sample of this stream, in source samples
        return info.but(support=info.support + step, delay=info.delay + Fraction(1, 2) / info.rate)

    def steps(self, info):
        return (Step(difference, (), 1, difference_prime, "f8" if info.dtype == np.float64 else "f4"),)


if __name__ == "__main__":
    info = StreamInfo.signal(250, 8)
    x = np.random.default_rng(1).standard_normal((1000, 8)).astype(np.float32).cumsum(axis=0, dtype=np.float32)
    y = Run(Difference(), info).push(Block(x)).data
    assert np.array_equal(y[1:], np.diff(x, axis=0)), "not the difference that numpy finds"

    smooth = Lowpass(40) | Difference()
    whole = Run(smooth, info).push(Block(x)).data
    run = Run(smooth, info)
    cut = np.concatenate([run.push(Block(x[i : i + 7], i)).data for i in range(0, 1000, 7)])
    print("blocks of 7 samples give the bits of the whole:", np.array_equal(whole, cut))

    report = report_stage(
        Difference(), info, only=["contract", "block_invariance", "width", "delay", "linear", "serialises"]
    )
    print("checks passed:", ", ".join(r.check for r in report.results if r.status == "passed"))
    raise SystemExit(1 if report.failures else 0)
