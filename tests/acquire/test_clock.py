"""The fitted clock against the known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.acquire import ClockFitter, clock_control, clock_fit
from ranvier.errors import ConfigError, StateError
from ranvier.stream import Clock
from tests.acquire.arrivals import BASE, BEGIN, EACH, HOUR, RATE, Arrivals

MS = 1e-3


def fitter(**changes):
    return ClockFitter(RATE, latency=BASE, **changes)


def after(rows, seconds):
    return rows[rows[:, 0] > seconds * RATE]


@pytest.mark.parametrize("drift", [-0.005, 0.0, 0.005])
@pytest.mark.parametrize("seed", range(3))
def test_drift_of_half_a_percent_is_tracked(drift, seed):
    rows = Arrivals(seed, drift=drift).feed(fitter())
    assert np.abs(after(rows, 0)[:, 1]).max() < 30 * MS  # from the first packet on
    assert np.abs(after(rows, 2)[:, 1]).max() < 3 * MS
    assert np.abs(after(rows, 20)[:, 1]).max() < 1 * MS
    assert np.sqrt((after(rows, 20)[:, 1] ** 2).mean()) < 0.2 * MS


def test_least_squares_through_all_packets_does_not_hold():
    """Negative control: the mean of the delays is in it, and one suspension throws it off."""
    packets = Arrivals(0, drift=0.005).suspended(BEGIN + 30, 10)
    line = np.polyfit(packets.stops, packets.at, 1)
    plain = np.polyval(line, packets.stops) - BASE - packets.truth(packets.stops - 1)
    ours = after(packets.feed(fitter()), 5)[:, 1]
    assert np.abs(ours).max() < 2 * MS
    assert np.abs(plain).max() > 500 * MS
    calm = Arrivals(0, drift=0.005)
    plain = np.polyval(np.polyfit(calm.stops, calm.at, 1), calm.stops) - BASE - calm.truth(calm.stops - 1)
    assert plain.mean() > 3 * MS  # the mean delay: our line has less than a fifth of it
    assert abs(after(calm.feed(fitter()), 20)[:, 1].mean()) < 0.6 * MS


def test_usb_frames_of_16_ms():
    """A serial adapter hands over what came every 16 ms; the beat with the packets shows where the envelope is."""
    rows = np.concatenate([Arrivals(s, jitter=0.2 * MS, frame=16 * MS, drift=0.001).feed(fitter()) for s in range(5)])
    assert np.abs(after(rows, 20)[:, 1]).max() < 1.5 * MS


def test_uncertainty_covers_the_error():
    """As a standard deviation should; the mean delay is told to it as `jitter`."""
    for jitter in (1 * MS, 5 * MS, 20 * MS):
        z = np.concatenate(
            [after(Arrivals(s, jitter=jitter, drift=0.003).feed(fitter(jitter=jitter)), 1) for s in range(8)]
        )
        ratio = np.abs(z[:, 1]) / z[:, 2]
        assert np.quantile(ratio, 0.68) < 1.1
        assert np.quantile(ratio, 0.95) < 2.2


@pytest.mark.parametrize("length", [1.0, 30.0])
@pytest.mark.parametrize("drift", [-0.005, 0.005])
def test_a_suspended_process_does_not_move_the_clock(length, drift):
    packets = Arrivals(4, seconds=120, drift=drift).suspended(BEGIN + 40, length)
    rows = packets.feed(fitter())
    assert packets.at.max() - packets.at[packets.stops >= 40 * RATE].min() > length
    assert np.abs(after(rows, 20)[:, 1]).max() < 3 * MS  # in it the line goes on as it was for that long
    assert np.abs(after(rows, 41 + length)[:, 1]).max() < 1 * MS


@pytest.mark.parametrize("by", [-HOUR, HOUR])
def test_a_step_of_the_hosts_clock(by):
    packets = Arrivals(5, seconds=90, drift=0.005).stepped(BEGIN + 40, by)
    rows = packets.feed(fitter())
    error = rows[:, 1] - np.where(packets.at - (by if by > 0 else 0) >= BEGIN + 40, by, 0) * (packets.stops > 39 * RATE)
    seconds = rows[:, 0] * packets.period
    before = (seconds > 20) & (seconds < 39.9)
    settled = seconds > (41.5 if by > 0 else 40.2)  # a step back shows at once, one forward after a second
    assert np.abs(error[before]).max() < 1 * MS
    assert np.abs(np.abs(rows[settled, 1]) - HOUR).max() < 25 * MS
    assert np.abs(np.abs(rows[seconds > 65, 1]) - HOUR).max() < 1 * MS


def test_a_small_lasting_delay_is_believed_after_the_window():
    """From then on 0.2 s more on the way: for 20 s it may be congestion, then it is the latency."""
    packets = Arrivals(6, seconds=90, drift=0.005).stepped(BEGIN + 30, 0.2)
    rows = packets.feed(fitter())
    seconds = rows[:, 0] * packets.period
    assert np.abs(rows[(seconds > 20) & (seconds < 48), 1]).max() < 1 * MS
    assert np.abs(rows[seconds > 75, 1] - 0.2).max() < 1 * MS


def test_congestion_of_three_seconds_is_passed_over():
    packets = Arrivals(7, seconds=60, drift=-0.005)
    held = (packets.at > BEGIN + 30) & (packets.at < BEGIN + 33)
    packets.at = np.maximum.accumulate(np.where(held, packets.at + 0.05, packets.at))
    rows = packets.feed(fitter())
    assert np.abs(after(rows, 20)[:, 1]).max() < 1 * MS


def test_a_rate_that_changes_at_once_is_followed_within_seconds():
    """+0.5 % from one sample to the next: nothing does so, but a fault that is injected."""
    a, b = Arrivals(8, seconds=40), Arrivals(9, seconds=60, drift=0.005)
    a.at = np.concatenate([a.at, b.at - BEGIN + a.truth(a.stops[-1])])
    a.stops = np.concatenate([a.stops, b.stops + a.stops[-1]])
    clock = fitter()
    for stop, at in zip(a.stops.tolist(), a.times.tolist(), strict=True):
        clock.feed(stop, at)
    there = a.stops[-1] - 1
    truth = a.truth(40 * RATE) + (there - 40 * RATE) * b.period
    assert abs(clock.clock.time_of(there) - truth) < 1 * MS
    later = np.arange(0, 50 * RATE)
    error = [clock.clock.time_of(40 * RATE + i) - a.truth(40 * RATE) - i * b.period for i in later]
    assert np.abs(error).max() < 30 * MS
    assert np.abs(error[15 * RATE :]).max() < 1 * MS


def test_lost_samples_leave_the_line_alone():
    packets = Arrivals(10, drift=0.005)
    kept = np.random.default_rng(1).random(len(packets.stops)) > 0.3
    kept[500:900] = False
    packets.stops, packets.at = packets.stops[kept], packets.at[kept]
    assert np.abs(after(packets.feed(fitter()), 20)[:, 1]).max() < 1 * MS


def test_latency_is_the_bias():
    """What is constant on the way cannot be seen: it must be said."""
    packets = Arrivals(11)
    unsaid = after(packets.feed(ClockFitter(RATE)), 30)[:, 1]
    assert unsaid.mean() == pytest.approx(BASE, abs=0.3 * MS)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 400), min_size=2, max_size=60))
def test_fits_only_begin_behind_what_was_seen_and_change_nothing_before(seed, steps):
    rng = np.random.default_rng(seed)
    fit, stops = fitter(), np.cumsum(steps)
    arrivals = np.maximum.accumulate((stops / RATE + rng.exponential(0.05, len(stops))) * 1e9).astype(np.int64)
    arrivals += np.where(rng.random(len(stops)) < 0.05, rng.integers(-(10**13), 10**13, len(stops)), 0)
    seen = {}
    for stop, at in zip(stops.tolist(), arrivals.tolist(), strict=True):
        new = fit.feed(stop, at)
        assert new is None or new.since == stop
        assert all(fit.clock.time_of(i) == t for i, t in seen.items())
        seen[stop - 1] = fit.clock.time_of(stop - 1)
    again = fitter()
    fits = [f for s, t in zip(stops.tolist(), arrivals.tolist(), strict=True) if (f := again.feed(s, t))]
    assert tuple(fits) == fit.clock.fits
    replayed = Clock(clock_fit(clock_control(fits[0])))
    for f in fits[1:]:
        replayed.add(clock_fit(clock_control(f)))
    assert all(replayed.time_of(i) == t for i, t in seen.items())


def test_index_of_a_time_is_final_and_in_order():
    """An index that was given below the newest sample stays, whatever fits come; later times get later indices."""
    packets, fit = Arrivals(12, seconds=30, drift=0.005, jitter=0.02), fitter()
    asked = {}
    for stop, at in zip(packets.stops.tolist(), packets.times.tolist(), strict=True):
        fit.feed(stop, at)
        for h in (at * 1e-9 - 0.05, at * 1e-9 - 0.01):
            if fit.clock.index_of(h) < stop:
                asked[h] = fit.clock.index_of(h)
    assert len(asked) > 500
    assert all(fit.clock.index_of(h) == i for h, i in asked.items())
    answers = [fit.clock.index_of(h) for h in np.linspace(BEGIN, BEGIN + 30, 5000)]
    assert np.all(np.diff(answers) >= 0)


def test_a_device_that_came_back_begins_a_new_line():
    fit = fitter()
    for stop, at in zip((a := Arrivals(13, seconds=10)).stops.tolist(), a.times.tolist(), strict=True):
        fit.feed(stop, at)
    fit.restart()
    new = fit.feed(10 * RATE + 7 * RATE, int((BEGIN + 16.9) * 1e9))  # its index is off by 0.1 s
    assert new is not None
    assert new.time_of(17 * RATE - 1) == pytest.approx(BEGIN + 16.9 - BASE, abs=1e-9)


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="rate > 0 Hz"):
        ClockFitter(0.001, tolerance=0.7)
    with pytest.raises(StateError, match="one packet"):
        fitter().clock  # noqa: B018
    fit = fitter()
    fit.feed(EACH, 0)
    with pytest.raises(StateError, match="in order"):
        fit.feed(EACH, 10)
    with pytest.raises(ConfigError, match="kind 'clock'"):
        clock_fit(clock_control(fit.clock.fits[0]).__class__(at_sample=0, kind="swap"))
