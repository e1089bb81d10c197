"""The life of a session: whatever fails, the actuator is safe first, the recording is closed, nobody is left behind."""

import threading
import time

import numpy as np
import pytest

from ranvier import denoise, record
from ranvier.act import Guard, Limits, Map
from ranvier.channels import Scale
from ranvier.errors import ConfigError, ContractError, DeviceError, StateError
from ranvier.session import Budget, Replay, Session, replay, shadow
from ranvier.stage import Run
from ranvier.stream import Block
from tests.act.fakes import Memory
from tests.session.scripted import Script, noise, outputs, packets

BAND = denoise.Bandpass(8, 30)
ACT = BAND | Map(targets=("ch0", "ch1"), names=("vx", "vy"), units=("cm/s", "cm/s"))
NAMES = ("ch0", "ch1")


@pytest.fixture(autouse=True)
def nobody_is_left():
    before = set(threading.enumerate())
    yield
    for t in set(threading.enumerate()) - before:
        t.join(10)
    assert not set(threading.enumerate()) - before


def named(graph, source):
    """The graph with a map of the first two channels of a source."""
    source.open()
    a, b = source.info.channels.names[:2]
    source.close()
    return graph | Map(targets=(a, b), names=("vx", "vy"), units=("cm/s", "cm/s"))


def endless():
    """A device that delivers in real time, for a minute if nobody stops it."""
    return Script(packets(noise(15_000)), paced=True, real=True)


# the order of things -------------------------------------------------------------------------------
def test_start_run_stop_in_every_order():
    x = noise(500)
    s = Session(Script(packets(x)), BAND)
    s.stop()
    s.stop()
    with pytest.raises(StateError, match="started"):
        s.run()
    s.start()
    with pytest.raises(StateError, match="does not run"):
        s.start()
    assert s.run().ended == "source"
    s.stop()
    s.stop()
    with pytest.raises(StateError, match="started"):
        s.run()


