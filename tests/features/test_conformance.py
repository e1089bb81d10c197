"""Every stage of this room, in several streams and in chains, against the conformance suite."""

import pytest

from ranvier.features import (
    BandPower,
    BinnedCounts,
    Covariance,
    Envelope,
    Epoch,
    LogVariance,
    SpikeBandPower,
    Spikes,
    Window,
)
from ranvier.stream import EventInfo
from ranvier.testing import check_stage

from .helpers import signal

EEG = signal(250, 5)
DOUBLE = signal(250, 3, "f8")
COUNTS = signal(250, 4, "i2")
FAST = signal(3000, 37)
MARKS = EventInfo.of(EEG, {1: "cue/left", 2: "cue/right", 3: "rest"})
CROSSINGS = Spikes(2.0, noise_window=0.05, noise_memory=0.2)
WINDOWS = Window(0.2, 0.1).describe(EEG)
EPOCHS = Epoch(-0.1, 0.3).describe(EEG, MARKS)

CASES = [
    (Window(0.2, 0.06), EEG),
    (Window(0.05, 0.12), DOUBLE),
    (Window(0.1, 0.1), COUNTS),
    (Covariance(0.2, 0.04), EEG),
    (Covariance(0.2, 0.2, "oas"), DOUBLE),
    (Covariance(0.2, 0.04, "lwf"), COUNTS),
    (Covariance(estimator="lwf"), WINDOWS),
    (Covariance(), EPOCHS),
    (LogVariance(), WINDOWS),
    (LogVariance(), EPOCHS),
    ((Epoch(-0.1, 0.3) | LogVariance()) & (Epoch(0.0, 0.5) | LogVariance()), EEG, MARKS),
    (BandPower(8, 30, 0.2, 0.04), EEG),
    (BandPower(8, 30, 0.2, 0.04, log=True), DOUBLE),
    (Envelope(0.05), EEG),
    (Envelope(0.05), DOUBLE),
    (Envelope(0.05), COUNTS),
    (SpikeBandPower(0.02), FAST),
    (SpikeBandPower(0.02, norm="abs"), signal(3000, 5, "i2")),
    (CROSSINGS, FAST),
    (CROSSINGS, signal(3000, 5, "f8")),
    (BinnedCounts(0.02), CROSSINGS.describe(FAST)),
    (Epoch(-0.1, 0.3), EEG, MARKS),
    (Epoch(0.1, 0.3, on=("cue/*",)), DOUBLE, MARKS),
    (CROSSINGS | BinnedCounts(0.02), FAST),
    (CROSSINGS | BinnedCounts(0.02), signal(3000, 5, "i2")),
    (BinnedCounts(0.02), EventInfo.of(FAST, {0: "spike"}, sources=("a", "b"))),
    ((CROSSINGS | BinnedCounts(0.02)) & SpikeBandPower(0.02), FAST),
    (Epoch(0, 0.2) | Covariance(), EEG, MARKS),
    (Window(0.2, 0.04) | LogVariance(), EEG),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{type(c[0]).__name__}-{getattr(c[1], 'dtype', 'events')}")
def test_conformance(case):
    check_stage(*case)
