"""A channel that dies, rails or turns NaN in the middle, of real EEG: what the other channels notice of it."""

from functools import cache

import numpy as np
import pytest

from ranvier import record
from ranvier.channels import BadChannels, CommonReference, Interpolate, Montage, RobustReference
from ranvier.denoise import ASR, Highpass, Integrity, LineNoise, ZapLine
from ranvier.stage import Run, chain, recipe
from ranvier.stream import Block

N, CLEAN, LOST = 64, 20, 30  # channels; seconds to fit on; second at which the channel is lost
RAIL, FLAT, MAINS = 1e4, 0.25, 60.0  # [uV], [s], [Hz]
CHANNEL = 10  # Cz
OTHERS = np.arange(N) != CHANNEL
FRONT = (Montage(), Integrity(rail=RAIL, flat=FLAT))


@pytest.fixture(scope="module")
def eeg(shared):
    """40 s of PhysioNet's EEGMMIDB, S001R04, 64 channels at 160 Hz."""
    path = shared / "eegmmidb_s001" / "S001R04.edf"
    if not path.exists():
        pytest.skip("needs ../shared/data/eegmmidb_s001")
    rec = record.open(path)
    x = np.concatenate([b.data for b in rec.blocks(10_000, 0, 40 * 160)])
    assert x.shape == (6400, N)
    return rec.info, x.astype(np.float32)


@cache
def stages(name):
    return {
        "average": (*FRONT, CommonReference()),
        "median": (*FRONT, CommonReference("median")),
        "robust": (*FRONT, BadChannels(mains=MAINS), RobustReference()),
        "interpolated": (*FRONT, Interpolate(), CommonReference()),
        "line noise": (*FRONT, LineNoise(MAINS)),
        "zapline": (*FRONT, ZapLine(MAINS)),
        "all": (*FRONT, BadChannels(mains=MAINS), RobustReference(), LineNoise(MAINS), Highpass(0.5), ASR()),
    }[name]


def fitted(name, info, x):
    """The chain, with what learns in it fitted on the first seconds."""
    if name != "all":
        return chain(*stages(name))
    rec = record.from_array(x[: CLEAN * 160], info.rate, info.channels.names, events=[(0, "rest")], name=info.name)
    return recipe(*stages(name)).fit(rec, rec.trials({"rest": "rest"}, tmin=0.0, tmax=CLEAN - 0.1))


def run(stage, info, x, valid=None):
    made = Run(stage, info)
    mask = np.broadcast_to(True, x.shape) if valid is None else valid
    out = [made.push(Block(x[a : a + 97], a, mask[a : a + 97])) for a in range(0, len(x), 97)]
    return np.concatenate([b.data for b in out]), np.concatenate([b.valid for b in out])


def broken(x, how):
    y, at = x.copy(), LOST * 160
    y[at:, CHANNEL] = {"dead": y[at, CHANNEL], "rail": 5 * RAIL, "nan": np.nan}[how]
    return y


def told(x, how):
    """What was recorded, but the mask comes from outside: what the channel says from then on cannot matter."""
    known = LOST * 160 + (round(FLAT * 160) - 1 if how == "dead" else 0)
    y, valid = x.copy(), np.ones(x.shape, bool)
    y[:known] = broken(x, how)[:known]
    valid[known:, CHANNEL] = False
    return y, valid


def farthest(y, w):
    """Largest difference from the run in which nothing broke, in standard deviations of it, of any other channel."""
    both = y[1] & w[1]
    apart = np.where(both, np.abs(y[0] - w[0]), 0)[:, OTHERS].max(axis=0)
    heard = w[1][:, OTHERS].sum(axis=0) > 160  # a channel that never was good has no deviation
    sigma = np.array([w[0][w[1][:, i], i].std() if w[1][:, i].any() else np.inf for i in np.flatnonzero(OTHERS)])
    return float((apart / sigma)[heard].max())


@pytest.mark.parametrize("how", ["dead", "rail", "nan"])
@pytest.mark.parametrize("name", ["average", "median", "robust", "interpolated", "line noise", "zapline", "all"])
def test_other_channels_hear_of_the_mask_alone_and_hardly_of_it(eeg, name, how):
    info, x = eeg
    stage = fitted(name, info, x)
    whole, lost = run(stage, info, x), run(stage, info, broken(x, how))
    outside = run(stage, info, *told(x, how))
    np.testing.assert_array_equal(lost[0][:, OTHERS], outside[0][:, OTHERS])
    np.testing.assert_array_equal(lost[1][:, OTHERS], outside[1][:, OTHERS])
    assert lost[1][:, OTHERS].mean() > 0.99 * whole[1][:, OTHERS].mean()
    if name != "interpolated":  # there an estimate is said to be valid
        assert not lost[1][(LOST + 1) * 160 :, CHANNEL].any()
    assert farthest(lost, whole) <= 1


def test_without_integrity_a_railed_channel_is_in_all_others(eeg):
    """The fault that the test above would see: a reference that hears the rail."""
    info, x = eeg
    stage = chain(Montage(), CommonReference())
    assert farthest(run(stage, info, broken(x, "rail")), run(stage, info, x)) > 10


def test_artefacts_are_learned_without_a_channel_that_was_bad_all_along(eeg):
    """ASR looks at the others, as if that one were not there; with it, it passes as it is."""
    info, x = eeg
    stuck = x.copy()
    stuck[:, CHANNEL] = np.nan
    learned = fitted("all", info, stuck).stages[-1]
    assert len(learned.channels) >= 50
    assert info.channels.names[CHANNEL] not in learned.channels
