"""Every stage of the room passes the whole suite, in single, double and whole numbers."""

import numpy as np
import pytest

from ranvier.channels import (
    CommonReference,
    Deskew,
    Interpolate,
    Laplacian,
    LocalReference,
    Pick,
    Reref,
    RobustReference,
    Scale,
)
from ranvier.stream import Channels, StreamInfo
from ranvier.testing import check_stage

NAMES = ("C3", "Cz", "C4", "O1", "O2", "M1", "EOG1", "TRIG")
KINDS = ("eeg",) * 6 + ("eog", "trigger")
PLACES = [(0.01 * i, 0.003 * i * i, 0.0) for i in range(8)]
STAGES = [
    Pick("eeg"),
    Pick(("O*", 0, "-O2")),
    Scale(0.195),
    Scale(tuple(0.5 + i for i in range(8)), "nV"),
    CommonReference(),
    CommonReference("median"),
    CommonReference(by="group", exclude=("M1",)),
    CommonReference("median", by="group"),
    Reref("bipolar", pairs=(("C3", "Cz"), ("C4", "Cz"))),
    Reref("channel", reference=("M1", "O1")),
    LocalReference(outer=0.02, neighbours=3),
    LocalReference(outer=0.02, neighbours=2, fade=0.0),
    Laplacian(neighbours=2, weights="distance", fade=0.004),
    RobustReference("none"),
    RobustReference("none", fade=0.0),
    Interpolate("gaussian", least=2),
    Interpolate("gaussian", least=3, mark=True, sigma=0.02, fade=0.2),
    Interpolate("spline", least=4, centre=(0.02, 0.02, -0.1), fade=0.0),
    Deskew(tuple(i / 2500 for i in range(8)), taps=8),
]


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2"])
@pytest.mark.parametrize("stage", STAGES, ids=lambda s: f"{type(s).__name__}-{s.id[:4]}")
def test_conforms(stage, dtype):
    channels = Channels.of(NAMES, KINDS, positions=PLACES, groups=tuple("aabbabcc"))
    check_stage(stage, StreamInfo.signal(250, channels, dtype=np.dtype(dtype)))


@pytest.mark.parametrize("n", [3, 15, 16, 17, 61, 130])
@pytest.mark.parametrize("method", ["mean", "median"])
def test_references_conform_for_any_number_of_channels(n, method):
    groups = ["ab"[i * 2 // n] for i in range(n)] if n > 4 else "a"
    info = StreamInfo.signal(250, Channels.of(n, groups=groups))
    check_stage(CommonReference(method, by="group"), info)
