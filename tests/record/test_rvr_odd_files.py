"""Folders that only look like recordings: nothing hangs, nothing huge is read."""

import os

import numpy as np
import pytest

from ranvier import record
from ranvier.errors import FormatError
from ranvier.stream import StreamInfo


@pytest.fixture
def made(tmp_path):
    path = tmp_path / "a.rvr"
    info = StreamInfo.signal(250, 2, dtype="int16")
    with record.Writer(path, {}, {"signal": record.Stored(info)}) as writer:
        writer.append("signal", np.ones((100, 2), np.int16), 0, 0)
    return path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX")
def test_a_pipe_among_the_files_is_refused_instead_of_waited_for(made):
    log = next(made.glob("part-*/notes-*.log"))
    log.unlink()
    os.mkfifo(log)
    for look in (record.verify, record.open):
        with pytest.raises(FormatError, match="is none"):
            look(made)


def test_a_huge_description_is_damage_and_is_not_read(made):
    with (made / "zarr.json").open("r+b") as file:
        file.truncate(1 << 40)
    report = record.verify(made)
    assert not report.clean
    assert report.damage[0].file == "zarr.json"
