"""LineNoise against scipy's notches, known mains, and masks; and what it must leave alone."""

import numpy as np
import pytest
import scipy.signal as sps
from hypothesis import given, settings
from hypothesis import strategies as st

from ranvier.denoise import LineNoise, Notch
from ranvier.errors import ContractError
from ranvier.kernels._turn import angle_of, turn
from ranvier.stage import Run
from ranvier.stream import Block, StreamInfo, concatenate
from ranvier.testing import check_stage

SEED = 3300
RATE = 500
FIXED = LineNoise(50, harmonics=2, bandwidth=1.0, reach=0)


def info(n=1, dtype="f8", rate=RATE):
    return StreamInfo.signal(rate, n, dtype=dtype)


def clean(stage, x, valid=None, block=250, start=0):
    """Return result and mask of a recording that is fed in blocks."""
    run = Run(stage, info(x.shape[1], x.dtype))
    valid = np.ones(x.shape, bool) if valid is None else valid
    out = [run.push(Block(x[a : a + block], start + a, valid[a : a + block])) for a in range(0, len(x), block)]
    return concatenate(out)


def mains(n, channels=4, frequency=50.0, size=10.0, rate=RATE):
    """Return mains of some frequency (one number, or one a sample), with another phase in each channel."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(frequency, n)) / rate
    return size * np.cos(phase[:, None] + np.arange(channels))


def noise(n, channels=4, seed=SEED):
    return np.random.default_rng(seed).standard_normal((n, channels)) * 5


@pytest.mark.parametrize(
    ("stage", "dtype"),
    [(LineNoise(), "f4"), (LineNoise(60, 1, 4.0, memory=1.0), "i2"), (FIXED, "f8")],
)
def test_conforms(stage, dtype):
    check_stage(stage, info(3, dtype, 250))


@pytest.mark.parametrize(("harmonics", "bandwidth"), [(1, 0.5), (3, 2.0)])
def test_at_a_fixed_frequency_it_is_the_notch(harmonics, bandwidth):
    """Against scipy's and `Notch`, in noise, once what was there at the start has gone; quick phasors speak seldom."""
    x = noise(60 * RATE, 2)
    y = clean(LineNoise(50, harmonics, bandwidth, reach=0), x, block=1000).data
    other = clean(Notch(50, 50 / bandwidth, harmonics), x, block=1000).data
    filtered = x - x[0]
    for h in range(1, harmonics + 1):
        b, a = sps.iirnotch(50 * h, 50 * h / bandwidth, fs=RATE)
        filtered = sps.lfilter(b, a, filtered, axis=0)
    late = slice(45 * RATE, None)
    same = np.abs(y - filtered - x[0])[late] < 1e-8
    assert same.mean() > 0.995
    assert np.abs(y - filtered - x[0])[late].max() < 5.0
    assert (np.abs(y - other)[late] < 1e-8).mean() > 0.995


@pytest.mark.parametrize("frequency", [46.3, 50.0, 53.9, 57.0, 60.0, 64.2])
def test_it_finds_mains_between_45_and_65_hz(frequency):
    x = mains(20 * RATE, frequency=frequency) + noise(20 * RATE)
    run = Run(LineNoise(harmonics=1), info(4))
    out = run.push(Block(x))
    state = run.save()
    key = next(k.removesuffix("frequency") for k in state if k.endswith("frequency"))
    assert state[key + "frequency"][state[key + "chosen"][0]] == pytest.approx(frequency, abs=0.02)
    left = out.data - noise(20 * RATE)
    assert out.valid[-1].all()
    assert left[10 * RATE :].std() < 0.1 * mains(RATE).std()


def test_it_follows_a_frequency_that_drifts_where_a_notch_does_not():
    n = 100 * RATE
    frequency = 50 + 0.3 * np.clip((np.arange(n) / RATE - 20) / 60, 0, 1)
    line, own = mains(n, frequency=frequency), noise(n)
    late = slice(60 * RATE, 70 * RATE)  # 50.2 Hz and going up
    left = {}
    for stage in (LineNoise(50, 1), Notch(50, quality=50 / 0.4)):
        alone = clean(Notch(50.225, 50.225 / 0.4), own).data
        y = clean(stage, line + own).data - alone
        phase = np.exp(-2j * np.pi * np.cumsum(frequency) / RATE)[late]
        left[type(stage)] = np.abs((y[late] * phase[:, None]).mean(axis=0)).mean() * 2 / 10
    assert left[LineNoise] < 0.02
    assert left[Notch] > 0.3


