"""Markers land where they belong, whenever one asks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.acquire import ClockFitter, Landing, Mark, Marker, Packet, Sender, TriggerEdges
from ranvier.errors import ConfigError
from ranvier.stream import ClockFit, StreamInfo, merge_events
from tests.acquire.arrivals import BASE, BEGIN, HOUR, RATE, Arrivals

INFO = StreamInfo.signal(RATE, 2)
WAIT, JITTER = 0.1, 0.002
MS = 1_000_000


def landing(**senders):
    return Landing(INFO, ["left", "right"], senders or {"lab": Sender(WAIT, JITTER)})


def line(since=0, index=0.0, time=BEGIN, period=1 / RATE, uncertainty=0.0):
    return ClockFit(since=since, index=index, time=time, period=period, uncertainty=uncertainty)


def at(seconds, late=0.01, label="left"):
    """Make a marker of `seconds` after the stream's begin, `late` [s] on its way."""
    host = round((BEGIN + seconds) * 1e9)
    return Marker(host, label, 0.0, host + round(late * 1e9))


def test_an_instant_between_two_samples():
    land = landing()
    land.fit(line(uncertainty=0.001))
    land.packet(0, 500)
    land.marker(at(1.001), "lab")
    events = land.take(round((BEGIN + 2) * 1e9))
    assert (events.start, events.stop) == (0, 475)  # the newest less the watermark
    (row,) = events.table
    assert (row["sample"], row["code"], row["source"]) == (250, 0, 0)
    assert row["fraction"] == pytest.approx(0.25, abs=1e-3)
    assert row["uncertainty"] == pytest.approx(np.hypot(0.002, 0.001))
    assert land.info.labels == {0: "left", 1: "right"}


def test_nothing_is_complete_before_the_watermark():
    """What may still come decides: the host's time that was heard, and the newest sample."""
    land = landing()
    assert (land.take(0).start, land.take(0).stop) == (0, 0)
    land.fit(line())
    land.packet(40, 300)
    land.marker(at(1.0), "lab")
    heard = land.take(round((BEGIN + 1.05) * 1e9))
    assert (heard.start, heard.stop, heard.n) == (40, 237, 0)  # 1.05 s - 0.1 s
    rest = land.take(round((BEGIN + 9) * 1e9))
    assert (rest.start, rest.stop, rest.n) == (237, 275, 1)  # held by the newest sample


def test_late_unknown_and_early_markers_are_kept_aside():
    land = landing()
    land.fit(line())
    land.packet(250, 1000)
    for m in (at(2.0, late=WAIT + 1e-6), at(2.1, late=WAIT), at(2.2, label="cough"), at(0.5)):
        land.marker(m, "lab")
    events = land.take(round((BEGIN + 4) * 1e9))
    assert events.table["sample"].tolist() == [525]
    aside = {(a.why, a.label): a.sample for a in land.aside()}
    assert aside == {
        ("late", "left"): pytest.approx(500, abs=1e-3),
        ("unknown", "cough"): pytest.approx(550, abs=1e-3),
        ("before", "left"): pytest.approx(125, abs=1e-3),
    }
    assert land.aside() == []
    assert land.counts == {"entered": 1, "late": 1, "unknown": 1, "before": 1}


def story(seed, seconds=20):
    """What happens in the order in which it does: fits, packets, markers and marks of a stream that drifts."""
    rng = np.random.default_rng(seed)
    packets = Arrivals(seed, seconds=seconds, drift=float(rng.choice([-0.005, 0.0, 0.005])), jitter=0.01)
    fitter = ClockFitter(RATE, latency=BASE)
    told = []
    for stop, t in zip(packets.stops.tolist(), packets.times.tolist(), strict=True):
        fit = fitter.feed(stop, t)
        mark = Mark(float(stop - rng.integers(1, 60)), "right", 0.0, t) if rng.random() < 0.05 else None
        told.append((t, 0, "packet", (stop - 10, stop, fit, mark)))
    for h in rng.uniform(BEGIN, BEGIN + seconds, 60):
        late = rng.exponential(0.04)
        marker = Marker(round(h * 1e9), str(rng.choice(["left", "right", "noise"])), 1.0, round((h + late) * 1e9))
        told.append((marker.arrival_ns, 2, "marker", marker))
    return sorted(told, key=lambda x: x[:2]), packets


def tell(told, asks, senders):
    """Tell the story and ask after each `asks`-th thing; return all events, and what was set aside."""
    land, parts, aside = landing(**senders), [], []
    for k, (now, _, kind, what) in enumerate(told):
        if kind == "packet":
            start, stop, fit, mark = what
            if fit:
                land.fit(fit)
            ahead = mark and mark.sample >= start
            if ahead:  # a mark that comes before its sample waits for it
                land.mark(mark, "line")
            land.packet(start, stop)
            if mark and not ahead:
                land.mark(mark, "line")
        else:
            land.marker(what, "lab")
        if k in asks or k == len(told) - 1:
            parts.append(land.take(now))
            aside += land.aside()
    parts = [p for p in parts if p.stop]
    return merge_events(parts), {(a.sample, a.label, a.why) for a in aside}, parts


SENDERS = {"lab": Sender(WAIT, JITTER), "line": Sender(0.1, 0.001)}


