"""Actuators for tests: one that remembers, and broken ones that the checks must catch."""

import queue
import time
from dataclasses import dataclass, field
from typing import Any

from ranvier.act import Actuator


@dataclass(eq=False)
class Memory(Actuator):
    """Remembers what it did; a test waits at its queue."""

    did: Any = field(default_factory=queue.SimpleQueue)
    moving: bool = False

    def _open(self):
        self.did.put("open")

    def _start(self):
        self.did.put("start")

    def _send(self, approved):
        self.moving = True
        self.did.put(approved.given)
        return True

    def _stop(self):
        self.moving = False
        self.did.put("stop")

    def _close(self):
        self.did.put("close")

    def so_far(self):
        out = []
        while not self.did.empty():
            out.append(self.did.get())
        return out


class NeverStops(Memory):
    def _stop(self):
        pass


class TakesAnything(Memory):
    def send(self, thing):
        return self._send(thing)

    def _send(self, approved):
        return True


class Waits(Memory):
    def _send(self, approved):
        time.sleep(0.002)
        return True


class Raises(Memory):
    def _stop(self):
        raise OSError("the device is gone")


class Miscounts(Memory):
    def _send(self, approved):
        self.sent += 1
        return True


class Lags(Memory):
    """Carries out, once more, what was sent before it was stopped."""

    def _stop(self):
        self.moving = True
