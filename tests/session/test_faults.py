"""The fault matrix: for each fault what comes of it, and that nothing else does.

What is marked invalid is compared, to the bit, with a run that was given the same mask from outside and never saw the
fault; all losses are looked for in the recording.
"""

import os
import signal
import sys
import threading
import time
from multiprocessing import get_context

import numpy as np
import pytest

from ranvier import channels, denoise, record
from ranvier.acquire import Packet
from ranvier.act import Guard, Map
from ranvier.errors import DeviceError
from ranvier.session import Ring, Session, replay
from ranvier.session._intake import Intake
from ranvier.session._session import fitter
from ranvier.stage import Run
from ranvier.stream import Block
from tests.act.fakes import Memory
from tests.session.scripted import Script, noise, outputs, packets

GRAPH = denoise.Bandpass(8, 30) | channels.CommonReference()
N = 800
X = noise(N, seed=7)


def reference(x, mask, *, start=0, info=None):
    """What the graph makes of samples with a mask given from outside; what the mask hides is another number."""
    source = Script()
    source.open()
    info = source.entrance.describe(source.info)
    source.close()
    hidden = np.where(mask, x, np.float32(1e5)).astype(np.float32)
    out = Run(GRAPH, info).push(Block(hidden, start, mask))
    return np.arange(out.start, out.stop), out.data, out.valid


def same(got, want):
    """To the bit: the same samples, the same mask, the same numbers where they are valid."""
    index, x, valid = got[:3]
    at, y, good = want
    assert np.array_equal(index, at)
    assert np.array_equal(valid, good)
    assert x[valid].tobytes() == y[good].tobytes()
    assert valid.any()
    assert np.isfinite(x).all()


def everywhere(*stretches):
    mask = np.ones((N, 4), bool)
    for a, b in stretches:
        mask[a:b] = False
    return mask


def without(a, b):
    return [*packets(X[:a]), *packets(X[b:], start=b)]


# what the stream itself shows -----------------------------------------------------------------------
@pytest.mark.parametrize(("a", "b"), [(200, 205), (400, 500)], ids=["counter jump", "burst loss"])
def test_lost_samples_are_masked_and_nothing_else(a, b):
    got = outputs(Script(without(a, b)), GRAPH)
    same(got, reference(X, everywhere((a, b))))


def test_a_long_loss_ends_the_segment():
    a, b = 300, 300 + 251  # s more than Integrity fills at 250 Hz
    index, x, valid, _ = outputs(Script(without(a, b)), GRAPH)
    first, second = reference(X[:a], np.ones((a, 4), bool)), reference(X[b:], np.ones((N - b, 4), bool), start=b)
    same((index, x, valid), [np.concatenate(p) for p in zip(first, second, strict=True)])


def test_duplicates_change_nothing_and_what_comes_too_late_is_lost():
    steps = packets(X)
    twice = [*steps[:30], steps[29], *steps[30:]]
    same(outputs(Script(twice), GRAPH), reference(X, everywhere()))
    swapped = [*steps[:30], steps[31], steps[30], *steps[32:]]
    same(outputs(Script(swapped), GRAPH), reference(X, everywhere((300, 310))))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_numbers_that_are_none_are_masked_in_their_channel(bad):
    x, mask = X.copy(), everywhere()
    x[300:350, 2], mask[300:350, 2] = bad, False
    front = denoise.Integrity(rail=1e6)
    same(outputs(Script(packets(x), front=front), GRAPH), reference(X, mask))


def test_a_railing_channel_is_masked():
    x, mask = X.copy(), everywhere()
    x[300:420, 0], mask[300:420, 0] = 187_500.0, False
    x[500, 1], mask[500, 1] = -187_500.0, False
    same(outputs(Script(packets(x), front=denoise.Integrity(rail=187_000)), GRAPH), reference(X, mask))


def test_a_flat_channel_is_masked_once_that_is_known():
    x, mask = X.copy(), everywhere()
    x[300:450, 3] = 1.5
    mask[300 + 50 - 1 : 450, 3] = False  # 0.2 s of equal samples are flat
    got = outputs(Script(packets(x), front=denoise.Integrity(flat=0.2)), GRAPH)
    same(got, reference(x, mask))


