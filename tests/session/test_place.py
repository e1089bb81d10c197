"""Where a recording cannot be made is said before a device is opened."""

import pytest

from ranvier.errors import ConfigError
from ranvier.session import Replay, Session


class Untouched(Replay):
    def _open(self):
        raise AssertionError("the device was opened")


def session(path, **given):
    return Session(Untouched("none.npy"), record=path, **given)


@pytest.mark.parametrize("name", ["x", "x.edf", ".rvr", "", "a\0.rvr", "x.rvr/y"])
def test_names_that_are_none(tmp_path, name):
    with pytest.raises(ConfigError, match=r"needs a recording with a name that ends in \.rvr"):
        session(f"{tmp_path}/{name}").start()


def test_no_folder_for_it(tmp_path):
    (tmp_path / "file").write_text("mine")
    for name in ("none/x.rvr", "file/x.rvr"):
        with pytest.raises(ConfigError, match="needs a folder for its recording"):
            session(tmp_path / name).start()


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: p.write_text("mine")])
def test_what_is_there_stays(tmp_path, make):
    make(tmp_path / "x.rvr")
    with pytest.raises(ConfigError, match="is there already"):
        session(tmp_path / "x.rvr").start()


def test_a_link_to_nothing(tmp_path):
    (tmp_path / "x.rvr").symlink_to(tmp_path / "none")
    with pytest.raises(ConfigError, match="link to nothing"):
        session(tmp_path / "x.rvr", resume=True).start()
