"""Memory that is not what it claims to be is refused with one clear error, never read."""

import json
import os
import socket
from fractions import Fraction
from threading import Thread
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranvier.errors import FormatError
from ranvier.kernels import _ring as words
from ranvier.session import Ring, _door, _layout, _memory
from ranvier.session._describe import from_bytes, to_bytes
from ranvier.session._layout import PAGE, Layout, read_header, read_info
from ranvier.stream import Channels, Origin, StreamInfo
from tests.session.processes import info, numbers

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes meet through Unix sockets")
GOOD = Layout.of(info(), 10, 8)
FIELDS = {1: "schema", 2: "total", 3: "dtype", 4: "values", 5: "rows", 6: "slots", 7: "described", 8: "stride"}


def memory():
    made = np.zeros(GOOD.nbytes, np.uint8)
    GOOD.write(made, info())
    return made


def test_the_layout_reads_back():
    assert read_header(memory()[:PAGE].tobytes(), GOOD.nbytes) == GOOD
    assert read_info(GOOD, memory()) == info()
    assert _layout.HEAD == words.HEAD


@given(st.sampled_from(sorted(FIELDS)), st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-2, 70)))
def test_a_wrong_number_anywhere_in_the_header_is_refused(place, value):
    made = memory()
    header = made[:PAGE].view(np.int64)
    if header[place] == value:
        return
    header[place] = value
    with pytest.raises(FormatError, match="Ring needs memory"):
        read_info(read_header(made[:PAGE].tobytes(), GOOD.nbytes), made)


@given(st.binary(max_size=2 * PAGE))
def test_any_bytes_are_refused(found):
    with pytest.raises(FormatError, match="Ring needs memory"):
        read_header(found, GOOD.nbytes)


@pytest.mark.parametrize("size", [0, PAGE, GOOD.nbytes - PAGE, GOOD.nbytes + PAGE])
def test_a_memory_of_another_size_is_refused(size):
    with pytest.raises(FormatError, match="in a memory of"):
        read_header(memory()[:PAGE].tobytes(), size)


def test_a_description_of_other_samples_is_refused():
    made = memory()
    text = to_bytes(info()).replace(b'"int16"', b'"int32"')
    made[PAGE : PAGE + len(text)] = np.frombuffer(text, np.uint8)
    with pytest.raises(FormatError, match="not those in the header"):
        read_info(GOOD, made)


def test_a_description_comes_back_whole():
    rich = StreamInfo(
        name="ü", rate=Fraction(15625, 2), dtype=np.float32, shape=(3, 2), support=7, settle=9, delay=Fraction(1, 250),
        origin=Origin(source="a", rate=Fraction(30000), step=Fraction(96, 25), offset=Fraction(-1, 2), span=12),
        channels=Channels.of(["a", "b"], ["eeg", "misc"], ["uV", "1"], [(0.0, 0.01, -0.1), None], ["x", "y"]),
    )  # fmt: skip
    assert from_bytes(to_bytes(rich)) == rich


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rate", [1, 0]), ("rate", [10**400, 1]), ("rate", "1e999999999"), ("rate", [1.5, 1]), ("rate", [-1, 1]),
        ("dtype", "object"), ("dtype", "int8"), ("dtype", ["int16"]), ("shape", []), ("shape", [9]), ("shape", [-8]),
        ("shape", "8"), ("shape", [10**12, 8]), ("support", -1), ("support", "1"), ("name", 5), ("origin", None),
        ("channels", {}), ("channels", 1), ("delay", None),
    ],
)  # fmt: skip
def test_a_strange_description_is_refused(key, value):
    table = json.loads(to_bytes(info()))
    table[key] = value
    with pytest.raises(FormatError, match="description of a stream"):
        from_bytes(json.dumps(table).encode())


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"[]", b"3", b"null", b"[" * 100_000, b'{"a":'])
def test_no_description_at_all_is_refused(text):
    with pytest.raises(FormatError, match="description of a stream"):
        from_bytes(text)


def served(fd, greeting=_door.GREETING, fds=2):
    """Answer one reader as a door would, with a memory of our choice."""
    name = f"test-{uuid4().hex[:12]}"
    listener = _door._listen(_door.address(name), name)
    listener.setblocking(True)

    def answer():
        connection, _ = listener.accept()
        bell = os.eventfd(0) if hasattr(os, "eventfd") else os.dup(fd)
        socket.send_fds(connection, [greeting], [fd, bell][:fds])
        os.close(bell)
        connection.close()
        listener.close()
        os.close(fd)

    thread = Thread(target=answer)
    thread.start()
    return name, thread


def refused(says, *args, **more):
    name, thread = served(*args, **more)
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    with pytest.raises(FormatError, match=says):
        Ring.attach(name)
    thread.join()
    if before:
        assert len(os.listdir("/proc/self/fd")) <= len(before)


def test_attaching_to_strangers_is_refused():
    made, fd = _memory.allocate(GOOD.nbytes)
    made[:] = memory()
    refused("no ring gives", os.dup(fd), greeting=b"hello")
    refused("no ring gives", os.dup(fd), fds=1)
    made[:8] = 0
    refused("does not begin like one", fd)
    refused("less than a header", os.open(os.devnull, os.O_RDONLY))


@pytest.mark.skipif(not _memory.HAS_MEMFD, reason="only Linux can seal memory")
def test_memory_that_could_be_taken_away_is_refused():
    fd = os.memfd_create("unsealed")
    os.write(fd, memory().tobytes())
    refused("sealed", fd)


def test_counters_that_make_no_sense_are_refused():
    with Ring.create(info(), 0.1, block=10) as ring, ring.reader() as reader:
        ring.write(numbers(0, 10))
        ring.write(numbers(10, 10))
        ring._memory[ring._layout.heads_at :].view(np.int64)[1] = 11  # samples in a slot of 10
        with pytest.raises(FormatError, match="make no sense"):
            reader.read()
        ring._memory[words.WRITTEN :].view(np.int64)[0] = -5
        with pytest.raises(FormatError, match="make no sense"):
            reader.read()
