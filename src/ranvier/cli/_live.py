"""A live run of a decoder for the demo: a session on a recording, and what is seen of it while it goes on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from ranvier.act import Guard, Limits, Log, Map
from ranvier.cli._referee import Attempt, Referee
from ranvier.session import Budget, Replay, Report, Session, Verdict, replay
from ranvier.stage import Stage
from ranvier.stream import Block, Recording, Trials

SHOWN = 8.0  # [s] of signal that is kept for drawing
FAST = 20.0  # recorded seconds a second, where nobody waits
LOOK = 0.02  # [s] between two looks
AGE = 0.3  # [s] that the input of a command may be old
LATE = 60.0  # [s] the same where a recording is played faster than it was taken


@dataclass(frozen=True, eq=False)
class Part:
    """A stretch of a recording: what a decoder may learn from, or what it then decodes.

    Parameters
    ----------
    whole
        The recording.
    n_samples
        Where the stretch ends.
    start
        Where it begins.
    """

    whole: Recording
    n_samples: int
    start: int = 0

    @property
    def info(self) -> Any:
        return self.whole.info

    @property
    def event_info(self) -> Any:
        return self.whole.event_info

    @property
    def events(self) -> Any:
        return self.whole.events.cut(self.start, self.n_samples)

    @property
    def entities(self) -> Any:
        return self.whole.entities

    def blocks(self, size: int, start: int | None = None, stop: int | None = None) -> Iterator[Block]:
        """Yield the signal of the stretch."""
        begin = self.start if start is None else max(start, self.start)
        yield from self.whole.blocks(size, begin, self.n_samples if stop is None else min(stop, self.n_samples))


@dataclass(kw_only=True)
class Live:
    """A decoder in a session: a source, the entrance, the engine, a guard, a log of commands, a recorder.

    Parameters
    ----------
    stage
        The fitted pipeline.
    recording
        Where samples come from.
    trials
        What is asked in the part that is decoded.
    start, stop
        That part [samples].
    size
        Samples that come at a time.
    folder
        Where recording and log go.
    shown
        The channel whose signal is kept for drawing.
    """

    stage: Stage
    recording: Recording
    trials: Trials
    start: int
    stop: int
    size: int
    folder: Path
    shown: int = 0
    now: int = field(init=False)
    info: Any = field(init=False)
    referee: Referee = field(init=False)
    wave: deque[float] = field(init=False)
    report: Report = field(init=False, default_factory=Report)
    first: float = field(init=False, default=float("nan"))  # clock at the first decision [s]

    def __post_init__(self) -> None:
        self.now = self.start
        self.info = self.stage.describe(self.recording.info)
        self.referee = Referee(self.info, self.trials)
        self.wave = deque(maxlen=max(1, int(SHOWN * self.rate)))

    @property
    def rate(self) -> float:
        return float(self.recording.info.rate)

    @property
    def path(self) -> Path:
        """The recording that it makes."""
        return self.folder / "demo.rvr"

    def session(self, fast: bool, look: Callable[[Block, list[Any]], None]) -> Session:
        """Return the session: every decision becomes a command with the number of its class."""
        classes = self.info.channels.names
        choice = Map(("choice",), ("1",), classes=classes, values=tuple((float(i),) for i in range(len(classes))))
        limits = Limits(name="choice", unit="1", low=0, high=len(classes) - 1)
        part = Part(self.recording, self.stop, self.start)
        age = LATE if fast else AGE
        return Session(
            Replay(part, speed=FAST if fast else 1.0, packet=self.size / self.rate), self.stage | choice,
            actuator=Log(str(self.folder / "commands.jsonl")), guard=Guard(limits, max_age=age), record=self.path,
            budget=Budget(age=age), look=look,
        )  # fmt: skip

    def go(self, fast: bool, look: Callable[[Live, Sequence[Attempt]], None]) -> None:
        """Run to the end in a thread of its own; `look` gets, again and again, the trials that ended."""
        made: SimpleQueue[Block] = SimpleQueue()
        session = self.session(fast, lambda out, said: made.put(out.copy()))
        failure: list[BaseException] = []

        def run() -> None:
            try:
                session.run()
            except BaseException as e:  # raised again in the thread that waits
                failure.append(e)

        with session:
            self.report = session.report
            samples = session.viewer()
            thread = Thread(target=run, name="loop", daemon=True)
            thread.start()
            while thread.is_alive():
                thread.join(LOOK)
                self._see(samples, made, look)
        self._see(samples, made, look, over=True)
        if failure:
            raise failure[0]

    def _see(
        self, samples: Any, made: SimpleQueue[Block], look: Callable[[Live, Sequence[Attempt]], None],
        over: bool = False,
    ) -> None:  # fmt: skip
        """Take what came since the last time; when it is over, end the last trials."""
        while (block := samples.read()) is not None:
            self.wave.extend(block.data[:, self.shown].tolist())
            self.now = block.stop
        ended: list[Attempt] = []
        try:
            while True:
                out = made.get_nowait()
                self.first = time.perf_counter() if self.first != self.first else self.first
                ended += self.referee.hear(out, self.info.origin.newest(out.stop - 1) + 1)
        except Empty:
            pass
        self.report.update()
        if over:
            ended += self.referee.hear(Block(self._nothing), self.now)
        look(self, ended)

    @property
    def _nothing(self) -> Any:
        import numpy as np

        return np.zeros((0, *self.info.shape), self.info.dtype)

    def check(self, sizes: Sequence[int], advance: Callable[[float], None] = lambda _: None) -> Verdict:
        """Run the recording of it again, in blocks of so many samples."""
        return replay(self.path).check(list(sizes), advance)
