"""The ring in one process: what comes out is what went in, or is counted."""

import subprocess
import sys
from fractions import Fraction
from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.channels import Scale
from ranvier.errors import ContractError, StateError
from ranvier.session import Ring, _layout
from ranvier.session._reader import ROOM
from ranvier.stage import Run
from ranvier.stream import Block, Channels, StreamInfo
from tests.session.processes import PATIENCE, info, numbers


def small(slots=16, n=10, **more):
    signal = info(**more)
    return Ring(signal, _layout.Layout.of(signal, n, slots), None)


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 8, 31, 1024])
def test_samples_come_out_as_they_went_in(dtype, channels):
    with small(channels=channels, dtype=dtype) as ring, ring.reader() as reader:
        given = numbers(0, 25, channels, dtype)
        assert ring.write(given) == 25
        got = [reader.read() for _ in range(3)]
        assert [(b.start, b.n) for b in got] == [(0, 10), (10, 10), (20, 5)]
        out = np.concatenate([b.data for b in got])
        assert out.dtype == given.dtype
        assert np.array_equal(out, given)
        assert reader.read() is None
        assert reader.intact()


def test_blocks_are_views_that_nobody_may_write_to():
    with small() as ring, ring.reader() as reader:
        with ring.slot(3) as rows:
            rows[:] = 5
        block = reader.read()
        assert not block.data.flags.writeable
        assert np.shares_memory(block.data, rows)
        assert block.data.strides[1] == 2


@given(st.integers(1, 70_000), st.sampled_from([2, 4, 8]))
def test_rows_are_never_a_multiple_of_a_power_of_two_apart(values, size):
    dtype = {2: 0, 4: 1, 8: 3}[size]
    stride = _layout.Layout(dtype, values, 1, 4, 2).stride
    assert stride >= values * size
    assert stride % 64 == 0
    assert stride % 128 == 64  # an odd number of cache lines
    assert stride < values * size + 128


def test_samples_of_several_axes_keep_their_shape():
    windows = info(4).but(shape=(3, 4))
    with Ring.create(windows, 0.1, block=5) as ring, ring.reader() as reader:
        given = np.arange(60, dtype=np.int16).reshape(5, 3, 4)
        ring.write(given)
        assert np.array_equal(reader.read().data, given)


class Model:
    """A ring as a list of all that was ever written."""

    def __init__(self, slots):
        self.slots, self.room = slots, max(slots // ROOM, 1)
        self.blocks, self.cursor, self.lost = [], 0, 0

    def read(self):
        written = len(self.blocks)
        if written == self.cursor:
            return None
        k = self.cursor
        if written - k > self.slots - self.room:
            k = written - self.slots // 2
            self.lost += sum(n for _, n in self.blocks[self.cursor : k])
        self.cursor = k + 1
        return self.blocks[k]


action = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 25), st.integers(0, 3)), st.tuples(st.just("read"), st.integers(1, 12))
)


@given(st.lists(action, max_size=60), st.integers(4, 20))
def test_any_order_of_writing_and_reading_is_as_in_a_list(actions, slots):
    with small(slots) as ring, ring.reader() as reader:
        model, start = Model(slots), 0
        for what, n, *gap in actions:
            if what == "write":
                start += sum(gap)
                model.blocks += [(start + a, min(10, n - a)) for a in range(0, n, 10)]
                start = ring.write(numbers(start, n), start)
                continue
            for _ in range(n):
                block, expected = reader.read(), model.read()
                if expected is None:
                    assert block is None
                    continue
                assert (block.start, block.n) == expected
                assert np.array_equal(block.data, numbers(*expected))
                assert reader.intact()
        assert reader.lost_samples == model.lost


