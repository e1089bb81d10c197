"""A simulated head without fault, and faults that can be planted in it."""

from functools import cache

import numpy as np

from ranvier import record
from ranvier.twin import Person, SimulatedSubject

RATE, SECONDS, SEED = 250, 60, 3


@cache
def _made(hum, blinks, mains, seconds):
    quiet = SimulatedSubject(
        cues=(), seed=SEED, rate=RATE, person=Person(blinks=blinks, blink=160.0), mains=mains, hum=hum
    )
    x = quiet.read(0, seconds * RATE).data
    return quiet, x - x.mean(axis=0)


def head(hum=0.05, blinks=0.0, mains=50.0, seconds=SECONDS, change=None, more=(), offset=0.0):
    """Return a recording of 16 electrodes whose places are known; `change` may break it, `more` adds channels."""
    subject, x = _made(hum, blinks, mains, seconds)
    x = (x + offset * np.linspace(-1, 1, x.shape[1])).astype(np.float32)
    names, kinds = [*subject.info.channels.names], ["eeg"] * x.shape[1]
    positions = [*subject.info.channels.positions]
    for name, kind, values in more:
        x, names, kinds = np.column_stack([x, values.astype(np.float32)]), [*names, name], [*kinds, kind]
        positions.append(None)
    if change is not None:
        change(x, names)
    return record.from_array(x, RATE, names, kind=kinds, positions=positions)


def kinds(found):
    """Return the names of the proposed stages."""
    return [p.name.partition(".")[2] for p in found.proposed]


def finding(found, topic):
    """Return the findings on a topic, the gravest first."""
    order = ("fault", "note", "unknown", "good")
    return sorted((f for f in found.findings if f.topic == topic), key=lambda f: order.index(f.level))[0]