@pytest.mark.parametrize("size", [1, 10, 64])
def test_all_of_it_at_once_however_it_is_cut(size):
    x, mask = X.copy(), everywhere((256, 320))
    x[100:130, 1], mask[100:130, 1] = np.nan, False
    x[600:610, :2], mask[600:610, :2] = 2e5, False
    steps = [*packets(x[:256], size), *packets(x[320:], size, 320)]
    steps.insert(3, steps[2])
    same(outputs(Script(steps, front=denoise.Integrity(rail=1e5)), GRAPH), reference(X, mask))


# the device ------------------------------------------------------------------------------------------
def test_a_device_that_is_unplugged_is_taken_back():
    """What came before is untouched; what comes after is a new segment, as much later as it was away."""
    steps = [*packets(X[:300]), DeviceError("unplugged"), *packets(X[300:600])]
    front = denoise.Integrity(gap=0.2)
    source = Script(steps, opens=[None, DeviceError("not there yet"), None], front=front)
    began = time.monotonic()
    index, x, valid, s = outputs(source, GRAPH)
    took = time.monotonic() - began
    back = int(index[300])
    good = np.ones((300, 4), bool)
    first, second = reference(X[:300], good), reference(X[300:600], good, start=back)
    same((index, x, valid), [np.concatenate(p) for p in zip(first, second, strict=True)])
    assert 300 + round(0.7 * 250) - 10 <= back <= 300 + round(took * 250)
    assert s.report.sources["signal"]["reconnected"] == 1
    assert s.report.sources["signal"]["failure"] == ""


def test_another_device_in_its_place_is_refused():
    source = Script([*packets(X[:100]), DeviceError("unplugged"), *packets(X[:100])])
    kept = source._open

    def other():
        kept()
        if source.did.count("open") > 1:
            source._info = source._info.but(rate=500)

    source._open = other
    index, _, _, s = outputs(source, GRAPH)
    assert index[-1] == 99
    assert "another one answered" in s.report.sources["signal"]["failure"]


@pytest.mark.parametrize("drift", [0.005, -0.005])
def test_a_drifting_rate_is_found(drift):
    """The samples go through as they are; the clock says how fast they come, within 0.02 % after ten seconds."""
    rng, began = np.random.default_rng(3), 10**12
    steps = []
    for start, x in packets(noise(7500), 5):
        due = began + (start + 5) / 250 / (1 + drift) * 1e9
        steps.append(Packet(x, start, round(due + rng.exponential(2e6))))
    source = Script(steps, paced=True)
    source.open()
    ring = Ring.create(source.info, 40.0)
    with ring.reader() as reader:
        intake = Intake(source, ring, fitter(source))
        source.start()
        intake._run()
        n = 0
        while reader.read() is not None:
            n += 1
    source.close()
    assert (n, intake.failure) == (7500, None)
    fits = [p for kind, _, p in intake.said if kind == "clock"]
    late = [1 / f["period"] for f in fits if f["since"] > 2500]
    assert late
    assert max(abs(r / (250 * (1 + drift)) - 1) for r in late) < 2e-4


# the host's clock ------------------------------------------------------------------------------------
@pytest.mark.parametrize("step", [3600, -3600])
def test_a_wall_clock_that_is_set_changes_nothing(step, monkeypatch):
    before = outputs(Script(packets(X)), GRAPH)
    true_ns, true_s, moved = time.time_ns, time.time, [0]
    monkeypatch.setattr(time, "time_ns", lambda: true_ns() + moved[0] * 10**9)
    monkeypatch.setattr(time, "time", lambda: true_s() + moved[0])

    def set_clock():
        moved[0] = step

    steps = packets(X)
    same(outputs(Script([*steps[:40], set_clock, *steps[40:]]), GRAPH), before[:3])


