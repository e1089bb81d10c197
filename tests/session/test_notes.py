"""Notes over a ring: what is written is read, long ones in parts, lost ones counted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ranvier.errors import ContractError
from ranvier.session._notes import KINDS, LONGEST, NoteReader, NoteWriter, notes_ring
from ranvier.session._ring import Ring


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=20_000)), max_size=20))
def test_what_is_written_is_read(said):
    with notes_ring("test-notes") as ring:
        reader, writer = NoteReader(ring.reader()), NoteWriter(ring)
        for i, (kind, payload) in enumerate(said):
            writer.write(kind, payload, stream=i, sample=i * 10, host=i + 5)
        found = reader.read()
    assert [(n.kind, n.payload) for n in found] == said
    assert [(n.number, n.stream, n.sample, n.host) for n in found] == [(i, i, 10 * i, i + 5) for i in range(len(said))]
    assert reader.lost == 0


def test_what_was_overwritten_is_counted_as_lost():
    with notes_ring("test-notes", seconds=0.02) as ring:
        reader, writer = NoteReader(ring.reader()), NoteWriter(ring)
        writer.write("text", b"first")
        assert [n.payload for n in reader.read()] == [b"first"]
        many = 3 * ring.slots
        for i in range(many):
            writer.write("text", b"x" * 9000 if i % 3 else b"short")
        found = reader.read()
    assert found[-1].number == many
    assert reader.lost + len(found) == many


def test_too_long_a_note_is_refused():
    with notes_ring("test-notes") as ring, pytest.raises(ContractError, match="at most"):
        NoteWriter(ring).write("text", bytes(LONGEST + 1))


def test_a_reader_with_a_backlog_begins_with_the_oldest_that_is_there():
    with notes_ring("test-backlog", seconds=1.0) as ring:
        writer = NoteWriter(ring)
        for i in range(50):
            writer.write("text", str(i).encode())
        with Ring.attach("test-backlog", backlog=True) as reader:
            notes = NoteReader(reader)
            assert [n.payload for n in notes.read()] == [str(i).encode() for i in range(50)]
        for _ in range(3 * ring.slots):
            writer.write("text", b"more")
        with Ring.attach("test-backlog", backlog=True) as reader:
            found = NoteReader(reader).read()
            assert ring.slots // 2 < len(found) < ring.slots
            assert reader.lost_samples == 0
