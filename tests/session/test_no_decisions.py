"""A session that ended before its first decision replays like any other."""

import numpy as np

from ranvier import features, record
from ranvier.session import Replay, Session, replay

SEED = 3


def test_it_replays(tmp_path):
    rng = np.random.default_rng(SEED)
    rec = record.from_array(rng.standard_normal((200, 2)).astype("f4"), rate=250)
    path = tmp_path / "x.rvr"
    with Session(Replay(rec, speed=4), features.Covariance(length=2.0, hop=0.1), record=path) as s:
        s.run()
    verdict = replay(path).check()
    assert (verdict.good, verdict.decisions, verdict.missing, verdict.more) == (True, 0, 0, 0)
