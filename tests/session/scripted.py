"""A source that does what a list says, and what a session makes of it."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ranvier import denoise
from ranvier.acquire import Mark, Packet, Source
from ranvier.session import Session
from ranvier.stream import Channels, StreamInfo


@dataclass(eq=False)
class Script(Source):
    """Does one step a read: delivers packets, raises errors, calls what can be called; then ends.

    A step is ``(start, samples)``, a `Packet`, a `Mark`, an exception, or a function of no arguments that returns one
    of them or None. `paced` says that it is a device, which cannot wait: what it delivers arrives at the times that its
    samples have, on a clock that begins with the start, but at once; with `real` it waits until they are due.
    """

    steps: list = field(default_factory=list)
    rate: int = 250
    channels: int = 4
    dtype: str = "float32"
    paced: bool = False
    real: bool = False
    front: Any = None
    name: str = "script"
    opens: list = field(default_factory=list)
    did: list = field(default_factory=list)

    def _open(self):
        self.did.append("open")
        if self.opens and (error := self.opens.pop(0)) is not None:
            raise error
        channels = Channels.of(self.channels, "eeg", "uV")
        self._info = StreamInfo.signal(self.rate, channels, name=self.name, dtype=self.dtype)
        self._entrance = self.front or denoise.Integrity()

    def _start(self):
        self.did.append("start")
        self._began = self._clock()
        if not hasattr(self, "left"):
            self.left = list(self.steps)

    @property
    def patient(self):
        return not self.paced

    def _read(self, timeout):
        if not self.left:
            raise EOFError
        if self.real and (wait := self._due(self.left[0]) - self._clock()) > 0:
            time.sleep(min(wait / 1e9, timeout))
            return []
        step = self.left.pop(0)
        step = step() if callable(step) else step
        if step is None:
            return []
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, tuple) and not isinstance(step, Packet | Mark):
            arrival = self._due(step) if self.paced else self._clock()
            step = Packet(np.array(step[1], self.dtype), step[0], arrival)
        return [step]

    def _due(self, step):
        """When the last sample of a packet is there."""
        if not isinstance(step, tuple) or isinstance(step, Packet | Mark):
            return self._clock()
        return self._began + round((step[0] + len(step[1])) * 1e9 / self.rate)

    def _stop(self):
        self.did.append("stop")

    def _close(self):
        self.did.append("close")


def noise(n, channels=4, seed=0, size=10.0):
    """Numbers that a signal might have."""
    return (size * np.random.default_rng(seed).standard_normal((n, channels))).astype(np.float32)


def packets(x, size=10, start=0):
    """Cut samples into packets."""
    return [(start + k, x[k : k + size]) for k in range(0, len(x), size)]


def outputs(source, graph, samples=0, **more):
    """Run a session to its end; return index, numbers and mask of all that came out, and the session."""
    kept = []
    with Session(source, graph, look=lambda out, said: kept.append(out.copy()), **more) as s:
        s.run(seconds=60, samples=samples)
    index = [np.arange(b.start, b.stop) if b.at is None else b.at for b in kept]
    return np.concatenate(index), np.concatenate([b.data for b in kept]), np.concatenate([b.valid for b in kept]), s