def test_a_stopped_session_starts_again_and_gives_the_same():
    kept = []
    source = Script(packets(noise(300)))
    s = Session(source, BAND, look=lambda out, said: kept.append(out.data.tobytes()))
    for _ in range(2):
        with s:
            source.left = list(source.steps)
            s.run()
        assert s.report.counts["samples"] == 300
    assert b"".join(kept[: len(kept) // 2]) == b"".join(kept[len(kept) // 2 :])


@pytest.mark.parametrize(
    ("what", "why"),
    [({"samples": 100}, "samples"), ({"seconds": 0.05}, "time"), ({"stop": lambda: True}, "stop"), ({}, "source")],
)
def test_it_says_why_it_ended(what, why):
    real = why == "time"
    with Session(Script(packets(noise(200 if why == "source" else 15_000)), paced=real, real=real), BAND) as s:
        assert s.run(**what).ended == why


def test_stop_from_another_thread_while_it_runs():
    source, did = endless(), Memory()
    s = Session(source, named(BAND, source), actuator=did, guard=Guard())
    moved, errors = threading.Event(), []

    def run():
        try:
            s.run()
        except Exception as e:
            errors.append(e)

    s.look = lambda out, said: moved.set()
    s.start()
    thread = threading.Thread(target=run)
    thread.start()
    assert moved.wait(20)
    s.stop("enough")
    assert (did.phase, source.phase) == ("closed", "closed")
    thread.join(10)
    assert not thread.is_alive()
    assert not errors
    assert s.report.ended == "enough"
    assert [w for w in did.so_far() if isinstance(w, str)] == ["open", "start", "stop", "close"]


def test_stop_from_within_look_makes_the_actuator_safe_at_once():
    source, did, seen = endless(), Memory(), []
    s = Session(source, named(BAND, source), actuator=did, guard=Guard())

    def look(out, said):
        s.stop("look")
        seen.append(did.phase)

    s.look = look
    with s:
        s.run()
        assert seen == ["closed"]
    assert (s.report.ended, source.phase) == ("look", "closed")


# what fails ----------------------------------------------------------------------------------------
class Boom(Exception):
    pass


def run_until_it_fails(s, where):
    with s:
        fails(s, where)
        s.run(seconds=20)


def fails(s, where):
    """Let something fail after a few blocks."""
    n = iter(range(10**6))

    def boom(*args):
        if next(n) == 5:
            raise Boom
        return kept(*args)

    if where == "graph":
        kept = s._loop.run.step
        s._loop.run.step = boom
    elif where == "look":
        kept = lambda out, said: None  # noqa: E731
        s._loop.look = boom
    elif where == "actuator":
        kept = s.actuator._send
        s.actuator._send = boom


@pytest.mark.parametrize("where", ["graph", "look", "actuator"])
def test_what_fails_in_the_loop_is_raised_and_the_actuator_is_safe(where):
    source, did = endless(), Memory()
    order = source.did
    did._stop = lambda: order.append("safe")
    s = Session(source, named(BAND, source), actuator=did, guard=Guard())
    order.clear()
    with pytest.raises(Boom):
        run_until_it_fails(s, where)
    assert (did.phase, source.phase) == ("closed", "closed")
    assert order.index("safe") < order.index("stop") < order.index("close")


def test_what_fails_while_it_is_recorded_leaves_a_closed_recording(tmp_path):
    source = endless()
    s = Session(source, BAND, record=tmp_path / "a.rvr")
    with pytest.raises(Boom):
        run_until_it_fails(s, "graph")
    found = record.open(tmp_path / "a.rvr")
    assert found.closed
    assert s.report.recording["state"] == "closed"
    assert not record.verify(tmp_path / "a.rvr").damage
    (d,) = found.raw("signal").stretches
    assert d[1] >= 6  # what the graph was given when it failed is there, too
    assert replay(tmp_path / "a.rvr").check([None, 7]).identical


def test_a_source_that_fails_ends_the_session_and_says_why():
    for error, said in ((ValueError("odd bytes"), "ValueError: odd bytes"), (ContractError("other shape"), "other")):
        index, _, _, s = outputs(Script([*packets(noise(100)), error, *packets(noise(50), start=100)]), BAND)
        assert index[-1] == 99
        assert said in s.report.sources["signal"]["failure"]
        assert s.report.ended == "source"


@pytest.mark.parametrize("verb", ["_open", "_start"])
def test_a_device_that_does_not_start_leaves_nothing_running(verb, tmp_path):
    source, did = endless(), Memory()
    graph = named(BAND, source)

    def fail():
        raise DeviceError("no such port")

    setattr(source, verb, fail)
    with pytest.raises(DeviceError, match="no such port"), Session(source, graph, actuator=did, guard=Guard()) as s:
        s.run()
    assert (did.phase, source.phase) == ("closed", "closed")


def test_what_fails_on_the_way_out_does_not_stop_the_rest():
    source, did = Script(packets(noise(200))), Memory()

    def gone():
        raise RuntimeError("the arm fell off")

    did._stop = gone
    s = Session(source, named(BAND, source), actuator=did, guard=Guard())
    with pytest.raises(DeviceError, match="fell off"), s:
        s.run()
    assert source.phase == "closed"
    assert did.phase == "closed"
    with pytest.raises(Boom) as caught, s:  # and does not hide what failed first
        raise Boom
    assert "fell off" in caught.value.__notes__[0]


def test_an_actuator_that_is_gone_is_counted():
    source, did = Script(packets(noise(400))), Memory()

    def send(approved):
        raise DeviceError("unplugged")

    did._send = send
    said = []
    graph = named(BAND, source)
    with Session(source, graph, actuator=did, guard=Guard(), look=lambda out, v: said.extend(v)) as s:
        s.run()
    assert s.report.counts["unsent"] == s.report.counts["approved"] > 0
    assert said[-1]["unsent"] == "unplugged"


def test_wrong_parts_are_refused_before_anything_is_opened(tmp_path):
    source = Script(packets(noise(10)))
    for given, said in (
        ({"graph": BAND, "actuator": Memory()}, "guard"),
        ({"graph": None}, "neither"),
        ({"graph": None, "actuator": Memory(), "guard": Guard(), "record": "a.rvr"}, "graph to act"),
    ):
        with pytest.raises(ContractError, match=said):
            Session(source, **given)
    with pytest.raises(ContractError, match="pace"):
        Session(source, BAND, record=tmp_path / "a.rvr").start()
    with pytest.raises(ContractError, match="got 2 for 1"):
        Session({"a": source, "b": Script()}, BAND).start()
    with pytest.raises(ContractError, match="nobody"):
        Session(source, BAND | Map(targets=("nobody",), names=("vx",), units=("1",))).start()
    assert source.phase == "closed"


# time ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("miss", ["warn", "skip", "stop"])
def test_a_budget_is_kept(miss):
    """Samples that are a second old, by what their source says, miss a budget of a tenth."""
    x = noise(300)
    fresh, old = packets(x[:200]), packets(x[200:], start=200)

    def late(start, samples):
        from ranvier.acquire import Packet

        return lambda: Packet(samples, start, time.monotonic_ns() - 10**9)

    source, did, said = Script([*fresh, *[late(*p) for p in old]]), Memory(), []
    graph, budget = named(BAND, source), Budget(age=0.5, miss=miss)
    with Session(source, graph, actuator=did, guard=Guard(), budget=budget, look=lambda o, v: said.extend(v)) as s:
        s.run()
    counts = s.report.counts
    if miss == "stop":
        assert "which the budget does not allow" in s.report.ended
        assert counts["missed"] >= 1
        assert did.phase == "closed"
    else:
        assert counts["missed"] == 100
        assert counts["skipped"] == (100 if miss == "skip" else 0)
        assert counts["approved"] == (300 if miss == "warn" else 200) - counts["invalid"]
    late_ones = [v for v in said if v is not None and "missed" in v]
    assert all(v["missed"] == miss and v["age"] > 0.5 for v in late_ones)
    assert all(("given" in v) == (miss == "warn") for v in late_ones)


# what is recorded ----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def acted(tmp_path_factory):
    """A recorded session whose guard clamps one value and refuses by another."""
    folder = tmp_path_factory.mktemp("acted")
    x = noise(1500, seed=3)
    source = Script(packets(x), paced=True, rate=1000)
    did = Memory()
    guard = Guard(
        Limits(name="vx", unit="cm/s", low=-3, high=3, beyond="clamp"), Limits(name="vy", unit="cm/s", low=-5, high=5)
    )
    with Session(source, named(BAND, source), actuator=did, guard=guard, record=folder / "a.rvr") as s:
        s.run(seconds=30)
    return folder / "a.rvr", s, did, x


def test_refusals_and_clamps_are_recorded_as_wanted_and_given(acted):
    path, s, did, _ = acted
    said = [n.payload for n in record.open(path).log("command")]
    refused = [v for v in said if "refused" in v]
    given = [v for v in said if "given" in v]
    assert len(refused) == s.report.counts["refused"] > 10
    assert {(r["refused"], r["name"], abs(r["limit"])) for r in refused} == {("range", "vy", 5.0)}
    assert len(given) == s.report.counts["approved"] > 10
    assert [tuple(v["given"]) for v in given] == [g for g in did.so_far() if isinstance(g, tuple)]
    clamped = [v for v in given if v["given"] != v["wanted"]]
    assert len(clamped) == s.report.guard["clamped"] > 10
    for v in clamped:
        assert v["given"] == [max(min(v["wanted"][0], 3.0), -3.0), v["wanted"][1]]
    assert [v["sequence"] for v in said] == list(range(1, len(said) + 1))


def test_what_was_recorded_is_what_was_delivered_and_replays_to_the_bit(acted):
    path, s, _, x = acted
    found = record.open(path)
    assert np.array_equal(np.concatenate([d.samples for d in found.raw("signal").blocks()]), x)
    verdict = replay(path).check()
    assert verdict.identical
    assert verdict.good
    assert verdict.decisions == 1500
    assert verdict.commands == s.report.counts["approved"] + s.report.counts["refused"]
    assert not record.verify(path).damage
    end = [n.payload for n in found.log("text")][-1]
    assert end["stops"] == [1500]
    assert {n.payload["of"] for n in found.log("latency")} >= {"input age", "compute", "arrival to done"}


def test_decisions_of_another_gain_are_found_and_compared(acted, monkeypatch):
    path, *_ = acted
    other = replay(path)
    source = Script(channels=4)
    louder = named(Scale(1.001, "uV") | BAND, source)
    monkeypatch.setattr(other, "graph", louder)
    verdict = other.check([None])
    assert not verdict.identical
    assert not verdict.good
    assert verdict.differences
    assert 5e-4 < verdict.largest < 2e-3
    assert verdict.flips == [] or all(f["margin"] < 1 for f in verdict.flips)
    same = shadow(replay(path), named(BAND, source))
    assert (same.decisions, same.agree) == (1500 - s_invalid(path), 1.0)
    assert shadow(replay(path), named(denoise.Bandpass(10, 30), source)).agree < 0.99


def s_invalid(path):
    return sum(int((~b.valid.all(axis=1)).sum()) for b in replay(path).recorded())


def test_one_changed_bit_of_a_recorded_decision_is_found(acted):
    path, *_ = acted
    again = replay(path)
    recorded = [b.copy() for b in again.recorded()]
    at = next(i for i, b in enumerate(recorded) if b.valid.all())
    data = recorded[at].data.copy()
    data.view(np.uint32)[0, 2] ^= 1
    recorded[at] = Block(data, recorded[at].start, recorded[at].valid)
    again.recorded = lambda: recorded
    verdict = again.check([None, 7])
    assert not verdict.identical
    assert {d["sample"] for d in verdict.differences} == {recorded[at].start}
    again.recorded = lambda: recorded[:at] + recorded[at + 1 :]
    verdict = again.check([None])
    assert not verdict.identical
    assert verdict.more == recorded[at].n


def test_a_session_that_is_there_is_not_written_over_but_gone_on_with(tmp_path, acted):
    path = tmp_path / "a.rvr"
    x = noise(400, seed=5)

    def go(**more):
        with Session(Script(packets(x), paced=True), BAND, record=path, **more) as s:
            s.run(seconds=20)
        return s

    go(resume=True)  # nothing is there yet
    with pytest.raises((ConfigError, StateError), match="is there already"):
        go()
    before = time.monotonic()
    s = go(resume=True)
    assert time.monotonic() - before < 30
    found = record.open(path)
    (a, b), (c, d) = found.raw("signal").stretches
    assert (a, b, d - c) == (0, 400, 400)
    (away,) = [n.payload["away_s"] for n in found.log("gap") if "away_s" in n.payload]
    assert 0 < (c - b) / 250 <= away + 2
    raw = np.concatenate([p.samples for p in found.raw("signal").blocks()])
    assert np.array_equal(raw, np.concatenate([x, x]))
    verdict = replay(path).check([None, 64])
    assert verdict.identical
    assert verdict.decisions == 800
    assert s.report.counts["samples"] == 400
    other = Session(Script(packets(x), paced=True), denoise.Bandpass(8, 31), record=path, resume=True)
    with pytest.raises(StateError, match="graph that it was made with"):
        other.start()
    assert replay(path).check([None]).identical


def test_a_session_that_only_records(tmp_path):
    """Counts of a device with a gain, recorded, replayed as a source, and recorded again: equal to the bit."""
    x = (1000 * noise(600)).astype(np.int16)
    front = denoise.Integrity(rail=32767) | Scale(0.195, "uV")
    sources = (
        Script(packets(x), paced=True, dtype="int16", rate=1000, front=front),
        Replay(tmp_path / "0.rvr", speed=4),
    )
    for k, source in enumerate(sources):
        with Session(source, record=tmp_path / f"{k}.rvr") as s:
            s.run(seconds=20)
        found = record.open(tmp_path / f"{k}.rvr")
        stream = found.raw("signal")
        assert np.array_equal(np.concatenate([d.samples for d in stream.blocks()]), x)
        assert (stream.info.dtype, stream.gain, stream.unit) == (np.int16, 0.195, "uV")
        want = Run(Scale(0.195, "uV"), stream.info).push(Block(x, 0)).data
        assert np.array_equal(np.concatenate([b.data for b in found.blocks(100)]), want)
    assert s.report.counts["decisions"] == 0
    with pytest.raises(Exception, match="session with a graph"):
        replay(tmp_path / "1.rvr")