@given(st.integers(0, 10**6), st.data())
def test_when_one_asks_changes_nothing(seed, data):
    told, _ = story(seed)
    every = tell(told, set(range(len(told))), SENDERS)
    some = data.draw(st.sets(st.integers(0, len(told) - 1), max_size=40))
    rare = tell(told, some, SENDERS)
    assert every[0].stop == rare[0].stop
    np.testing.assert_array_equal(every[0].table, rare[0].table)
    assert every[1] == rare[1]
    for parts in (every[2], rare[2]):
        assert all(a.stop == b.start for a, b in pairwise(parts))
        assert all(((p.table["sample"] >= p.start) & (p.table["sample"] < p.stop)).all() for p in parts)
    order = every[0].table["sample"] + every[0].table["fraction"].astype(float)
    assert np.all(np.diff(order) >= 0)


@pytest.mark.parametrize("seed", range(3))
def test_events_lie_where_they_were(seed):
    """Against the truth: within three standard deviations of what is said, and 3 ms."""
    told, packets = story(seed, seconds=60)
    events, _, _ = tell(told, set(range(0, len(told), 7)), {**SENDERS, "lab": Sender(WAIT, 0.0)})
    true = sorted(m.host_ns * 1e-9 for _, _, k, m in told if k == "marker" and m.label != "noise"
                  and m.arrival_ns - m.host_ns <= WAIT * 1e9)  # fmt: skip
    mine = events.table[(events.table["source"] == 0) & (events.table["sample"] > 5 * RATE)]
    found = packets.truth(mine["sample"] + mine["fraction"].astype(float))
    error = found - np.array(true)[np.abs(np.subtract.outer(found, true)).argmin(1)]
    assert len(found) > 20
    assert np.abs(error).max() < 3e-3
    assert np.mean(np.abs(error) < 3 * mine["uncertainty"]) > 0.95


@pytest.mark.parametrize("by", [-HOUR, HOUR])
@pytest.mark.parametrize("often", [1, 50])
def test_a_step_of_the_hosts_clock(by, often):
    """Before and after, markers land right; in the second until a step forward is believed they are late, not lost."""
    packets = Arrivals(3, seconds=20).stepped(BEGIN + 10, by)
    fitter, land = ClockFitter(RATE, latency=BASE), landing()
    told = [(t, (stop, None)) for stop, t in zip(packets.stops.tolist(), packets.at.tolist(), strict=True)]
    marks = np.arange(1.01, 19, 0.5)
    order = list(told)
    for s in marks:
        k = next(i for i, (stop, m) in enumerate(x for _, x in order) if m is None and stop > (s + 0.02) * RATE)
        host = BEGIN + s + (by if s > 10 else 0)
        order.insert(k, (host + 0.02, (None, Marker(round(host * 1e9), "left", s, round((host + 0.02) * 1e9)))))
    events, aside = [], []
    for i, (now, (stop, marker)) in enumerate(order):
        if marker:
            land.marker(marker, "lab")
        else:
            if fit := fitter.feed(stop, round(now * 1e9)):
                land.fit(fit)
            land.packet(stop - 10, stop)
        if i % often == 0 or i == len(order) - 1:
            events += list(land.take(round(now * 1e9)).table)
            aside += land.aside()
    found = {round(float(e["value"]), 2): e["sample"] + float(e["fraction"]) for e in events}
    found_late = {round(a.value, 2): a.sample for a in aside if a.why == "late"}
    assert len(found) + len(found_late) == len(marks)  # none is lost
    for s, sample in {**found, **found_late}.items():
        assert sample == pytest.approx(s * RATE, abs=6), s
    late = sorted(found_late)
    assert late == ([] if by < 0 else [s for s in late if 10 < s < 11.2])


def test_edges_of_a_trigger_channel():
    """The same edges for any cut; scanned one by one as the reference."""
    rng = np.random.default_rng(5)
    line_ = np.repeat(rng.integers(0, 4, 40), rng.integers(1, 30, 40))
    samples = np.stack([rng.integers(-99, 99, len(line_)), line_ + 256 * rng.integers(0, 2, len(line_))], 1)
    wanted = [(k, v) for k, v in enumerate(line_.tolist()) if k and v != line_[k - 1] and v]
    for cut in (1, 7, 64, len(line_)):
        edges, found = TriggerEdges(1, mask=0xFF), []
        for a in range(0, len(line_), cut):
            found += edges.feed(Packet(samples[a : a + cut].astype(np.int32), a, 9))
            found += edges.feed(Packet(samples[:0], a, 9))
        assert [(m.sample, m.value) for m in found] == wanted
        assert all(m.label == str(int(m.value)) for m in found)


def test_marks_of_the_stream_need_no_watermark():
    """A mark comes with its packet, before it or behind it; one of an earlier packet is late."""
    land = landing(device=Sender(0.0, 0.0))
    land.fit(line())
    land.packet(0, 10)
    land.mark(Mark(9.5, "left", 1.0, 5), "device")
    assert [(e["sample"], e["fraction"]) for e in land.take(2**62).table] == [(9, 0.5)]
    land.mark(Mark(12.0, "left", 1.0, 5), "device")
    land.packet(10, 20)
    land.mark(Mark(3.0, "right", 1.0, 5), "device")
    events = land.take(2**62)
    assert (events.start, events.stop, events.table["sample"].tolist()) == (10, 20, [12])
    assert [(a.why, a.sample) for a in land.aside()] == [("late", 3.0)]


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="a code each"):
        Landing(INFO, {"a": 1, "b": 1}, {"lab": Sender(1, 0)})
    with pytest.raises(ConfigError, match="knows the senders lab"):
        landing().marker(at(1), "nobody")
    with pytest.raises(ConfigError, match="channel >= 0"):
        TriggerEdges(-1)
