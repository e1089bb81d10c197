"""What runs in processes of its own: started with the spawn method, told when to go on through pipes."""

import os

import numpy as np

from ranvier.session import Ring
from ranvier.session._layout import Layout
from ranvier.stream import StreamInfo

PATIENCE = 30.0  # s; a bound for failure, never waited for


def info(channels=8, dtype="int16", rate=1000):
    return StreamInfo.signal(rate, channels, name="test", dtype=dtype)


def numbers(start, n, channels=8, dtype="int16"):
    """What sample and channel say of themselves."""
    index = np.arange(start, start + n)
    return ((index[:, None] * 7 + np.arange(channels)) % 32749).astype(dtype)


def write_all(name, pipe, blocks, n, slots):
    """Write blocks as fast as it goes once a reader is there; tell how many samples."""
    with Ring(info(), Layout.of(info(), n, slots), name) as ring:
        pipe.send("open")
        pipe.recv()
        for k in range(blocks):
            ring.write(numbers(k * n, n))
    pipe.send(blocks * n)


def write_at_command(name, pipe):
    """Write a block whenever told to, until told nothing more."""
    with Ring.create(info(), 0.1, block=10, name=name) as ring:
        pipe.send(os.getpid())
        start = 0
        while (n := pipe.recv()) is not None:
            start = ring.write(numbers(start, n))
            pipe.send(start)


def read_until_closed(name, pipe):
    """Read all that comes and tell what it was."""
    seen, wrong = 0, 0
    with Ring.attach(name) as reader:
        pipe.send("ready")
        while reader.wait(PATIENCE):
            block = reader.read()
            right = np.array_equal(block.data, numbers(block.start, block.n))
            if reader.intact():
                seen += block.n
                wrong += not right
        pipe.send((seen, wrong, reader.lost_samples, reader.closed))


def hang(name, pipe):
    """Attach, take a block, then do nothing for ever."""
    reader = Ring.attach(name)
    pipe.send("ready")
    reader.wait(PATIENCE)
    reader.read()
    pipe.send("has one")
    pipe.recv()
