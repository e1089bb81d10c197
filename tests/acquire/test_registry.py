"""Sources by text and by table, and one clear error for everything else."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest

from ranvier import acquire
from ranvier.acquire import LSL, Counters, Cyton, LslCounter, Source, source
from ranvier.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cyton:/dev/ttyUSB0", Cyton("/dev/ttyUSB0")),
        ("cyton:COM3?daisy=true&gain=12&aux=accel", Cyton("COM3", True, (12,), "accel")),
        ("cyton:port=/dev/a&daisy=none", Cyton("/dev/a")),
        ("cyton:/dev/a?gain=1,2,4&timeout=0.5", Cyton("/dev/a", gain=(1, 2, 4), timeout=0.5)),
        ("lsl:EEG", LSL("EEG")),
        ("lsl:name=EEG", LSL("EEG")),
        ("lsl:type=EEG&timeout=2", LSL(type="EEG", timeout=2.0)),
        ("lsl:type=EEG?timeout=2", LSL(type="EEG", timeout=2.0)),
        ("lsl:source_id=a:b", LSL(source_id="a:b")),
        ("lsl:address=10.0.0.5:16572", LSL(address="10.0.0.5:16572")),
        ("lsl?name=EEG", LSL("EEG")),
        ("lsl", LSL()),
    ],
)
def test_text(text, expected):
    made = source(text)
    assert type(made) is type(expected)
    assert dataclasses.asdict(made) == dataclasses.asdict(expected)


def test_table():
    made = source({"use": "acquire.Cyton", "port": "/dev/a", "gain": [24], "daisy": True})
    assert (made.port, made.gain, made.daisy) == ("/dev/a", (24,), True)
    assert isinstance(source({"use": "lsl", "name": "EEG"}), LSL)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nothing:x", "source needs one of brainflow, cyton.* before a colon; got 'nothing:x'"),
        ("", "needs one of"),
        ("cyton:", "port is missing"),
        ("cyton:/dev/a?speed=2", "of port, daisy, gain, aux, names, kind, timeout; got 'speed=2'"),
        ("cyton:/dev/a?daisy=perhaps", "daisy needs .*got 'perhaps'"),
        ("cyton:/dev/a?gain=a", "gain"),
        ("cyton:/dev/a?gain=3", "gains of 1, 2, 4"),
        ("cyton:/dev/a?port=/dev/b", "each key once"),
        ("cyton:/dev/a?aux=smell", "aux needs"),
        ("lsl:EEG?timeout=soon", "timeout needs float; got 'soon'"),
        ({"use": "acquire.Nothing"}, "source.use needs one of .*acquire.Cyton.*; got 'acquire.Nothing'"),
        ({"port": "x"}, "source.use needs"),
        ({"use": "acquire.Cyton", "port": "x", "prot": "y"}, "source.prot is not known here; known are aux, daisy"),
        ({"use": "acquire.Cyton", "port": 3}, "source.port needs str; got 3"),
        (7, "needs a text or a table; got 7"),
    ],
)
def test_wrong(given, message):
    with pytest.raises(ConfigError, match=message):
        source(given)


def test_rooms_above_register_theirs(monkeypatch):
    monkeypatch.setattr("ranvier.acquire._registry._REGISTERED", {})

    @acquire.register
    @dataclasses.dataclass(eq=False)
    class Played(Source):
        file: str
        speed: float = 1.0
        scheme: ClassVar[str] = "played"

        _open = _start = _stop = _close = lambda self: None

        def _read(self, timeout):
            return []

    made = source("played:/a?b/c=d.edf?speed=2")
    assert (made.file, made.speed) == ("/a?b/c=d.edf", 2.0)
    assert source("played:/a?b").file == "/a?b"
    with pytest.raises(ConfigError, match="needs a scheme"):
        acquire.register(Source)


def test_what_can_be_found_says_what_could_not_be_looked_for(monkeypatch):
    monkeypatch.setattr(Cyton, "nearby", classmethod(lambda cls, t: [acquire.Found("cyton:/dev/a", "a", "")]))
    monkeypatch.setattr(LSL, "nearby", classmethod(lambda cls, t: (_ for _ in ()).throw(ConfigError("no library"))))
    found, failed = acquire.sources(0.1)
    assert acquire.Found("cyton:/dev/a", "a", "") in found
    assert failed["lsl"] == "no library"


def stamps(n, rate, seed, drift=0.0, jitter=0.0, gap=(10**9, 0.0)):
    """Return regular time stamps with drift, chunks that are late, and a gap [s] behind a sample."""
    k = np.arange(n)
    late = np.repeat(np.random.default_rng(seed).exponential(jitter or 1e-12, n // 10 + 1), 10)[:n]
    return 100 + k / (rate * (1 + drift)) + late + np.where(k >= gap[0], gap[1], 0.0)


@pytest.mark.parametrize("drift", [-0.005, 0.0, 0.005])
@pytest.mark.parametrize("jitter", [0.0, 0.01])
def test_time_stamps_with_drift_and_jitter_hold_no_gap_but_the_one_that_is_there(drift, jitter):
    for size in (1, 17, 1000):
        counters = Counters()
        counter = LslCounter(250.0, 0.1, counters)
        times = stamps(5000, 250, 3, drift, jitter, (3000, 2.0))
        packets = [p for a in range(0, 5000, size)
                   for p in counter.take(np.zeros((len(times[a : a + size]), 1)), times[a : a + size], a)]  # fmt: skip
        index = np.concatenate([np.arange(p.start, p.start + len(p.samples)) for p in packets])
        assert np.array_equal(index[:3000], np.arange(3000))
        assert counters.gaps == 1
        assert abs(counters.lost - 500) <= (
            4 if jitter == 0 else 25
        )  # 0.5 % of the gap, and how late drift is followed
        assert np.array_equal(np.diff(index[3000:]), np.ones(1999))


class Point:
    """An entry point as an installed package has one."""

    def __init__(self, name, thing):
        self.name, self.value, self._thing = name, "package:Thing", thing

    def load(self):
        if isinstance(self._thing, Exception):
            raise self._thing
        return self._thing


def test_entry_points(monkeypatch):
    @dataclasses.dataclass(eq=False)
    class Foreign(Source):
        host: str = ""
        scheme: ClassVar[str] = "foreign"

        _open = _start = _stop = _close = lambda self: None

        def _read(self, timeout):
            return []

    points = [Point("foreign", Foreign)]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points if group == "ranvier.sources" else [])
    assert source("foreign:there").host == "there"
    assert source({"use": "foreign", "host": "x"}).host == "x"
    points.append(Point("broken", ImportError("no such library")))
    with pytest.raises(ConfigError, match=r"'broken' .* cannot be loaded: ImportError: no such library"):
        source("foreign:there")
    points[1] = Point("odd", int)
    with pytest.raises(ConfigError, match="'odd' needs a Source"):
        source("foreign:there")
