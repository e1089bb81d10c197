"""The ring between processes: the same code, and nobody's death is anybody else's trouble."""

import os
import signal
import time
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from ranvier.errors import StateError
from ranvier.session import Ring, _door, _memory, _wake
from tests.session import processes
from tests.session.processes import PATIENCE, info, numbers

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes meet through Unix sockets")


@pytest.fixture
def name():
    return f"test-{uuid4().hex[:12]}"


@contextmanager
def process(target, *args):
    """Run something in a fresh interpreter, with a pipe to it; nobody is left behind."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=target, args=(args[0], theirs, *args[1:]), daemon=True)
    child.start()
    theirs.close()
    try:
        yield child, ours
    finally:
        child.kill()
        child.join(PATIENCE)
        child.close()
        ours.close()


def hear(pipe):
    assert pipe.poll(PATIENCE), "the other process says nothing"
    return pipe.recv()


def until(true):
    """Ask again and again; seconds are only a bound for failure."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
    return True


@pytest.fixture(params=["best", "portable"])
def way(request, monkeypatch):
    """The best way of this system to wake a reader, and the one that works everywhere."""
    if request.param == "portable":
        monkeypatch.setattr(_wake, "PORTABLE", True)
    return request.param


def test_another_process_reads_every_sample(name, way):
    with Ring.create(info(), 1.0, block=10, name=name) as ring, process(processes.read_until_closed, name) as (_, pipe):
        assert hear(pipe) == "ready"
        for k in range(90):  # as many as fit: nothing may be lost, however slow it is
            ring.write(numbers(k * 7, 7))
        ring.close()
        assert hear(pipe) == (630, 0, 0, True)


def test_a_free_running_writer_is_read_whole_or_counted(name):
    """Four slots, so that the reader is overtaken all the time: what passes the check is right, the rest is counted."""
    blocks, n = 30_000, 25
    with process(processes.write_all, name, blocks, n, 4) as (_, pipe):
        hear(pipe)
        with Ring.attach(name) as reader:
            pipe.send("go")
            seen = 0
            while reader.wait(PATIENCE):
                block = reader.read()
                right = np.array_equal(block.data, numbers(block.start, block.n))
                if reader.intact():
                    assert right
                    seen += block.n
            assert reader.closed
            assert hear(pipe) == blocks * n
            assert seen + reader.lost_samples == blocks * n
            assert seen > 0
            assert reader.lost_samples > 0


def test_a_writer_that_dies_is_noticed_at_once_and_leaves_nothing(name):
    before = set(os.listdir("/dev/shm")) if Path("/dev/shm").is_dir() else set()
    with process(processes.write_at_command, name) as (child, pipe):
        pid = hear(pipe)
        with Ring.attach(name) as reader:
            pipe.send(10)
            assert hear(pipe) == 10
            os.kill(pid, signal.SIGKILL)
            assert reader.wait(PATIENCE)  # what was written is still there
            assert np.array_equal(reader.read().data, numbers(0, 10))
            assert reader.intact()
            began = time.monotonic()
            assert not reader.wait(PATIENCE)
            assert time.monotonic() - began < PATIENCE / 2
            assert reader.closed
        child.join(PATIENCE)
    with pytest.raises(StateError, match="writer first"):
        Ring.attach(name)
    if before:
        assert set(os.listdir("/dev/shm")) <= before
    Ring.create(info(), 1.0, name=name).close()  # the name is free again


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGSTOP])
def test_a_reader_that_is_killed_or_stopped_delays_nobody(name, stop, way):
    with Ring.create(info(), 0.1, block=10, name=name) as ring, ring.reader() as other:
        with process(processes.hang, name) as (child, pipe):
            hear(pipe)
            assert ring.readers == 2
            ring.write(numbers(0, 10))
            assert hear(pipe) == "has one"
            os.kill(child.pid, stop)
            if stop == signal.SIGKILL:
                child.join(PATIENCE)
                until(lambda: ring.readers == 1)
            for k in range(1, 300_000 // 10):  # many times what its bell could buffer
                ring.write(numbers(k * 10, 10))
                assert other.read() is not None
            assert ring.readers == (1 if stop == signal.SIGKILL else 2)
        until(lambda: ring.readers == 1)
        assert other.lost_samples == 0


def test_readers_can_come_and_go(name, way):
    with Ring.create(info(), 0.1, block=10, name=name) as ring:
        for k in range(5):
            with Ring.attach(name) as reader:
                assert reader.info == info()
                ring.write(numbers(k * 10, 10))
                assert reader.wait(PATIENCE)
                assert reader.read().start == k * 10
            until(lambda: ring.readers == 0)


def test_what_was_read_outlives_reader_and_ring(name):
    ring = Ring.create(info(), 0.1, block=10, name=name)
    reader = Ring.attach(name)
    ring.write(numbers(0, 10))
    block = reader.read()
    ring.close()
    assert not reader.wait(PATIENCE)
    assert reader.closed
    reader.close()
    reader.close()
    del ring, reader
    assert np.array_equal(block.data, numbers(0, 10))


def test_a_reader_cannot_write_to_the_ring(name):
    with Ring.create(info(), 0.1, block=10, name=name), Ring.attach(name) as reader:
        with pytest.raises(ValueError, match="read-only"):
            reader._memory[:] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            reader._memory.flags.writeable = True


def test_two_rings_cannot_have_one_name(name):
    with Ring.create(info(), 0.1, name=name), pytest.raises(StateError, match="no other ring has"):
        Ring.create(info(), 0.1, name=name)


def test_files_take_the_place_of_what_only_linux_has(name, monkeypatch, tmp_path):
    monkeypatch.setattr(_wake, "PORTABLE", True)
    monkeypatch.setattr(_memory, "HAS_MEMFD", False)
    monkeypatch.setattr(_door, "ABSTRACT", False)
    monkeypatch.setattr(_door.tempfile, "gettempdir", lambda: str(tmp_path))
    with Ring.create(info(), 0.1, block=10, name=name) as ring, Ring.attach(name) as reader:
        ring.write(numbers(0, 10))
        assert reader.wait(PATIENCE)
        assert np.array_equal(reader.read().data, numbers(0, 10))
        with pytest.raises(StateError, match="no other ring has"):
            Ring.create(info(), 0.1, name=name)
    folder = tmp_path / f"ranvier-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(folder.iterdir())
    left = _door.socket.socket(_door.socket.AF_UNIX)  # as of a process that crashed
    left.bind(str(folder / name))
    left.close()
    Ring.create(info(), 0.1, name=name).close()
    folder.chmod(0o755)
    with pytest.raises(_door.SafetyError, match="yours alone"):
        Ring.create(info(), 0.1, name=name)


def test_a_ring_lets_in_only_so_many(name, monkeypatch):
    monkeypatch.setattr(_door, "MOST", 2)
    with Ring.create(info(), 0.1, name=name) as ring, Ring.attach(name), Ring.attach(name):
        with pytest.raises(_door.FormatError, match="takes no more"):
            Ring.attach(name)
        assert ring.readers == 2
