"""The process that owns an actuator for a `Watchdog`: ``python -m ranvier.act._keeper '{...}'``.

Its standard input is the pipe from the loop: where that ends, the loop has ended, and so the actuator is brought to its
safe state and the process ends. Its standard output answers what it is asked. It ignores SIGINT, which is meant for the
loop; SIGTERM and SIGHUP make it end, through the safe state.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from math import isinf
from typing import Any, NoReturn

from ranvier.act._dead_man import DeadMan
from ranvier.act._guard import Guard
from ranvier.act._pipe import COMMAND, NAMES, START, STOP, Unpacker
from ranvier.act._registry import actuator as make
from ranvier.act._wire import decode


class Keeper:
    """Hears the loop and keeps its actuator safe."""

    def __init__(self, dead_man: DeadMan, commands: int, answers: int) -> None:
        self.dead_man, self.commands, self.answers = dead_man, commands, answers
        self.names: tuple[str, ...] = ()
        self.units: tuple[str, ...] = ()
        self.graph = self.model = ""

    def answer(self, state: str) -> None:
        """Say to who started this how it is."""
        _say(self.answers, {"state": state, **self.dead_man.counts()})

    def run(self) -> None:
        """Hear until the pipe ends."""
        unpacker = Unpacker()
        while True:
            wait = self.dead_man.wait(time.monotonic_ns())
            ready = select.select([self.commands], [], [], None if isinf(wait) else wait)[0]
            if ready:
                data = os.read(self.commands, 1 << 16)
                if not data:
                    return
                for kind, body in unpacker.feed(data):
                    self.hear(kind, body)
            self.dead_man.tick(time.monotonic_ns())

    def hear(self, kind: int, body: bytes) -> None:
        if kind == COMMAND:
            command = decode(body).command(self.names, self.units, graph=self.graph, model=self.model)
            self.dead_man.take(command, time.monotonic_ns())
        elif kind == NAMES:
            table = json.loads(body)
            self.names, self.units = tuple(table["names"]), tuple(table["units"])
            self.graph, self.model = table["graph"], table["model"]
        elif kind == START:
            self.dead_man.reset()
            self.answer("armed")
        elif kind == STOP:
            self.dead_man.stop()
            self.answer("safe")
        else:
            self.answer("safe" if self.dead_man.safe else "running")


def _say(answers: int, what: dict[str, Any]) -> None:
    """Write an answer; nobody need be there to hear it."""
    try:
        os.write(answers, (json.dumps(what) + "\n").encode())
    except OSError:
        return


def _end(*_: Any) -> NoReturn:
    _heed(signal.SIG_IGN)  # what comes next must not cut short the way to the safe state
    raise SystemExit(0)


def _heed(handler: Any) -> None:
    """Do the same at SIGTERM and at SIGHUP."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def keep(given: dict[str, Any], commands: int, answers: int) -> None:
    """Own an actuator until the pipe of commands ends."""
    owned = make(given["actuator"])
    keeper = Keeper(DeadMan(owned, given["silence"], given["latch"], Guard(), time.monotonic_ns), commands, answers)
    try:
        owned.open()
        keeper.answer("ready")
        keeper.run()
    finally:
        _heed(signal.SIG_IGN)
        owned.close()


def main() -> int:
    """Do what the command line says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _heed(_end)
    commands, answers = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # what a library prints must not look like an answer
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        keep(json.loads(sys.argv[1]), commands, answers)
    except Exception as e:
        _say(answers, {"state": "failed", "error": f"{type(e).__name__}: {e}"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
