"""Every stage of the room passes the whole suite, in single, double and whole numbers."""

import numpy as np
import pytest

from ranvier.denoise import FIR, Bandpass, Decimate, Highpass, Integrity, Notch, Resample, Standardise
from ranvier.stream import Channels, StreamInfo
from ranvier.testing import check_stage

INFO = StreamInfo.signal(250, Channels.of(["C3", "Cz", "C4", "O1", "TRIG"], ["eeg"] * 4 + ["trigger"]))
RECURSIVE = [Bandpass(8, 30, 2), Highpass(1), Notch(50), Decimate(5, order=4)]
STAGES = [
    Integrity(),
    Integrity(rail=45.0, flat=0.05, gap=0.1),
    FIR.design(250, 31, low=8, high=30),
    FIR((1.0, 0.5, 0.25)),
    FIR((1.0,)),
    Resample(100),
    Resample(400),
    Resample("1000/3"),
    Resample(250),
    Standardise(0.5),
    Standardise(0.4, settle=0.0),
    Standardise(mean=3.0, sd=(1.0, 2.0, 3.0, 4.0, 5.0)),
]


def name(stage):
    return f"{type(stage).__name__}-{stage.id[:4]}"


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2"])
@pytest.mark.parametrize("stage", STAGES, ids=name)
def test_conforms(stage, dtype):
    check_stage(stage, INFO.but(dtype=np.dtype(dtype)))


@pytest.mark.parametrize("stage", RECURSIVE, ids=name)
def test_recursive_filters_conform(stage):
    check_stage(stage, INFO)


def test_recursive_filters_conform_for_whole_numbers():
    check_stage(Highpass(1), INFO.but(dtype=np.dtype("i2")))


def test_a_chain_of_everything_conforms():
    check_stage(Integrity() | Highpass(1) | Resample(100) | Decimate(2, order=4) | Standardise(0.3), INFO)