@pytest.mark.parametrize("jump", ["amplitude", "phase", "harmonic"])
def test_a_jump_is_caught_up_with_at_once(jump):
    """0.3 s after it a tenth is left, where the notch has 69 % (exp(-pi 0.4 0.3)); nothing before it is another."""
    n, at = 20 * RATE, 10 * RATE
    own, late = noise(n) * 0.2, np.arange(n) >= at
    line = mains(n)
    more = {"amplitude": 2 * line, "phase": -2 * line, "harmonic": mains(n, frequency=100.0)}[jump] * late[:, None]
    stage = LineNoise(50, 2, reach=0)
    plain, y = clean(stage, own + line).data, clean(stage, own + line + more).data
    np.testing.assert_array_equal(y[:at], plain[:at])
    part = slice(at + 3 * RATE // 10, at + 7 * RATE // 20)
    assert np.sqrt(((y - plain)[part] ** 2).mean() / (more[part] ** 2).mean()) < 0.10
    notch = Notch(50, 50 / 0.4, 2)
    slow = clean(notch, own + line + more).data - clean(notch, own + line).data
    assert np.sqrt((slow[part] ** 2).mean() / (more[part] ** 2).mean()) > 0.5


def test_a_jump_is_caught_up_with_whatever_the_offset():
    """Electrodes stand at mV; what quick phasors hold for usual is the same as without."""
    n, at = 20 * RATE, 10 * RATE
    own, line = noise(n) * 0.2, mains(n)
    more, stage = 2 * line * (np.arange(n) >= at)[:, None], LineNoise(50, 1, reach=0)
    found = [clean(stage, own + line + more + level).data - level for level in (0.0, 3e5)]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
    late = slice(at + 3 * RATE // 10, None)
    assert np.sqrt(((found[1] - own)[late] ** 2).mean()) < 0.1 * 20


def test_silence_at_the_start_is_not_taken_for_what_is_usual():
    """A device that sends zeros for a while: afterwards what lies beside the line is that of a channel without."""
    n = 60 * RATE
    own = noise(n, 2)
    own[: 6 * RATE, 0] = 0
    y = clean(LineNoise(50, 1, reach=0), own).data[20 * RATE :]
    f, kept = sps.welch(y, RATE, nperseg=4 * RATE, axis=0)
    _, given_ = sps.welch(own[20 * RATE :], RATE, nperseg=4 * RATE, axis=0)
    beside = ((np.abs(f - 50) > 1) & (np.abs(f - 50) < 4)).nonzero()[0]
    assert (np.abs(10 * np.log10(kept[beside].mean(axis=0) / given_[beside].mean(axis=0))) < 0.3).all()


def test_what_is_not_mains_does_not_make_quick_phasors_speak():
    """Negative control: alpha that swells to three times, and a step of the level, far from the line."""
    n = 20 * RATE
    t = np.arange(n)[:, None] / RATE
    alpha = 20 * np.cos(2 * np.pi * 10 * t + np.arange(4)) * (1 + 2 * (np.sin(2 * np.pi * 0.3 * t) > 0.5))
    alpha += np.where(t > 12, 100.0, 0.0)
    own = noise(n) * 0.2
    y = clean(LineNoise(50, 1, reach=0), own + alpha).data
    notch = clean(Notch(50, 50 / 0.4), own + alpha).data
    assert np.sqrt(((y - notch)[10 * RATE :] ** 2).mean()) < 0.02 * 20


def test_after_settle_one_percent_is_left():
    for stage, frequency in ((LineNoise(50, 1, 1.0, reach=0), 50.0), (LineNoise(50, 1), 50.05)):
        settle = stage.describe(info()).settle
        out = clean(stage, mains(10 * RATE, frequency=frequency))
        assert settle < 3 * RATE
        assert not out.valid[: settle - 1].any()
        assert out.valid[settle:].all()
        assert np.abs(out.data[settle:]).max() < 0.01 * 10


def test_faint_mains_is_found_and_nothing_flaps_without_any():
    """A line of 0.15 of the noise's rms, 18 dB below it; and noise alone, which must stay valid once it is."""
    n = 60 * RATE
    own = noise(n)
    stage = LineNoise(harmonics=1)
    out = clean(stage, own + mains(n, frequency=60.02, size=1.0))
    y, wave = out.data[40 * RATE :], np.exp(-2j * np.pi * 60.02 * np.arange(1, n + 1) / RATE)[40 * RATE :, None]
    before = np.abs(2 * ((own + mains(n, frequency=60.02, size=1.0))[40 * RATE :] * wave).mean(axis=0))
    assert np.abs(2 * (y * wave).mean(axis=0)).mean() < 0.3 * before.mean()
    for seed in range(4):
        out = clean(stage, noise(n, seed=seed))
        assert out.valid[stage.describe(info()).settle :].all()


@pytest.mark.parametrize("away", [-3.0, 3.0])
def test_a_sine_three_hertz_beside_survives(away):
    """Its amplitude is that of the notch's response there, within 1 % of 1, whether there is mains or not."""
    n = 40 * RATE
    sine = np.cos(2 * np.pi * (50 + away) * np.arange(n) / RATE)[:, None] * np.ones(4) * 3
    for line in (mains(n), 0):
        y = clean(LineNoise(50, 1), sine + line + 0.1 * noise(n)).data[20 * RATE :]
        wave = np.exp(-2j * np.pi * (50 + away) * np.arange(20 * RATE, n) / RATE)
        assert np.abs(2 * (y * wave[:, None]).mean(axis=0)) == pytest.approx(np.full(4, 3.0), rel=0.01)


def test_without_mains_little_is_changed():
    own = noise(60 * RATE)
    y = clean(LineNoise(harmonics=3), own).data
    assert ((y - own)[10 * RATE :] ** 2).mean() < 0.02 * (own**2).mean()


def test_one_channel_with_mains_among_many_without_is_enough_to_find_it():
    n = 30 * RATE
    own = noise(n, 32)
    x = own.copy()
    x[:, 7] += mains(n, 1, 50.4)[:, 0]
    y = clean(LineNoise(50, 1), x).data
    assert np.abs((y - own)[15 * RATE :, 7]).mean() < 1.0


def test_a_short_gap_costs_itself_only_and_a_long_one_settles_anew():
    n = 30 * RATE
    own, line = noise(n), mains(n)
    valid = np.ones((n, 4), bool)
    valid[5000:5100, 0] = False  # 0.2 s
    valid[5000:6500, 1] = False  # 3 s
    stage = LineNoise(50, 1)
    whole, out = clean(stage, own + line), clean(stage, np.where(valid, own + line, 1e30), valid)
    settle = stage.describe(info()).settle
    np.testing.assert_array_equal(out.valid[settle:, 0], valid[settle:, 0])
    assert not out.valid[5000 : 6500 + settle - 1, 1].any()
    assert out.valid[6500 + settle :, 1].all()
    assert np.abs((out.data - whole.data)[5100:, 0]).max() < 0.5  # mains is 10
    assert np.abs((out.data - whole.data)[6500 + settle :, 1]).max() < 0.5
    assert np.abs((out.data - whole.data)[settle:, 2:]).max() < 0.5  # the frequency is another by a little
    assert np.isfinite(out.data).all()


def test_a_channel_that_is_never_valid_disturbs_nobody():
    x = mains(5000, 3) + noise(5000, 3)
    valid = np.ones(x.shape, bool)
    valid[:, 1] = False
    stage = LineNoise(50, 2)
    both = clean(stage, np.where(valid, x, -1e30), valid)
    alone = clean(stage, np.ascontiguousarray(x[:, [0, 2]]))
    np.testing.assert_array_equal(both.data[:, [0, 2]], alone.data)
    assert not both.valid[:, 1].any()


@settings(max_examples=10)
@given(st.lists(st.integers(0, 700), max_size=12), st.integers(-5000, 5000), st.integers(0, 2**32 - 1))
def test_cuts_change_nothing(cuts, start, seed):
    rng = np.random.default_rng(seed)
    n = 3000
    x = (mains(n, 3) + noise(n, 3, seed)).astype("f4")
    valid = rng.random(x.shape) >= 0.002
    valid[1000:1600, 1] = False
    run, at, parts = Run(LineNoise(bandwidth=4.0), info(3, "f4")), 0, []
    for k in [*cuts, n]:
        parts.append(run.push(Block(x, start, valid).cut(min(at, n), min(at + k, n))))
        at += k
    one = clean(LineNoise(bandwidth=4.0), x, valid, n, start)
    out = concatenate(parts)
    np.testing.assert_array_equal(out.data, one.data)
    np.testing.assert_array_equal(out.valid, one.valid)


def test_offsets_raise_no_transient():
    """The level of the first sample is taken for one that was there for ever."""
    out = clean(LineNoise(50), np.full((3000, 2), 20_000.0, np.float32))
    np.testing.assert_array_equal(out.data, 20_000)


def test_turn_and_angle_are_numpys():
    a = np.linspace(-np.pi, np.pi, 2001)
    np.testing.assert_allclose([turn(v) for v in a], np.stack([np.cos(a), np.sin(a)], axis=1), atol=2e-15)
    np.testing.assert_allclose([angle_of(3 * np.cos(v), 3 * np.sin(v)) for v in a[1:-1]], a[1:-1], atol=2e-15)
    assert angle_of(0.0, 0.0) == 0.0


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (LineNoise(-50), "frequency"),
        (LineNoise(50, harmonics=0), "harmonics >= 1"),
        (LineNoise(50, bandwidth=0), "bandwidth"),
        (LineNoise(50, bandwidth=1e-300), "bandwidth"),
        (LineNoise(50, bandwidth=60), "bandwidth"),
        (LineNoise(50, reach=20), "reach"),
        (LineNoise(50, memory=0.1), "memory"),
        (LineNoise(249.5), "below rate/2; got up to 250 Hz at a rate of 500 Hz"),
    ],
)
def test_what_cannot_be_is_refused(stage, words):
    with pytest.raises(ContractError) as e:
        stage.describe(info())
    assert words in str(e.value)
