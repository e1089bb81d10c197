"""Recordings to export."""

import numpy as np

from ranvier.record import from_array
from ranvier.record._base import Segment

RATE = 250


def example(seconds=8, seed=0, rate=RATE, **changes):
    """Four channels, counts of 0.195 uV, events of several kinds."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(-20000, 20000, (round(seconds * rate), 4)).astype(np.int16)
    given = {
        "names": ["C3", "C4", "EOG", "force"], "kind": ["eeg", "eeg", "eog", "misc"], "unit": ["uV", "uV", "uV", "N"],
        "scale": 0.195, "name": "example",
        "events": [(0, "begin"), (125, "left", 50), (400, "Größe/β"), (401, "right"), (len(counts) - 1, "left")],
        "entities": {"subject": "S01", "start": "2026-03-01T12:30:15", "device": "amplifier"},
    }  # fmt: skip
    return from_array(counts, rate, **{**given, **changes})


def gappy(seed=0, seconds=8, **changes):
    """The same with a gap of 3 s, one of 40 samples, and one of 2 s."""
    rec = example(seconds, seed, **changes)
    n = rec.n_samples
    cuts, lost = [0, 500, 1200, 1600, n], [0, 750, 40, 500]
    segments, index = [], 0
    for a, b, gap in zip(cuts, cuts[1:], lost, strict=False):
        index += gap
        segments.append(Segment(index, b - a, a))
        index += b - a
    rec.segments = tuple(segments)
    return rec
