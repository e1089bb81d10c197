"""Small recordings whose answers are known."""

import numpy as np

from ranvier import record
from ranvier.decode import LDA
from ranvier.features import Epoch, LogVariance

RATE = 100
LABELS = {"left": "left", "right": "right"}


def recording(
    seed=0, n=20, subject="a", session="", run="1", gap=3.0, contrast=3.0, labels=("left", "right"), shuffle=False
):
    """Noise in 3 channels at 100 Hz; from each cue on, for 2 s, one channel is louder: which one is the class."""
    rng = np.random.default_rng(seed)
    each = int(gap * RATE)
    x = rng.standard_normal((each * (n + 1), 3)).astype(np.float32)
    order = rng.permutation(np.arange(n) % len(labels))
    events = []
    for i, c in enumerate(order):
        at = each // 2 + i * each
        x[at : at + 2 * RATE, c] *= contrast
        events.append((at, labels[c]))
    if shuffle:
        events = [(at, labels[k]) for (at, _), k in zip(events, rng.permutation(order), strict=True)]
    entities = {"subject": subject, "session": session, "run": run}
    return record.from_array(x, RATE, ["a", "b", "c"], events=events, entities=entities)


def pipeline(tmin=0.0, tmax=2.0):
    return Epoch(tmin=tmin, tmax=tmax) | LogVariance() | LDA()
