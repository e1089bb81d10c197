"""Loop: the one thread in which blocks become decisions, and decisions approved commands."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ranvier.act import Actuator, Approved, Command, Commands, Guard, Refused, note
from ranvier.errors import RanvierError
from ranvier.session._budget import Budget
from ranvier.session._compose import find_align, lateness
from ranvier.session._cues import Cues, said_of
from ranvier.session._histogram import Histogram
from ranvier.session._host import Spare
from ranvier.session._intake import Intake
from ranvier.session._notes import NoteWriter
from ranvier.session._output import pack
from ranvier.session._reader import Reader
from ranvier.session._waiting import Together
from ranvier.stage import Run, as_tuple
from ranvier.stream import Block, Control, EventInfo, Events

TURN = 0.02  # s that the loop waits for samples before it looks after everything else
LATE, AGAIN = 0.5, 0.25  # parts of the patience of an Align: who lags more is given up, who lags less is taken back
AHEAD = 0.75  # part of it by which others may run ahead of the first
NEVER = 2**62
COUNTED = (
    "blocks", "samples", "decisions", "invalid", "approved", "refused", "skipped", "missed", "unsent", "restarts",
)  # fmt: skip


class Loop:
    """Takes blocks as they come, steps the graph, and sees every command through budget, guard and actuator.

    Parameters
    ----------
    run
        The graph behind its entrances, started; None to let samples pass, for a session that only records.
    mapping
        From decision to command, started; None where nothing is to act.
    readers, intakes
        One each a signal port, in the order of the graph.
    guard, actuator, budget
        What a command must pass, where it goes, and how old its input may be.
    notes
        Where everything that happens is written down; None: nowhere.
    cues
        Markers, and the events of the graph's event port; None without either.
    commands
        Makes commands of decisions; None where nothing is to act.
    look
        Called with what came out and what became of it, after it has gone out: nothing here may take long.

    spin
        See `Host`.

    Attributes
    ----------
    latency
        Histograms by name: ``input age`` at the action, ``compute`` a block and of each part of the plan, ``arrival to
        done`` a block, ``arrival to command``.
    counts
        Blocks, samples, decisions, commands approved, refused, skipped, missed, and so on.
    """

    def __init__(
        self,
        run: Run | None,
        mapping: Run | None,
        readers: Sequence[Reader],
        intakes: Sequence[Intake],
        *,
        guard: Guard | None = None,
        actuator: Actuator | None = None,
        budget: Budget | None = None,
        notes: NoteWriter | None = None,
        cues: Cues | None = None,
        commands: Commands | None = None,
        look: Callable[[Block, list[Any]], None] | None = None,
        spin: float = 0.0,
    ) -> None:
        self.run: Any = run
        self.mapping, self.readers, self.intakes = mapping, tuple(readers), tuple(intakes)
        self.guard: Any = guard
        self.actuator, self.budget, self.notes, self.cues = actuator, budget, notes, cues
        self.commands, self.look, self._spin = commands, look, spin
        self.latency = {name: Histogram() for name in ("input age", "compute", "arrival to done", "arrival to command")}
        self.counts = dict.fromkeys(COUNTED, 0)
        self.stopping = ""  # why the loop ends of itself
        self._stops = [intake.begin for intake in self.intakes] or [0] * len(self.readers)
        self._silent = [False] * len(self.readers)
        self._controls = 0
        self._events = Events(0, 0)
        self._lost = [0] * len(self.readers)
        tempos = [intake.source.tempo for intake in self.intakes] or [1.0] * len(self.readers)
        self._periods = [1e9 / float(r.info.rate) / t for r, t in zip(self.readers, tempos, strict=True)]  # [ns]
        self._empty = [np.zeros((0, *r.info.shape), r.info.dtype) for r in self.readers]
        self._ports: list[str] = ["signal"]
        self._heeds = False  # whether events enter the graph
        self._telling: list[tuple[int, EventInfo]] = []  # places of the events that come out of it beside its decisions
        self._beside: tuple[Any, ...] = ()
        self._align: Any = None  # path and stage
        self._clocked, self._arrived = 0, 0  # the port whose samples outputs are counted in; when its last came [ns]
        if run is not None:
            origin = as_tuple(run.info)[0].origin
            self._telling = [(k, i) for k, i in enumerate(as_tuple(run.info)) if k and isinstance(i, EventInfo)]
            self._newest = origin.newest
            named = [r.info.name for r in self.readers]
            self._clocked = named.index(origin.source) if origin.source in named else 0
            self._fresh = run.save()
            run.meter(self._measure)
            self._ports = [p.kind for p in run.stage.inputs]
            self._heeds = "events" in self._ports
            self._names = [p.name for p in run.stage.inputs if p.kind == "signal"]
            self._align = find_align(run.stage) if len(self.readers) > 1 else None
            self._late = lateness(self._align, self._names)

    def _measure(self, part: str) -> Callable[[int], None]:
        """Return what counts the times of a part of the plan."""
        return self.latency.setdefault(f"part {part}", Histogram()).add

    def go(self, until: int = NEVER, samples: int = NEVER, stop: Callable[[], bool] = lambda: False) -> str:
        """Run until a host time [ns], a number of samples of the first source, or until asked to stop; say which."""
        together, spare, clock = Together(self.readers), Spare(), time.monotonic_ns
        alone = len(self.readers) == 1 and len(self._ports) == 1
        reader = self.readers[0]
        samples = min(samples + self._stops[0], NEVER)
        while not self.stopping:
            if stop():
                return "stop"
            if self._stops[0] >= samples:
                return "samples"
            if not together.wait(TURN, self._spin):
                if all(r.closed for r in self.readers):
                    return "source"
            elif alone:
                block = reader.read()
                if block is not None:
                    self._turn(0, block, reader)
            elif not self._turns():
                if reader.closed:
                    return "source"  # nothing can come of the others alone
                reader.wait(TURN)
            now = clock()
            self._look_after()
            spare.use(now)
            if now >= until:
                return "time"
        return self.stopping

    def finish(self) -> None:
        """Write down what is left to say when nothing comes any more: the latencies of all, and what devices said."""
        self._look_after()
        if self.cues is not None:  # what was on its way when the samples ended did not enter the graph
            self.cues.hear(self.intakes[0], self._stops[0], self._stops[0])
            for sample, payload in self.cues.last():
                self._say("event", sample, {**payload, "aside": payload.get("aside", "after the end")})
        self._say("text", self._stops[0], {"of": "end", "stops": self._stops, "why": self.stopping})
        for name, histogram in self.latency.items():
            self._say("latency", self._stops[0], {"of": name, **histogram.as_table()})
        for port, intake in enumerate(self.intakes):
            dropped = {"words": intake.said.dropped, "marks": intake.marks.dropped, "fits": intake.fits.dropped}
            counters = intake.source.counters.as_dict()
            self._say("health", self._stops[port], {"counters": counters, "dropped": dropped}, port)

    def _turns(self) -> bool:
        """One block of each source that has one; return whether there was any."""
        any_ = False
        for port, r in enumerate(self.readers):
            if self._align and port and self._lag(port) < -AHEAD * self._align[1].patience:
                continue  # it waits, in its ring, for the first
            block = r.read()
            if block is not None:
                any_ = True
                self._turn(port, block, r)
        return any_

    def _lag(self, port: int) -> float:
        """Return how far a source is behind the first one, by what came of both [s]."""
        first, mine = float(self.readers[0].info.rate), float(self.readers[port].info.rate)
        return self._stops[0] / first - self._stops[port] / mine - self._late[port]

    def _turn(self, port: int, block: Block, reader: Reader) -> None:
        """One block: through the graph, and what comes of it to where it belongs."""
        clock, counts = time.monotonic_ns, self.counts
        if block.start != self._stops[port] and reader.lost_blocks:
            self._unseen(port, block.start, reader)
        cued = self.cues is not None and port == 0
        if cued and self._heeds:
            self._mark(block.start, block.stop)
        begin = clock()
        first = None if self.run is None else self._step(port, block)
        done = clock()
        stop, n = block.stop, block.n
        if not reader.intact():
            self._overtaken(port, stop)
        else:
            self._stops[port] = self.intakes[port].taken = stop
            if port == self._clocked:
                self._arrived = reader.arrival
            if first is not None and first.n:
                self._decide(first, reader.arrival)
            if self._telling and self.notes is not None:
                self._tell()
            counts["blocks"] += 1
            counts["samples"] += n
            self.latency["compute"].add(done - begin)
            self.latency["arrival to done"].add(done - reader.arrival)
        if cued and not self._heeds:  # only written down: nothing waits for it
            self._mark(stop - n, stop)

    def _step(self, port: int, block: Block) -> Block:
        """Step the graph; return its first output."""
        run = self.run
        out = run.step(*self._chunks(port, block)) if len(self._ports) > 1 else run.step(block)
        if len(run.controls) != self._controls:
            self._write_controls()
        if type(out) is Block:
            return out
        first: Block
        first, *_ = self._beside = as_tuple(out)
        return first

    def _tell(self) -> None:
        """Write down the events that came out beside the decisions."""
        for k, info in self._telling:
            for row in self._beside[k].table:
                newest = info.origin.newest(int(row["sample"]))
                self._say("event", newest, {**said_of(info, row), "of": info.name}, self._clocked)

    def _mark(self, start: int, stop: int) -> None:
        """Take the events that are complete, and write down what was landed."""
        cues: Any = self.cues
        cues.hear(self.intakes[0], start, stop)
        self._events, said = cues.take()
        for sample, payload in said:
            self._say("event", sample, payload)

    def _chunks(self, port: int, block: Block) -> list[Any]:
        """Return what goes into every port when a block has come at one of them."""
        chunks: list[Any] = []
        signal = 0
        for kind in self._ports:
            if kind != "signal":
                chunks.append(self._events if port == 0 else Events(self._events.stop, self._events.stop))
                continue
            chunks.append(block if signal == port else Block(self._empty[signal], self._stops[signal]))
            signal += 1
        return chunks

    def _decide(self, out: Block, arrival: int) -> None:
        """See every row of what came out through budget, guard and actuator; then write it down."""
        wanted = out if self.mapping is None else self.mapping.step(out)
        said, port = [], self._clocked
        for i in range(out.n):
            newest = self._newest(out.start + i) if out.at is None else int(out.at[i])
            when = self._time_of(newest)
            verdict = self._act(wanted.data[i], wanted.valid[i], newest, when, arrival)
            self.counts["decisions"] += 1
            said.append((newest, verdict))
        if self.notes is not None:
            self.notes.write("output", pack(out), port, said[-1][0])
            for newest, verdict in said:
                if verdict is not None:
                    self.notes.write("command", json.dumps(verdict).encode(), port, newest)
        if self.look is not None:
            self.look(out, [verdict for _, verdict in said])

    def _time_of(self, newest: int) -> float:
        """Return when a sample was taken [ns]: by the clock of its device, but not after it can have arrived."""
        port = self._clocked
        fit = self.intakes[port].clock if self.intakes else None
        arrived: float = self._arrived - (self._stops[port] - 1 - newest) * self._periods[port]
        return arrived if fit is None else min(arrived, (fit.time + (newest - fit.index) * fit.period) * 1e9)

    def _act(self, row: Any, valid: Any, newest: int, when: float, arrival: int) -> dict[str, Any] | None:
        """Make a command of a row and see it through; return what is to be written down, None where there is none."""
        counts, now = self.counts, time.monotonic_ns()
        age = max(now - when, 0.0) / 1e9
        command = None
        if self.commands is not None:
            command = self.commands.of(row, valid, sample=newest, age=age, made=now)
        if command is None:
            counts["invalid"] += not valid.all()
            self.latency["input age"].add(int(age * 1e9))
            return None
        said: dict[str, Any] = {}
        what: Approved | Refused | Command = command
        if self.budget is not None and age > self.budget.age:
            counts["missed"] += 1
            said["missed"] = self.budget.miss
        if said.get("missed", "warn") != "warn":
            counts["skipped"] += 1
            if said["missed"] == "stop":
                self.stopping = f"the input of an action was {age:.3g} s old, which the budget does not allow"
        else:
            what = self._through(command, now, said)
        sent = time.monotonic_ns()
        self.latency["input age"].add(int(age * 1e9) + sent - now)
        self.latency["arrival to command"].add(sent - arrival)
        return note(what) | said

    def _through(self, command: Command, now: int, said: dict[str, Any]) -> Approved | Refused:
        """Ask the guard, and send what it approves."""
        verdict: Approved | Refused = self.guard.approve(command, now)
        if isinstance(verdict, Refused):
            self.counts["refused"] += 1
            return verdict
        self.counts["approved"] += 1
        try:
            if self.actuator is not None and not self.actuator.send(verdict):
                self.counts["unsent"] += 1
                said["unsent"] = "no room"
        except RanvierError as e:
            self.counts["unsent"] += 1
            said["unsent"] = str(e)
        return verdict

    def _unseen(self, port: int, start: int, reader: Reader) -> None:
        """Write down that the loop was too slow for a stretch of samples, which the recording has all the same."""
        lost = reader.lost_blocks
        if lost != self._lost[port]:
            self._lost[port] = lost
            self._say("control", start, {"kind": "unseen", "port": port, "from": self._stops[port], "to": start})

    def _overtaken(self, port: int, stop: int) -> None:
        """Forget what was made of samples that were overwritten meanwhile, by beginning afresh behind them."""
        if self.run is not None:
            self.run.restore(self._fresh)
        self.counts["restarts"] += 1
        self._lost[port] = self.readers[port].lost_blocks
        said = {"kind": "restart", "port": port, "from": self._stops[port], "to": stop, "events": self._events.stop}
        self._stops[port] = self.intakes[port].taken = stop
        self._say("control", stop, {**said, "stops": list(self._stops)})
        if self._align and self.run is not None:  # who was silent is so still
            self._controls = len(self.run.controls)
            for silent in (p for p in range(1, len(self.readers)) if self._silent[p]):
                self._give_up(silent)

    def _look_after(self) -> None:
        """Write down what the devices' threads said, and give up or take back silent streams."""
        for port, intake in enumerate(self.intakes):
            while intake.said:
                kind, sample, payload = intake.said.popleft()
                self._say(kind, sample, payload, port)
        while self.cues is not None and self.cues.gone:
            self._say("gap", self._stops[0], self.cues.gone.popleft())
        if self._align:
            self._listen()

    def _listen(self) -> None:
        """Send `Align` a timeout for a stream that has fallen behind, and a resume when it is there again."""
        for port in range(1, len(self.readers)):
            silent = self._lag(port) > self._align[1].patience * (AGAIN if self._silent[port] else LATE)
            if silent != self._silent[port]:
                self._silent[port] = silent
                if silent:
                    self._give_up(port)
                else:
                    self._control("resume", port, self._stops[0])

    def _give_up(self, port: int) -> None:
        self._control("timeout", port, 0)  # from the next sample on that is due: those before it wait, too

    def _control(self, kind: str, port: int, at: int) -> None:
        payload = {"port": self._names[port]}
        self.run.control(Control(at_sample=at, kind=kind, node=self._align[0], payload=payload))
        self._write_controls()

    def _write_controls(self) -> None:
        for control in self.run.controls[self._controls :]:
            self._say("control", control.at_sample, asdict(control))
        self._controls = len(self.run.controls)

    def _say(self, kind: str, sample: int, payload: dict[str, Any], port: int = 0) -> None:
        if self.notes is not None:
            self.notes.write(kind, json.dumps(payload, default=_plain).encode(), port, sample)


def _plain(value: Any) -> Any:
    """Return what JSON has no word for in words that it has."""
    if isinstance(value, Mapping):
        return dict(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)
