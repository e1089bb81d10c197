"""Spikes against their definition in plain Python, and against planted spikes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.errors import ContractError
from ranvier.features import BinnedCounts, SpikeBandPower, Spikes
from ranvier.features._spikes import HEARD
from ranvier.stage import Run
from ranvier.stream import Block

from .helpers import signal

RATE = 3000


def crossings(stage, x, rate, start=0, valid=None):
    """Return (sample, channel, code, value) of each event: the words of the docstring, one number at a time."""
    n_time, n = x.shape
    window = round(stage.noise_window * rate)
    m = min(HEARD, window - 1 + window % 2)
    stride = window // m
    weight = min(1.0, m * stride / rate / stage.noise_memory)
    refractory = round(stage.refractory * rate)
    count, noise, limit, blind = [0] * n, [0.0] * n, [-np.inf] * n, [-np.inf] * n
    before, listened = [None] * n, [False] * n
    heard = np.full((m, n), np.inf)  # infinite: not valid, or not yet
    turn = [c // 16 * round(0.618 * m) % m for c in range(n)]
    out = []
    for t in range(n_time):
        for c in range(n):
            v = np.float32(x[t, c])
            known = valid is None or bool(valid[t, c])
            if known and before[c] is not None and v < limit[c] <= before[c] and start + t >= blind[c]:
                blind[c] = start + t + refractory
                out.append((start + t, c, 0, v))
            now = known and before[c] is not None and limit[c] > -np.inf
            if now != listened[c]:
                listened[c] = now
                out.append((start + t, c, 2 if now else 1, 0))
            before[c] = v if known else None
            k, hears = divmod(start + t, stride)
            if hears:
                continue
            heard[k % m, c] = abs(v) if known else np.inf
            mine = sorted(heard[np.isfinite(heard[:, c]), c])
            if (k + turn[c]) % m == 0 and len(mine) >= (m + 1) // 2:
                new = float(mine[(len(mine) - 1) // 2]) / 0.6744897501960817
                count[c] += 1
                noise[c] = np.float32(float(noise[c]) + max(weight, 1 / count[c]) * (new - float(noise[c])))
                limit[c] = np.float32(-stage.threshold * float(noise[c])) if noise[c] > 0 else -np.inf
    return out


def spikes_of(events):
    return events.table[events.table["code"] == 0]


def listed(events):
    return [(int(e["sample"]), int(e["source"]), int(e["code"]), e["value"]) for e in events.table]


def test_equals_the_definition():
    stage = Spikes(2.5, refractory=0.002, noise_window=0.05, noise_memory=0.2)
    rng = np.random.default_rng(51)
    x = (8 * rng.standard_normal((1200, 37))).astype("f4")
    x[:, 5] = 0  # a dead channel
    valid = rng.random(x.shape) > 0.02
    valid[400:700, 3] = False
    for mask in (None, valid):
        for start in (0, 12_345):
            got = Run(stage, signal(RATE, 37)).push(Block(x, start, mask))
            wanted = crossings(stage, x, RATE, start, mask)
            assert sum(e[2] == 0 for e in wanted) > 50
            assert sum(e[2] == 1 for e in wanted) >= (0 if mask is None else 50)
            assert not any(e[1] == 5 for e in wanted)  # never listened to
            assert listed(got) == wanted
            assert (got.start, got.stop) == (start, start + 1200)


@pytest.mark.parametrize("dtype", ["i2", "f8"])
def test_other_dtypes_are_computed_in_float32(dtype):
    stage = Spikes(2.5, noise_window=0.05)
    x = (80 * np.random.default_rng(52).standard_normal((900, 20))).astype(dtype)
    got = Run(stage, signal(RATE, 20, dtype)).push(Block(x))
    assert got.n > 10
    assert listed(got) == crossings(stage, x.astype("f4"), RATE)


@given(st.lists(st.integers(0, 300), max_size=10), st.integers(0, 100), st.booleans())
def test_the_cut_changes_nothing(cuts, start, masked):
    stage = Spikes(2.0, noise_window=0.03, noise_memory=0.1)
    rng = np.random.default_rng(53)
    x = (8 * rng.standard_normal((1400, 18))).astype("f4")
    valid = rng.random(x.shape) > 0.02 if masked else None
    block, info = Block(x, start, valid), signal(RATE, 18)
    whole = Run(stage, info)
    wanted = whole.push(block)
    run, tables, at = Run(stage, info), [], 0
    for n in [*cuts, 1400]:
        part = run.push(block.cut(at, min(at + n, 1400)))
        tables.append(part.table)
        at = min(at + n, 1400)
    assert np.concatenate(tables).tobytes() == wanted.table.tobytes()
    saved, other = whole.save(), run.save()
    assert all(saved[k].tobytes() == other[k].tobytes() for k in saved)


def test_what_stands_in_invalid_cells_is_never_read():
    stage, info = Spikes(2.5, noise_window=0.05), signal(RATE, 20)
    rng = np.random.default_rng(54)
    x = (8 * rng.standard_normal((1500, 20))).astype("f4")
    valid = rng.random(x.shape) > 0.05
    tables = []
    for value in (0.0, 1e30, -1e30):
        y = np.where(valid, x, np.float32(value))
        tables.append(Run(stage, info).push(Block(y, 0, valid)).table)
    assert len(tables[0]) > 10
    assert tables[0].tobytes() == tables[1].tobytes() == tables[2].tobytes()


def planted(seed, seconds, channels, rate=30_000, sigma=7.0, amplitude=10.0):
    """Make noise of `sigma` uV with spikes of `amplitude` sigma, and their true times."""
    rng = np.random.default_rng(seed)
    n = seconds * rate
    x = (sigma * rng.standard_normal((n, channels))).astype("f4")
    shape = -amplitude * sigma * np.exp(-0.5 * ((np.arange(24) - 8) / 3.0) ** 2)
    times = []
    for c in range(channels):
        at = np.sort(rng.choice(np.arange(rate, n - 30, 60), 20 * seconds, replace=False))
        for t in at:
            x[t : t + 24, c] += shape.astype("f4")
        times.append(at + 8)
    return x, times


def test_planted_spikes_are_found_and_little_else():
    """At -4.5 sigma of white noise at 30 kHz one false alarm is due each 10 s and channel (1e5 / 3.4e-6 / 3e4)."""
    x, times = planted(55, 4, 24)
    got = Run(Spikes(), signal(30_000, 24)).push(Block(x))
    hits = found = 0
    for c, at in enumerate(times):
        mine = spikes_of(got)["sample"][(spikes_of(got)["source"] == c) & (spikes_of(got)["sample"] >= 30_000)]
        distance = np.abs(mine[:, None] - at[None, :])
        hits += int((distance.min(axis=0) <= 12).sum())
        found += len(mine)
    total = sum(len(t) for t in times)
    assert hits / total > 0.995
    assert (found - hits) / (3 * 24) < 0.3  # false alarms a second and channel; 30 000 * Phi(-4.5) = 0.1 are due


def test_without_spikes_the_rate_is_that_of_gaussian_noise():
    """Negative control: crossings of white noise at -k sigma come at rate * Phi(-k) * (1 - Phi(-k))."""
    from scipy.stats import norm

    x = np.random.default_rng(56).standard_normal((60_000, 16)).astype("f4")
    got = Run(Spikes(3.0, refractory=1 / 30_000), signal(30_000, 16)).push(Block(x))
    rate = (spikes_of(got)["sample"] >= 30_000).sum() / 16
    assert rate == pytest.approx(30_000 * norm.sf(3) * norm.cdf(3), rel=0.15)


def test_the_noise_estimate_is_robust_and_follows_a_change():
    x, _ = planted(57, 3, 16)
    x[45_000:] *= 3
    run = Run(Spikes(noise_memory=0.5), signal(30_000, 16))
    for place, sigma in ((slice(0, 45_000), 7.0), (slice(45_000, None), 21.0)):
        run.push(Block(x[place], place.start))
        noise = run.save()["stage/noise"]
        assert noise.mean() == pytest.approx(sigma, rel=0.08)  # plain std is 25 % higher
        assert noise.std() < 0.1 * sigma  # about 1.17 / sqrt(3 windows of 127)


def test_no_spike_before_the_first_estimate():
    x, _ = planted(58, 2, 8)
    got = Run(Spikes(noise_window=0.25), signal(30_000, 8)).push(Block(x))
    assert spikes_of(got)["sample"].min() >= 0.125 * 30_000
    assert (got.table[:8]["code"] == 2).all()  # each channel is listened to from its own first estimate on


def test_a_channel_that_was_away_does_not_cross_on_its_return():
    info = signal(RATE, 1)
    stage = Spikes(3.0, noise_window=0.05, noise_memory=1.0)
    x = np.random.default_rng(59).choice([-1.0, 1.0], (900, 1)).astype("f4")
    x[600:] = -50.0
    valid = np.ones(x.shape, bool)
    assert len(spikes_of(Run(stage, info).push(Block(x, 0, valid)))) == 1
    valid[595:605] = False
    got = Run(stage, info).push(Block(x, 0, valid))
    assert len(spikes_of(got)) == 0
    assert [(e["sample"], e["code"]) for e in got.table[1:]] == [(595, 1), (606, 2)]


def test_a_channel_that_falls_silent_is_lost_when_its_noise_is_0():
    stage = Spikes(3.0, noise_window=0.05, noise_memory=0.04)  # each estimate replaces the last
    x = np.random.default_rng(60).standard_normal((1500, 20)).astype("f4")
    x[500:1000, 7] = 0
    got = Run(stage, signal(RATE, 20)).push(Block(x))
    assert listed(got) == crossings(stage, x, RATE)
    mine = got.table[(got.table["source"] == 7) & (got.table["code"] > 0)]
    assert mine["code"].tolist() == [2, 1, 2]
    assert 500 < mine["sample"][1] <= 500 + 2 * 0.05 * RATE
    assert 1000 < mine["sample"][2] <= 1000 + 2 * 0.05 * RATE


@pytest.mark.parametrize("begin", [700, 720])
def test_bins_of_a_dead_channel_are_invalid_and_no_others(begin):
    """Bins of 60 samples: 720 begins one, so that what is lost there leaves the bin before alone."""
    stage, info = Spikes(2.0, noise_window=0.03, noise_memory=0.1) | BinnedCounts(0.02), signal(RATE, 18)
    x = (8 * np.random.default_rng(61).standard_normal((1500, 18))).astype("f4")
    valid = np.ones(x.shape, bool)
    valid[begin:1000, 4] = False
    healthy, broken = (Run(stage, info).push(Block(x, 0, v)) for v in (None, valid))
    changed = healthy.valid != broken.valid
    assert np.flatnonzero(changed[:, 4]).tolist() == list(range(begin // 60, 1000 // 60 + 1))
    others = np.arange(18) != 4
    assert not changed[:, others].any()
    assert healthy.data[:, others].tobytes() == broken.data[:, others].tobytes()
    settle = stage.describe(info).settle
    first = np.arange(25) * 60 + 59 >= settle
    assert healthy.valid[first].all()
    assert not healthy.valid[0].any()  # before the first estimates


def test_the_mask_of_bins_goes_through_a_join():
    counts = Spikes(2.0, noise_window=0.03, noise_memory=0.1) | BinnedCounts(0.02)
    x = (8 * np.random.default_rng(62).standard_normal((1500, 3))).astype("f4")
    valid = np.ones(x.shape, bool)
    valid[700:1000, 1] = False
    joined = Run(counts & SpikeBandPower(0.02), signal(RATE, 3)).push(Block(x, 0, valid))
    alone = Run(counts, signal(RATE, 3)).push(Block(x, 0, valid))
    assert np.array_equal(joined.valid[:, :3], alone.valid)
    assert not joined.valid[12:16, [1, 4]].any()
    assert joined.valid[12:16, [0, 2]].all()


def test_describes_channels_as_senders():
    out = Spikes().describe(signal(30_000, 3))
    assert out.sources == ("ch000", "ch001", "ch002")
    assert out.labels == {0: "spike", 1: "lost", 2: "back"}
    assert (Spikes() | BinnedCounts(0.02)).describe(signal(30_000, 3)).rate == 50


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        (Spikes(-4.5), "needs 0 < threshold"),
        (Spikes(refractory=0.00001), "needs refractory of at least 1 sample"),
        (Spikes(noise_window=0.001), "needs noise_window of at least 15 sample"),
        (Spikes(noise_memory=0), "needs 0 < noise_memory"),
    ],
)
def test_what_does_not_fit_is_refused(stage, says):
    with pytest.raises(ContractError, match=says):
        stage.describe(signal(RATE, 2))


def test_a_decoder_leaves_a_dead_channel_out_and_the_chain_conforms():
    """A Kalman filter fed with bins marked by hand is the reference; taking 0 for silence gives another answer."""
    from ranvier.decode import KalmanFilter
    from ranvier.stage import Contract
    from ranvier.testing import check_stage

    info = signal(RATE, 3)
    front = (Spikes(2.0, noise_window=0.03, noise_memory=0.1) | BinnedCounts(0.02)) & SpikeBandPower(0.02)
    features = front.describe(info)
    rng = np.random.default_rng(65)
    decoder = KalmanFilter(
        0.9 * np.eye(2), 0.2 * np.eye(2), rng.standard_normal((6, 2)), np.eye(6), np.eye(2), np.zeros(6), np.zeros(2),
        ("vx", "vy"), ("cm/s", "cm/s"), Contract.of(features),
    )  # fmt: skip
    x = (8 * rng.standard_normal((1500, 3))).astype("f4")
    valid = np.ones(x.shape, bool)
    valid[700:1000, 1] = False
    got = Run(front | decoder, info).push(Block(x, 0, valid))
    bins = Run(front, info).push(Block(x, 0, valid))
    dead = bins.valid.copy()
    dead[11:17, 1] = False
    wanted = Run(decoder, features).push(Block(bins.data, bins.start, dead))
    silence = dead.copy()
    silence[11:17, 1] = True
    other = Run(decoder, features).push(Block(bins.data, bins.start, silence))
    assert np.array_equal(got.data, wanted.data)
    assert not np.allclose(got.data[11:17], other.data[11:17], rtol=0.01)
    check_stage(front | decoder, info)
