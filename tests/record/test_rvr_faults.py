"""An .rvr recording and its disk: power cuts, a full disk, errors, and syncs that take their time."""

from threading import Event, Thread

import numpy as np
import pytest
from rvr_disk import Disk

from ranvier import record
from ranvier.record import Stored, Writer
from ranvier.stream import Block, Channels, StreamInfo

pytest.importorskip("numcodecs", reason="the extra 'record' is not installed")
pytest.importorskip("google_crc32c", reason="the extra 'record' is not installed")

RATE, WIDTH, MS = 2000, 40, 1_000_000
INFO = StreamInfo.signal(RATE, Channels.of(WIDTH, "ecog", "count"), name="raw", dtype="int16")
SLOW = StreamInfo.signal(50, Channels.of(4), name="power", dtype="float32")
KEPT = {"raw": Stored(INFO, 0.5, "uV"), "power": Stored(SLOW, masked=True)}


class Session:
    """A recorder whose time is made: samples come every 10 ms, it flushes every 50 ms and syncs once a second."""

    def __init__(self, tmp_path, seed, **options):
        self.rng, self.now = np.random.default_rng(seed), 10**12
        self.root = tmp_path / "live"
        self.root.mkdir()
        self.disk, self.path = Disk(self.root), self.root / "a.rvr"
        self.w = Writer(
            self.path,
            {},
            KEPT,
            clock=lambda: self.now,
            sync_seconds=0,
            files=self.disk,
            segment_bytes=60_000,
            **options,
        )
        self.x, self.p, self.notes = [], [], 0
        self.came = []  # host time at which each sample of raw was there
        self.steps = 0

    def step(self, sync=True):
        """Live through 10 ms."""
        self.now += 10 * MS
        self.steps += 1
        x = self.rng.integers(-500, 500, (RATE // 100, WIDTH), "int16")
        self.w.append("raw", x, len(self.x), self.now, 0.0)
        self.x += list(x)
        self.came += [self.now] * len(x)
        if self.steps % 2 == 0:
            p = self.rng.random((1, 4), "f4")
            self.w.append_block("power", Block(p, len(self.p), p > 0.5), self.now)
            self.p += list(p)
        if self.steps % 3 == 0:
            self.w.note("decision", "power", len(self.p), self.now, {"k": self.notes})
            self.notes += 1
        if self.steps % 5 == 0:
            self.w.flush()
        if sync and self.steps % 100 == 0:
            self.w._syncer.once()

    def drop(self):
        """Let go of the files, as the system does when a process ends."""
        for file in list(self.disk.paths):
            self.disk.close(file)
        self.disk.close(self.w._lock)


def what_is_there(rec):
    """Return the samples by index: of the signal, of the output; and the decisions."""
    raw = {d.start + i: d.samples[i] for d in rec.raw("raw").blocks() for i in range(len(d.samples))}
    power = {b.start + i: (b.data[i], b.valid[i]) for b in rec.output("power") for i in range(b.n)}
    return raw, power, [n.payload["k"] for n in rec.log("decision")]


def compare(s, rec, stop=2**62):
    """Check that all that is there was written, and return which samples are not."""
    raw, power, notes = what_is_there(rec)
    assert all(np.array_equal(x, s.x[i]) for i, x in raw.items() if i < stop)
    assert all(np.array_equal(x, s.p[i]) and np.array_equal(v, s.p[i] > 0.5) for i, (x, v) in power.items())
    assert set(notes) <= set(range(s.notes))
    return [i for i in range(len(s.x)) if i not in raw], [i for i in range(len(s.p)) if i not in power], notes


def cut_power(tmp_path, seed, steps):
    s = Session(tmp_path, seed)
    for _ in range(steps):
        s.step()
    durable = s.w.durable
    left = tmp_path / "left"
    s.disk.cut_power(left, s.rng)
    s.drop()
    rec = record.open(left / "a.rvr", stream="raw")
    missing, missing_power, notes = compare(s, rec)
    assert all(s.came[i] > s.now - 1100 * MS for i in missing), "more than 1.1 s is lost"
    assert not missing or min(missing) >= durable.samples["raw"]
    assert not missing_power or min(missing_power) >= durable.samples["power"]
    assert len(notes) >= durable.notes - 1  # the head is one
    assert record.verify(left / "a.rvr").clean
    again = Writer(left / "a.rvr", {}, KEPT, resume=True, sync_seconds=0)
    again.append("raw", np.ones((60, WIDTH), "i2"), len(s.x), 0)
    again.close()
    rec = record.open(left / "a.rvr", stream="raw")
    assert rec.n_samples == len(s.x) + 60
    rec.read(len(s.x))
    compare(s, record.open(left / "a.rvr", stream="raw"), len(s.x))
    report = record.verify(left / "a.rvr")
    assert report.clean
    assert sum(report.bytes.values()) == sum(p.stat().st_size for p in left.rglob("*") if p.is_file())
    return len(missing), len(s.x)


@pytest.mark.parametrize("seed", [*range(6), 1000, 1001, 1014, 1026, 1053, 1284])
def test_a_power_cut_loses_at_most_the_last_second(tmp_path, seed):
    steps = int(np.random.default_rng(seed).integers(1, 450))
    cut_power(tmp_path, seed, steps)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_many_power_cuts(tmp_path, seed):
    cut_power(tmp_path, seed, int(np.random.default_rng(seed).integers(1, 600)))


def test_the_fake_disk_does_lose_what_was_not_synced(tmp_path):
    """Without syncs, power cuts cost more than the last second: the check above can fail."""
    s = Session(tmp_path, 5)
    for _ in range(300):
        s.step(sync=False)
    s.disk.cut_power(tmp_path / "left", np.random.default_rng(0))
    s.drop()
    missing, _, _ = compare(s, record.open(tmp_path / "left" / "a.rvr", stream="raw", partial=True))
    assert len(missing) > 1.1 * RATE


def test_a_full_disk_costs_what_it_does_not_take_and_no_more(tmp_path):
    s = Session(tmp_path, 1)
    for _ in range(150):
        s.step()
    before = s.w.stops["raw"]
    s.disk.room = 2000
    for _ in range(120):
        s.step()
    health = s.w.health
    assert not health.complete
    assert health.error == "No space left on device"
    assert health.full_soon
    during = health.lost["raw"]
    assert during > 0.9 * RATE
    s.disk.room = None
    for _ in range(150):
        s.step()
    s.w.close()
    rec = record.open(s.path, stream="raw")
    missing, _, notes = compare(s, rec)
    assert len(missing) == s.w.health.lost["raw"]
    assert min(missing) >= before - RATE // 20
    losses = [n for n in rec.log("loss") if n.stream == "raw"]
    told = {i for n in losses for i in range(n.payload["first"], n.payload["stop"])}
    assert told == set(missing)
    assert all(n.payload["error"] == "No space left on device" for n in losses)
    assert notes == list(range(s.notes)), "notes wait for room"
    assert [n.kind for n in rec.log("disk")]
    assert record.verify(s.path).clean


def test_notes_that_find_no_room_for_long_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("ranvier.record._rvr_log.HELD", 3000)
    s = Session(tmp_path, 1)
    s.disk.room = 0
    for _ in range(300):
        s.step()
    assert s.w.health.notes_lost > 10
    s.disk.room = None
    s.step()
    s.w.close()
    rec = record.open(s.path, stream="raw")
    compare(s, rec)
    assert s.w._log.sequence - len(list(rec.log())) == s.w.health.notes_lost
    assert [n.payload["notes_lost"] for n in rec.log("loss") if "notes_lost" in n.payload] == [s.w.health.notes_lost]


@pytest.mark.parametrize("fails", [1, 2, 7])
def test_errors_of_writing_harm_nothing_that_was_written(tmp_path, fails):
    s = Session(tmp_path, fails)
    for k in range(300):
        if k in (40, 133, 250):
            s.disk.fail_writes = fails
        s.step()
    s.w.close()
    rec = record.open(s.path, stream="raw")
    missing, _, notes = compare(s, rec)
    assert len(missing) == s.w.health.lost["raw"] > 0
    told = {i for n in rec.log("loss") if n.stream == "raw" for i in range(n.payload["first"], n.payload["stop"])}
    assert told >= set(missing)
    assert notes == list(range(s.notes))
    assert record.verify(s.path).clean


def test_a_sync_that_fails_makes_samples_unsure_and_goes_on_in_another_file(tmp_path):
    s = Session(tmp_path, 3)
    for _ in range(120):
        s.step()
    safe = s.w.durable.samples["raw"]
    for _ in range(60):
        s.step()
    s.disk.fail_syncs = 1
    assert not s.w._syncer.once()
    unsure = s.w.health.unsure["raw"]
    assert unsure > 0
    assert not s.w.health.complete
    for _ in range(120):
        s.step()
    s.w.close()
    rec = record.open(s.path, stream="raw")
    assert not compare(s, rec)[0]  # here the disk only said so
    (note,) = [n for n in rec.log("loss") if n.stream == "raw"]
    assert note.payload["unsure"]
    assert (note.payload["first"], note.payload["stop"]) == (safe, safe + unsure)
    assert record.verify(s.path).clean


def test_nobody_waits_for_a_sync(tmp_path):
    """A sync that takes for ever holds up neither samples nor notes; nothing is called durable meanwhile."""
    s = Session(tmp_path, 4)
    for _ in range(30):
        s.step(sync=False)
    entered, go = Event(), Event()

    def slow():
        entered.set()
        assert go.wait(60)

    s.disk.slow = slow
    syncing = Thread(target=s.w._syncer.once)
    syncing.start()
    try:
        assert entered.wait(60)
        before = s.w.durable
        for _ in range(500):  # 5 s of data; returns only if nothing waits for the sync
            s.step(sync=False)
        assert s.w.durable == before
        assert s.w.health.lost["raw"] == 0
        assert record.open(s.path, stream="raw").n_samples > len(s.x) - RATE // 10
    finally:
        go.set()
        syncing.join(60)
    assert not syncing.is_alive()
    assert s.w.durable.samples["raw"] > before.samples["raw"]
    s.w.close()
    assert not compare(s, record.open(s.path, stream="raw"))[0]


def test_a_disk_that_will_be_full_is_said_ten_minutes_ahead(tmp_path):
    s = Session(tmp_path, 6)
    for _ in range(500):
        s.step()
    rate = s.w.health.rate
    s.disk.room = int(rate * 1000)
    for _ in range(1000):
        s.step()
    assert s.w.health.seconds_left == pytest.approx(990, abs=25)
    assert not s.w.health.full_soon
    s.disk.room = int(rate * 605)
    for _ in range(1000):
        s.step()
    assert s.w.health.full_soon
    s.w.close()
    (note,) = record.open(s.path, stream="raw").log("disk")
    assert 590 < note.payload["seconds_left"] < 600
