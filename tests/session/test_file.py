"""Session files: what is wrong is named with its place; everything can be overridden."""

import os

import pytest

from ranvier.errors import ConfigError
from ranvier.session._file import check_session, overridden, read_session

GOOD = {
    "schema": 1, "pipeline": "mi.rvm", "source": "lsl:name=EEG", "record": "s02.rvr",
    "budget": {"age": 0.2, "miss": "skip"},
    "guard": {"max_age": 0.2, "limits": [{"name": "vx", "unit": "cm/s", "low": -5, "high": 5, "beyond": "clamp"}]},
    "actuator": {"use": "act.UDP", "to": "127.0.0.1:5005"}, "watchdog": 0.5, "host": {"realtime": True, "core": 0},
}  # fmt: skip


def test_a_whole_file_is_read(tmp_path):
    import tomli_w

    path = tmp_path / "s.toml"
    path.write_text(tomli_w.dumps(GOOD))
    found = read_session(path, ["budget.age=0.1", "guard.limits=[]", "source=cyton:/dev/ttyUSB0", "host.cores=2"])
    assert (found.budget.age, found.guard.limits, found.source) == (0.1, (), "cyton:/dev/ttyUSB0")
    assert (found.host.realtime, found.host.cores) == (True, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"budget.age": -1}, "budget.age"),
        ({"budget.agee": 1}, "budget.agee.*known are age, miss"),
        ({"budget.miss": "wait"}, "budget.miss.*warn"),
        ({"sorce": "x"}, "sorce.*known are schema, pipeline"),
        ({"guard.limits": [{"name": "vx"}]}, "guard.limits.0.unit"),
        ({"guard.limits": [{"name": "vx", "unit": "1", "lo": 1}]}, "lo.*known are name, unit, low"),
        ({"schema": 2}, "schema"),
        ({"schema": None}, "schema"),
        ({"sources": {"a": "b"}}, "both or neither"),
        ({"actuator": None}, "guard.*actuator"),
        ({"pipeline": None, "record": None}, "neither"),
        ({"watchdog": 0}, "watchdog"),
        ({"host.cores": 0}, "host.cores"),
        ({"seconds": "long"}, "seconds"),
        ({"seconds": "1"}, "seconds"),
        ({"seconds": True}, "seconds"),
        ({"watchdog": True}, "watchdog"),
        ({"budget.age": True}, "budget.age"),
        ({"guard.limits": [{"name": "vx", "unit": "1", "high": True}]}, "guard.limits.0.high"),
        ({"host.cores": True}, "host.cores"),
        ({"host.cores": 10**30}, "host.cores"),
        ({"host.realtime": "yes"}, "host.realtime"),
        ({"labels": [1]}, "labels.0"),
        ({"labels": "go"}, "labels"),
    ],
)
def test_what_is_wrong_is_named(change, said):
    table = overridden(GOOD, [])
    for key, value in change.items():
        *way, last = key.split(".")
        place = table
        for name in way:
            place = place[name]
        if value is None:
            del place[last]
        else:
            place[last] = value
    with pytest.raises(ConfigError, match=said):
        check_session(table, "s.toml")


@pytest.mark.parametrize("text", ["budget", "=1", "budget..age=1", "source.x=1"])
def test_overrides_need_a_key_and_a_value(text):
    with pytest.raises(ConfigError, match="--set"):
        overridden(GOOD, [text])


def test_no_file_and_no_toml(tmp_path):
    with pytest.raises(ConfigError, match="readable TOML"):
        read_session(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff = [")
    with pytest.raises(ConfigError, match="readable TOML"):
        read_session(tmp_path / "bad.toml")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.toml")
    with pytest.raises(ConfigError, match="it is no file"):
        read_session(tmp_path / "a.toml")


@pytest.mark.parametrize("text", ["a\0b", "\x1b[31m", "two\nlines", "\x9b31m"])
@pytest.mark.parametrize("key", ["pipeline", "source", "record", "subject", "actuator.to", "guard.limits", "sources.x"])
def test_control_characters_are_refused_with_their_place(key, text):
    value = [{"name": text, "unit": "1"}] if key == "guard.limits" else text
    table = overridden(GOOD, [])
    place = table
    *way, last = key.split(".")
    for name in way:
        place = place.setdefault(name, {})
    place[last] = value
    with pytest.raises(ConfigError, match=f"{key}.* needs text without control characters"):
        check_session(table, "s.toml")


def test_control_characters_in_keys_are_refused():
    with pytest.raises(ConfigError, match="a key of host needs text without control characters"):
        check_session({**GOOD, "host": {"co\0re": 0}}, "s.toml")


@pytest.mark.parametrize("way", ["file", "key", "value", "table"])
def test_tables_hundreds_of_levels_deep_are_refused(tmp_path, way):
    path = tmp_path / "s.toml"
    deep = ".".join("a" * 20_000)
    path.write_text(f"source.{deep} = 1" if way == "file" else 'schema = 1\nsource = "lsl"\nrecord = "x.rvr"')
    changes = {
        "file": [], "key": [f"{deep}=1"], "value": ["subject=" + "[" * 20_000 + "]" * 20_000],
        "table": ["source=" + "{a=" * 5_000 + "1" + "}" * 5_000],
    }  # fmt: skip
    with pytest.raises(ConfigError):
        read_session(path, changes[way])
