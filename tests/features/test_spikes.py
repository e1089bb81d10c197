"""Spikes against their definition in plain Python, and against planted spikes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.errors import ContractError
from ranvier.features import BinnedCounts, Spikes
from ranvier.features._spikes import HEARD
from ranvier.stage import Run
from ranvier.stream import Block

from .helpers import signal

RATE = 3000


def crossings(stage, x, rate, start=0, valid=None):
    """Return (sample, channel, value) of each crossing: the words of the docstring, one number at a time."""
    n_time, n = x.shape
    window = round(stage.noise_window * rate)
    m = min(HEARD, window - 1 + window % 2)
    stride = window // m
    weight = min(1.0, m * stride / rate / stage.noise_memory)
    refractory = round(stage.refractory * rate)
    count, noise, limit, blind = [0] * n, [0.0] * n, [-np.inf] * n, [-np.inf] * n
    before = [None] * n
    heard = [[] for _ in range(n)]
    late = [c * m // n for c in range(n)]
    out = []
    for t in range(n_time):
        for c in range(n):
            v = np.float32(x[t, c])
            if valid is not None and not valid[t, c]:
                before[c] = None
                continue
            if before[c] is not None and v < limit[c] <= before[c] and start + t >= blind[c]:
                blind[c] = start + t + refractory
                out.append((start + t, c, v))
            before[c] = v
            if (start + t) % stride == 0:
                if late[c]:
                    late[c] -= 1
                    continue
                heard[c].append(abs(v))
                if len(heard[c]) == m:
                    new = float(sorted(heard[c])[m // 2]) / 0.6744897501960817
                    heard[c] = []
                    count[c] += 1
                    noise[c] = np.float32(float(noise[c]) + max(weight, 1 / count[c]) * (new - float(noise[c])))
                    limit[c] = np.float32(-stage.threshold * float(noise[c])) if noise[c] > 0 else -np.inf
    return out


def listed(events):
    return [(int(e["sample"]), int(e["source"]), e["value"]) for e in events.table]


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
            assert len(wanted) > 50
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
        mine = got.table["sample"][(got.table["source"] == c) & (got.table["sample"] >= 30_000)]
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
    rate = (got.table["sample"] >= 30_000).sum() / 16
    assert rate == pytest.approx(30_000 * norm.sf(3) * norm.cdf(3), rel=0.15)


def test_the_noise_estimate_is_robust_and_follows_a_change():
    x, _ = planted(57, 3, 4)
    x[45_000:] *= 3
    run = Run(Spikes(noise_memory=0.5), signal(30_000, 4))
    run.push(Block(x[:45_000]))
    np.testing.assert_allclose(run.save()["stage/noise"], 7.0, rtol=0.1)  # plain std is 25 % higher
    run.push(Block(x[45_000:], 45_000))
    np.testing.assert_allclose(run.save()["stage/noise"], 21.0, rtol=0.15)


def test_no_spike_before_the_first_estimate():
    x, _ = planted(58, 2, 8)
    got = Run(Spikes(noise_window=0.25), signal(30_000, 8)).push(Block(x))
    assert got.table["sample"].min() >= 0.25 * 30_000


def test_a_channel_that_was_away_does_not_cross_on_its_return():
    info = signal(RATE, 1)
    stage = Spikes(3.0, noise_window=0.05, noise_memory=1.0)
    x = np.random.default_rng(59).choice([-1.0, 1.0], (900, 1)).astype("f4")
    x[600:] = -50.0
    valid = np.ones(x.shape, bool)
    assert Run(stage, info).push(Block(x, 0, valid)).n == 1
    valid[595:605] = False
    assert Run(stage, info).push(Block(x, 0, valid)).n == 0


def test_describes_channels_as_senders():
    out = Spikes().describe(signal(30_000, 3))
    assert out.sources == ("ch000", "ch001", "ch002")
    assert out.labels == {0: "spike"}
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
