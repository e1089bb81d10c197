"""Replays of odd recordings: of a session that ended before its first decision, of heads that somebody edited."""

import json

import numpy as np
import pytest

from ranvier import features, record
from ranvier.errors import FormatError
from ranvier.record._rvr_format import sealed_text
from ranvier.session import Replay, Session, replay

SEED = 3


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(SEED)
    rec = record.from_array(rng.standard_normal((200, 2)).astype("f4"), rate=250)
    found = tmp_path / "x.rvr"
    with Session(Replay(rec, speed=4), features.Covariance(length=2.0, hop=0.1), record=found) as s:
        s.run()
    return found


def test_no_decision(path):
    verdict = replay(path).check()
    assert (verdict.good, verdict.decisions, verdict.missing, verdict.more) == (True, 0, 0, 0)


@pytest.mark.parametrize(
    ("key", "value"),
    [("ids", {}), ("ids", 5), ("session", []), ("session", {"environment": [[]]}), ("session", {"events": 5}),
     ("device", None), ("device", {"signal": 1}), ("device", {"nobody": {}})],
)  # fmt: skip
def test_edited_heads(path, key, value):
    """The check value is right: somebody knew how to make it."""
    file = path / "part-000" / "head.json"
    head = json.loads(file.read_text())["head"]
    file.write_bytes(sealed_text("head", {**head, key: value}))
    (path / "part-000" / "end.json").unlink()
    with pytest.raises(FormatError):
        replay(path)