@pytest.mark.parametrize("step", [3600, -3600])
def test_stamps_that_leap_by_an_hour_lose_nothing_and_nothing_old_is_acted_upon(step):
    """Of a device that stamps by a clock that was set: its samples are taken; what seems an hour old is refused."""
    begun = []

    def stamped(start, x):
        def packet():
            begun.append(time.monotonic_ns()) if not begun else None
            leap = step * 10**9 if start >= 400 else 0
            return Packet(x, start, begun[0] + (start + len(x)) * 4_000_000 + leap)

        return packet

    source, did = Script([stamped(*p) for p in packets(X)], paced=True), Memory()
    graph = denoise.Bandpass(8, 30) | Map(targets=("ch000",), names=("v",), units=("1",))
    index, x, valid, s = outputs(source, graph, actuator=did, guard=Guard(max_age=5.0))
    assert np.array_equal(index, np.arange(N))
    want = Run(denoise.Bandpass(8, 30), denoise.Integrity().describe(source.info)).push(Block(X, 0))
    assert x[valid].tobytes() == want.data[want.valid].tobytes()
    refused = s.report.guard["refused"]
    if step < 0:
        assert set(refused) == {"age"}
        assert refused["age"] > 350
    assert s.report.counts["samples"] == N


# the processes ---------------------------------------------------------------------------------------
linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc")


@linux
def test_suspended_processes(tmp_path):
    """The whole session stopped for 2 s, the recorder for 2 s: nothing is lost. The recorder for longer than the rings
    hold: the loss is written down, and the loop did not notice."""
    from tests.session.test_kill import Sessions, until

    sessions = Sessions(tmp_path)
    pid, status = sessions.begin(tmp_path / "s.rvr")
    for victim in (pid, status["recorder"]):
        os.kill(victim, signal.SIGSTOP)
        time.sleep(2)
        before = status["loop"]
        os.kill(victim, signal.SIGCONT)
        until(lambda was=before: status["loop"] > was + 500)
    until(lambda: status["durable"] > before)
    handed = status["durable"]
    os.kill(status["recorder"], signal.SIGSTOP)
    begun = status["loop"]
    until(lambda: status["loop"] > begun + 6500)  # the loop goes on meanwhile
    os.kill(status["recorder"], signal.SIGCONT)
    was = status["durable"]
    until(lambda: status["durable"] > was)
    status["wish"] = 1
    assert sessions.ended() == 0
    sessions.close()
    found = record.open(tmp_path / "s.rvr")
    stretches = found.raw("signal").stretches
    assert len(stretches) == 2
    (_, a), (b, stop) = stretches
    assert a > handed - 1000
    assert stop == status["handed"]
    losses = [n for n in found.log("loss") if n.payload["reason"] == "recorder too slow"]
    assert sum(n.payload["samples"] for n in losses) == b - a > 0
    assert replay(tmp_path / "s.rvr").recorded()


def watch(name, pipe):
    """A viewer that attaches, then never reads."""
    with Ring.attach(name, newest=True):
        pipe.send("attached")
        pipe.recv()


@linux
def test_viewers_that_never_read_or_are_stopped_cost_nothing():
    source, ready = Script(packets(noise(1000)), paced=True, rate=1000), threading.Event()
    source.left = [lambda: None if ready.is_set() else source.left.insert(0, source.waits), *source.steps]
    source.waits = source.left[0]
    kept = []
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    with Session(source, GRAPH, look=lambda out, said: kept.append(out.copy())) as s:
        child = context.Process(target=watch, args=(s.rings["signal"], theirs), daemon=True)
        child.start()
        try:
            assert ours.poll(60)
            assert ours.recv() == "attached"
            os.kill(child.pid, signal.SIGSTOP)
            idle = s.viewer(newest=True)
            ready.set()
            s.run(seconds=30)
            assert s._rings[0].readers == 3
        finally:
            child.kill()
            child.join(30)
            child.close()
            ours.close()
            theirs.close()
    assert idle.read().stop == 1000  # the newest
    idle.close()
    assert sum(b.n for b in kept) == 1000
    assert s.report.sources["signal"]["overrun_samples"] == 0
    assert s.report.counts["restarts"] == 0


