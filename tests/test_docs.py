"""What is written about live sessions: tests that it names are there, its Python runs, examples stay short."""

import re
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from ranvier import acquire, act, channels, denoise, record, session
from ranvier.stream import Channels, StreamInfo
from ranvier.testing import check_actuator, check_source

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = ["docs/live.md", "docs/devices.md"]
NAMED = [*WRITTEN, "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]


@pytest.mark.parametrize("name", WRITTEN)
def test_named_tests_are_there(name):
    there = {t for p in ROOT.glob("tests/**/*.py") for t in re.findall(r"def (test_\w+)", p.read_text("utf-8"))}
    named = set(re.findall(r"`(test_\w+)`", (ROOT / name).read_text("utf-8")))
    assert named
    assert named <= there


@pytest.mark.parametrize("name", NAMED)
def test_named_files_are_there(name):
    text = (ROOT / name).read_text("utf-8")
    paths = re.findall(r"`((?:examples|tests|src|docs)/[\w./]+\.\w+)`", text)
    assert [p for p in paths if "/name." not in p and not (ROOT / p).exists()] == []
    numbers = {p.name[:4] for p in (ROOT / "docs" / "decisions").glob("*.md")}
    assert set(re.findall(r"decisions/(\d{4})", text)) <= numbers


def test_the_python_of_live_md_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rec = record.from_array(np.random.default_rng(1).standard_normal((500, 2)).astype("f4"), 250)
    with session.Session(session.Replay(rec, speed=20), denoise.Bandpass(8, 30), record="s02.rvr") as running:
        running.run()
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "live.md").read_text("utf-8"), re.S)
    exec(code, {})  # our own page
    assert capsys.readouterr().out.split() == ["250", "0", "True"]
    parts = sorted(p.name for p in (tmp_path / "s02.rvr" / "part-000").iterdir())
    assert set(parts) - {"zarr.json"} == {
        "00-signal", "01-output", "02-output-valid", "end.json", "head.json", "notes-000.log",
    }  # fmt: skip


def test_devices_of_contributing_md_keep_the_rules(tmp_path):
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("# A device of your own")[1]
    code = "\n".join(textwrap.dedent(c) for c in re.findall(r"```python\n(.*?)```", text, re.S))
    room = {
        "dataclass": dataclass, "field": field, "ClassVar": ClassVar, "np": np, "time": time, "Actuator": act.Actuator,
        "Integrity": denoise.Integrity, "Scale": channels.Scale, "StreamInfo": StreamInfo, "Channels": Channels,
        "Source": acquire.Source, "Packet": acquire.Packet, "Counters": acquire.Counters,
    }  # fmt: skip
    exec(code, room)  # our own page
    check_source(room["Clockwork"], samples=10)
    check_actuator(room["Lamp"], is_safe=lambda lamp: lamp.brightness == 0)


def test_examples_are_short():
    assert all(len(p.read_text("utf-8").splitlines()) <= 60 for p in ROOT.glob("examples/*.py"))