@pytest.mark.parametrize("seconds", [0.01, 0.03, 0.14, 1.0, 7.77])
def test_what_it_keeps_is_what_was_asked_for(seconds):
    with Ring.create(info(), seconds, block=10) as ring, ring.reader() as reader:
        blocks = -(-int(seconds * 1000) // 10)
        for k in range(blocks):
            ring.write(numbers(k * 10, 10))
        assert sum(reader.read().n for _ in range(blocks)) == blocks * 10
        assert reader.lost_blocks == 0


@pytest.mark.parametrize("written", [14, 15, 100])
def test_overruns_are_counted_exactly_and_seen_as_a_jump(written):
    with small(16) as ring, ring.reader() as reader:
        for k in range(written):
            ring.write(numbers(k * 10, 10))
        first = reader.read()
        lost = 0 if written == 14 else written - 8
        assert (first.start, reader.lost_blocks, reader.lost_samples) == (lost * 10, lost, lost * 10)
        seen = first.n + sum(reader.read().n for _ in range(written - lost - 1))
        assert seen + reader.lost_samples == written * 10
        assert reader.read() is None


def test_gaps_of_the_source_are_jumps_but_no_losses():
    with small() as ring, ring.reader() as reader:
        ring.write(numbers(0, 10))
        ring.write(numbers(70, 10), 70)
        assert [reader.read().start, reader.read().start] == [0, 70]
        assert reader.lost_samples == 0
        with pytest.raises(ContractError, match="one up to 80"):
            ring.write(numbers(0, 10), 79)


def test_a_reader_of_the_newest_leaves_out_the_rest_and_says_so():
    with small() as ring, ring.reader(newest=True) as reader:
        for k in range(100):
            ring.write(numbers(k * 10, 10))
        assert reader.read().start == 990
        assert (reader.skipped_blocks, reader.skipped_samples, reader.lost_blocks) == (99, 990, 0)
        assert reader.read() is None


def test_a_reader_of_the_newest_begins_with_what_is_there():
    with small() as ring:
        with ring.reader(newest=True) as reader:
            assert reader.read() is None
        ring.write(numbers(0, 20))
        with ring.reader(newest=True) as reader:
            assert reader.wait(0)
            assert reader.read().start == 10
            assert reader.skipped_blocks == 0
            assert reader.read() is None


def test_a_writer_that_laps_the_reader_between_view_and_check_is_noticed():
    with small(16) as ring, ring.reader() as reader:
        ring.write(numbers(0, 10))
        block = reader.read()
        for k in range(1, 15):
            ring.write(numbers(k * 10, 10))
        assert reader.intact()
        with ring.slot(10, start=150) as rows:
            rows[:] = numbers(150, 10)
            assert reader.intact()
        assert not reader.intact()  # the next block goes there: from now on it may be half written
        assert np.array_equal(block.data, numbers(0, 10))
        with ring.slot(10, start=160) as rows:
            rows[3] = -1
            assert not reader.intact()
            assert not np.array_equal(block.data, numbers(0, 10))  # without the check nobody would know
        assert not reader.intact()
        assert (reader.lost_blocks, reader.lost_samples) == (1, 10)  # once
        seen = 0
        while (block := reader.read()) is not None:
            assert seen or block.start > 10  # a jump: what is behind starts afresh
            seen += block.n
        assert seen + reader.lost_samples == 170


def test_a_block_that_fails_is_not_published():
    with small() as ring, ring.reader() as reader:
        with pytest.raises(ZeroDivisionError), ring.slot(10) as rows:
            rows[:] = 1 // 0
        assert reader.read() is None
        ring.write(numbers(0, 10))
        assert reader.read().start == 0


def test_a_reader_begins_with_what_is_written_after_it_was_made():
    with small() as ring:
        ring.write(numbers(0, 20))
        with ring.reader() as reader:
            assert reader.read() is None
            ring.write(numbers(20, 10))
            assert reader.read().start == 20
            assert reader.lost_samples == 0


def test_readers_do_not_touch_each_other():
    with small(16) as ring, ring.reader() as quick, ring.reader() as slow:
        for k in range(40):
            ring.write(numbers(k * 10, 10))
            assert quick.read().start == k * 10
        assert quick.lost_samples == 0
        slow.read()
        assert slow.lost_samples == 320
        assert ring.readers == 2
        slow.close()
        slow.close()
        assert ring.readers == 1


def test_waiting_ends_with_a_block_with_the_end_or_with_the_time():
    ring = small()
    reader = ring.reader()
    assert not reader.wait(0)
    heard = []

    def listen():
        while reader.wait(PATIENCE):
            heard.append(reader.read().start)

    thread = Thread(target=listen)
    thread.start()
    for k in range(5):
        ring.write(numbers(k * 10, 10))
    ring.close()
    ring.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert heard == [0, 10, 20, 30, 40]
    assert reader.closed
    assert not reader.wait(0)
    with pytest.raises(StateError, match="was closed"):
        ring.write(numbers(50, 10))
    reader.close()


def test_who_spins_does_not_sleep_when_a_block_is_due():
    ring = small()
    reader = ring.reader()
    slept, sleep = [], reader._waiter

    def waiter(timeout):
        slept.append(timeout)
        return sleep(timeout)

    reader._waiter = waiter
    assert not reader.wait(0.01, spin=PATIENCE)  # nothing came yet, so nothing is due
    assert len(slept) == 1
    ring.write(numbers(0, 10))
    assert reader.wait(PATIENCE, spin=PATIENCE)
    reader.read()
    thread = Thread(target=ring.write, args=(numbers(10, 10),))
    thread.start()
    assert reader.wait(PATIENCE, spin=PATIENCE)
    thread.join(PATIENCE)
    assert reader.read().start == 10
    assert len(slept) == 1
    assert not reader.wait(0.01, spin=PATIENCE)
    assert reader.arrival > 0
    reader.arrival -= int(PATIENCE * 1e9)  # long ago: it is late, and may never come
    assert not reader.wait(0.01, spin=0.001)
    reader.arrival += int(2 * PATIENCE * 1e9)  # long until it is due
    assert not reader.wait(0.01, spin=0.001)
    assert max(slept) <= 0.01 + 1e-9  # s; what is left of a deadline is a difference of two clock readings, rounded
    ring.close()
    assert not reader.wait(PATIENCE, spin=PATIENCE)


def test_what_was_written_before_the_end_can_be_read_after_it():
    with small() as ring:
        reader = ring.reader()
        ring.write(numbers(0, 10))
    assert reader.wait(0)
    block = reader.read()
    del ring
    assert np.array_equal(block.data, numbers(0, 10))


def test_through_the_ring_a_stage_gives_the_same_bits():
    rng = np.random.default_rng(3)
    samples = rng.integers(-3000, 3000, (400, 70), dtype=np.int16)
    signal = StreamInfo.signal(30_000, Channels.of(70, "spikes", "count"), dtype=np.int16)
    straight, through = Run(Scale(0.195), signal), Run(Scale(0.195), signal)
    expected = straight.push(Block(samples, 0)).data
    out = []
    with Ring.create(signal, 0.01) as ring, ring.reader() as reader:
        assert ring.block == 30
        for a in range(0, 400, 7):
            ring.write(samples[a : a + 7], a)
            out.append(through.step(reader.read()).data.copy())
    assert np.array_equal(np.concatenate(out), expected)


def test_a_fractional_rate_has_blocks_of_whole_samples():
    with Ring.create(info(rate=Fraction(15_625, 2)), 1.0) as ring:
        assert ring.block == 8


def test_arrival_is_the_writer_s_or_that_of_publication():
    with small() as ring, ring.reader() as reader:
        ring.write(numbers(0, 10), arrival=12345)
        ring.write(numbers(10, 10))
        reader.read()
        assert reader.arrival == 12345
        reader.read()
        assert reader.arrival > 12345


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Ring.create(info(dtype="uint8"), 1), "int16, int32"),
        (lambda: Ring.create(info(dtype=">i2"), 1), "int16, int32"),
        (lambda: Ring.create(info(rate=0), 1), "with a rate"),
        (lambda: Ring.create(info(), 0), "seconds > 0"),
        (lambda: Ring.create(info(), float("nan")), "seconds > 0"),
        (lambda: Ring.create(info(), 1, block=0), "block > 0"),
        (lambda: Ring.create(info(), 1, name="a/b"), "1 to 48 letters"),
        (lambda: small().slot(11), "1 to 10 samples"),
        (lambda: small().write(numbers(0, 10).astype("int32")), "of int16"),
        (lambda: small().write(numbers(0, 10, 7)), "as described"),
    ],
)
def test_what_cannot_be_is_refused(make, says):
    with pytest.raises(ContractError, match=says):
        make()


def test_more_memory_than_there_is_is_refused():
    with pytest.raises(StateError, match="fewer seconds"):
        Ring.create(info(channels=65_536, rate=30_000), 1e5)


def test_the_sample_path_keeps_no_memory():
    import tracemalloc

    with small() as ring, ring.reader() as reader:
        given = numbers(0, 10)

        def some():
            for _ in range(500):
                ring.write(given)
                reader.wait(0)
                reader.read()
                reader.intact()

        some()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        some()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert after - before < 2000


def test_the_room_is_imported_without_what_it_needs_later():
    said = "import sys, ranvier.session; print(*{'numba', 'multiprocessing', 'scipy', 'asyncio'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert not found.stdout.split()