# the recording ---------------------------------------------------------------------------------------
def test_every_loss_is_in_the_recording_within_a_second(tmp_path):
    """One session with a jump, a duplicate, a packet too late, silence and a device that goes and comes back."""
    when = {}

    def at(what, step):
        def now():
            when[what] = time.monotonic_ns()
            return step

        return now

    class Quiet:
        """Nothing for a while."""

        def __call__(self):
            when.setdefault("silent", time.monotonic_ns())
            if time.monotonic_ns() - when["silent"] < 900_000_000:
                source.left.insert(0, self)
                time.sleep(0.02)

    p = packets(noise(2000), 10)
    steps = [*p[:20], at("lost", p[21]), *p[22:30], at("index went back", p[28]), *p[30:40], Quiet(), *p[60:70]]
    steps += [at("device lost", DeviceError("unplugged")), *p[:20]]
    source = Script(steps, paced=True)
    source._due = lambda step: source._clock()
    with Session(source, GRAPH, record=tmp_path / "f.rvr") as s:
        s.run(seconds=60)
    found = record.open(tmp_path / "f.rvr")
    gaps = [(n.payload["reason"], n.sample, n.host, n.payload) for n in found.log("gap")]
    assert [g[0] for g in gaps] == [
        "lost", "index went back", "silent", "lost", "device lost", "device back", "lost",
    ]  # fmt: skip
    for reason, _, host, _ in gaps:
        if reason in when:
            first = next(g for g in gaps if g[0] == reason)[2]
            assert 0 < (first - when[reason]) / 1e9 < 1.0
            assert host >= when[reason]
    assert [(g[1], g[3]["samples"]) for g in gaps if g[0] == "lost"][:2] == [(200, 10), (400, 200)]
    stretches = found.raw("signal").stretches
    assert [b - a for a, b in stretches] == [200, 190, 100, 200]
    assert s.report.sources["signal"]["reconnected"] == 1
    assert not record.verify(tmp_path / "f.rvr").damage
    verdict = replay(tmp_path / "f.rvr").check()
    assert verdict.identical
    assert verdict.decisions > 600


@linux
def test_a_cyton_with_the_faults_of_a_radio_link(tmp_path):
    """The real driver at a pseudo terminal: what the server dropped is what the recording lacks; the rest is equal."""
    pytest.importorskip("serial")
    from ranvier.acquire import Cyton
    from ranvier.twin import CytonServer

    x = 50 * np.random.default_rng(5).standard_normal((1000, 8)).astype(np.float32)
    feed = record.from_array(x, rate=250, names=CYTON)
    server = CytonServer(feed, seconds=3.2, drop=0.02, duplicate=0.02, swap=0.02, drift=0.005, seed=8)
    server.open()
    server.start()
    try:
        with Session(Cyton(server.where), denoise.Bandpass(8, 30), record=tmp_path / "c.rvr") as s:
            s.run(seconds=30, stop=lambda: s.report._parts[0].counts["samples"] > 600)
    finally:
        server.close()
    sent = server.counts(Block(x, 0))
    found = record.open(tmp_path / "c.rvr")
    dropped = {k for k, what in server.faults if what == "drop"}
    swapped = {k + i for k, what in server.faults if what == "swap" for i in (-1, 0, 1)}
    have = set()
    for d in found.raw("signal").blocks():
        assert np.array_equal(d.samples, sent[d.start : d.start + len(d.samples)])
        have |= set(range(d.start, d.start + len(d.samples)))
    missing = set(range(max(have))) - have
    assert missing <= dropped | swapped
    assert {k for k in dropped if k < max(have)} <= missing
    assert len(missing) > 3
    assert sum(n.payload["samples"] for n in found.log("gap") if n.payload["reason"] == "lost") == len(missing)
    assert replay(tmp_path / "c.rvr").check([None, 64]).identical


CYTON = tuple("Fp1 Fp2 C3 C4 P7 P8 O1 O2".split())
