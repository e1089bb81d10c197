"""Session: sources, graph, guard and actuator in motion, with a recorder beside them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, RLock, get_ident
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ranvier.acquire import MarkerSource, Source
from ranvier.act import Actuator, Commands, Guard
from ranvier.errors import ContractError, StateError
from ranvier.session._budget import Budget
from ranvier.session._compose import entered, need_patience, split
from ranvier.session._cues import Cues
from ranvier.session._given import named, need_kinds, need_length, need_one
from ranvier.session._host import Host, undisturbed
from ranvier.session._intake import Intake, fitter
from ranvier.session._loop import NEVER, Loop
from ranvier.session._notes import NoteWriter, notes_ring
from ranvier.session._place import need_path, need_place
from ranvier.session._reader import Reader
from ranvier.session._replay_source import Replay  # noqa: F401  makes replay: known
from ranvier.session._report import Report
from ranvier.session._ring import Ring
from ranvier.session._steps import noted, tried
from ranvier.stage import Run, Stage, as_tuple, save_model
from ranvier.stream import Info, StreamInfo

if TYPE_CHECKING:
    from typing import Self

KEPT = 4.0  # s that the rings hold: how long a recorder may be away, or the loop behind, without a loss
PATIENCE = 10.0  # s that `stop` waits for the loop to end, if another thread runs it
LIFETIME = 0.5  # s after which a command must not be carried out, without a budget


class Session:
    """Devices, a graph and what it drives, running: every decision dated, every command guarded, everything recorded.

    Parameters
    ----------
    source
        Where samples come from; or several by name, one for each signal port of the graph, in its order (those joined
        by an `Align` are named like its ports).
    graph
        The fitted pipeline, as it was trained on recordings: it is fed numbers in their unit. If it ends with
        `act.Map`, what comes before is the decision. Of a `Graph`, the first result is; events that it puts out beside
        it, such as verdicts on channels, are recorded. None to record only.
    actuator, guard
        What is driven, and what every command must pass; a session that acts needs both.
    record
        Folder of the recording (``.rvr``) to make; None for none.
    resume
        Whether to add to a recording that is there already: indices go on behind it by the time that has passed.
    budget
        How old the input of an action may be, and what happens if it is older.
    markers, labels
        Sources of markers by name, and the labels that enter the graph's event port in the order of their codes; all
        others are recorded alone.
    host
        What to ask of the machine.
    cores
        Threads that may share the channels of the compiled loop.
    head
        What else the recording shall say of itself: subject, task, the session's file.
    look
        Called in the loop's thread with each block of decisions and what became of them; it must return at once.

    Attributes
    ----------
    report
        Its figures, up to date while it runs.
    rings
        Names of the rings of its sources, for viewers: ``Ring.attach(name, newest=True)``.

    Notes
    -----
    The loop runs in the thread that calls `run`, each device in a thread of its own, the recorder in a process of its
    own. `stop` is safe to call at any time and from any thread. The actuator is brought into its safe state before
    anything else ends. A session that was stopped may be started again.

    Examples
    --------
    >>> from ranvier import denoise, record
    >>> import numpy as np
    >>> rec = record.from_array(np.zeros((500, 2), "f4"), rate=250)
    >>> with Session(Replay(rec, speed=0), denoise.Bandpass(8, 30)) as s:
    ...     s.run()
    >>> s.report.counts["samples"]
    500
    """

    def __init__(
        self,
        source: Source | Mapping[str, Source],
        graph: Stage | None = None,
        *,
        actuator: Actuator | None = None,
        guard: Guard | None = None,
        record: str | Path | None = None,
        resume: bool = False,
        budget: Budget | None = None,
        markers: Mapping[str, MarkerSource] | None = None,
        labels: Sequence[str] = (),
        host: Host | None = None,
        cores: int = 1,
        head: Mapping[str, Any] | None = None,
        look: Callable[[Any, list[Any]], None] | None = None,
    ) -> None:
        self.sources: dict[str, Source] = named(source, Source, "a Source")
        if graph is not None and not isinstance(graph, Stage):
            raise ContractError(f"Session needs a fitted graph; got {type(graph).__name__}. Fit it first.")
        if (actuator is None) != (guard is None):
            raise ContractError(
                f"Session needs a guard for its actuator, and an actuator for its guard; got only "
                f"{'a guard' if actuator is None else 'an actuator'}. Give both, or neither."
            )
        if graph is None and actuator is not None:
            raise ContractError("Session needs a graph to act on anything; got an actuator alone. Give a graph.")
        if not self.sources or (graph is None and record is None):
            raise ContractError("Session needs a source, and a graph or a recording to make; got neither. Give one.")
        self.graph, self.actuator, self.guard, self.budget = graph, actuator, guard, budget
        self.markers: dict[str, MarkerSource] = named(markers or {}, MarkerSource, "a MarkerSource")
        self.labels = (labels,) if isinstance(labels, str) else tuple(labels)
        self._cues: Cues | None = None
        self.host, self.cores, self.look = host or Host(), cores, look
        self.record = need_path(record)
        self.resume = resume
        self.head = head or {}
        need_kinds(self)
        self._running = False
        self._ending, self._idle = RLock(), Event()
        self._forget()

    def _forget(self) -> None:
        """Be as if nothing had run."""
        self.report = Report()
        self.rings: dict[str, str] = {}
        self._recorder: Any = None
        self._intakes: list[Intake] = []
        self._rings: list[Ring] = []
        self._loop: Loop | None = None
        self._notes: Ring | None = None
        self._acting: Guard | None = None
        self._wish, self._stopped = "", False
        self._thread = 0  # that runs the loop
        self._idle.set()

    @property
    def events(self) -> Any:
        """Description of the events that enter the graph; known once it was started."""
        return None if self._cues is None else self._cues.info

    # life -------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Open the devices, design and compile the graph, start the recorder; samples flow with `run`."""
        if self._running:
            raise StateError("Session.start needs a session that does not run; this one does. Stop it first.")
        with self._ending:  # a stop from another thread comes behind it, and before anything can act
            self._forget()
            self._running = True
            try:
                self._start()
            except BaseException as e:
                self._running = True
                noted(e, lambda: self.stop("failed to start"))
                raise

    def _start(self) -> None:
        name = f"{os.getpid()}-{uuid4().hex[:8]}"
        need_place(self.record, self.resume)
        for source in self.sources.values():
            source.open()
            if source.patient and (self.record is not None or self.markers):
                raise ContractError(
                    f"Session needs a source with a pace to record from, and for markers; got {type(source).__name__} "
                    "as fast as it is taken. Give it a speed."
                )
        first = next(iter(self.sources.values())).info
        self._cues = Cues(first, self.markers, self.labels)
        run, mapping, commands = self._prepared()
        self.rings = {port: f"{name}-{i}" for i, port in enumerate(self.sources)}
        self._rings = [
            Ring.create(s.info, KEPT * max(s.tempo, 1.0), name=ring)
            for s, ring in zip(self.sources.values(), self.rings.values(), strict=True)
        ]
        self._notes = notes_ring(f"{name}-notes", KEPT) if self.record is not None else None
        notes = None if self._notes is None else NoteWriter(self._notes)
        if self.record is not None:
            self._recorder = self._recorded(self.record, name, run)
        before = {} if self._recorder is None else self._recorder.before
        for (port, source), ring in zip(self.sources.items(), self._rings, strict=True):
            begin, wall = before.get(port, (0, 0))
            self._intakes.append(Intake(source, ring, None if source.patient else fitter(source), begin, wall))
        readers = [ring.reader() for ring in self._rings]
        guard = self.guard
        if guard is not None and self.actuator is not None and commands is not None:
            guard = guard.within(self.actuator.limits)
            guard.check(commands.channels)
            self.actuator.check(commands.channels)
            self._acting = guard
            self._go_on()
            self.actuator.open()
            self.actuator.start()
        self._loop = Loop(
            run, mapping, readers, self._intakes, guard=guard, actuator=self.actuator, budget=self.budget, notes=notes,
            commands=commands, look=self.look, cues=self._cues,
            spin=self.host.spin,
        )  # fmt: skip
        self.report.begin(self._loop, list(self.sources), self._recorder, guard)
        self._cues.start()
        self._go_on()

    def _go_on(self) -> None:
        if self._stopped:
            raise StateError(f"Session.start was not finished; a stop came meanwhile ({self._wish}). Start it again.")

    def _prepared(self) -> tuple[Run | None, Run | None, Commands | None]:
        """Return graph and map in motion, on what the opened sources deliver; all that compiles, compiles here."""
        if self.graph is None:
            return None, None, None
        decider, mapping = split(self.graph)
        whole = entered([s.entrance for s in self.sources.values()], decider)
        need_patience(whole, self.markers)
        infos = self._infos(whole)
        run = Run(whole, *infos, cores=self.cores)
        decision = as_tuple(run.info)[0]
        if not isinstance(decision, StreamInfo):
            raise ContractError(
                f"Session needs a graph that puts out decisions; got events ({decision.name!r}). End it with a stage "
                "that makes samples of them, such as features.BinnedCounts."
            )
        mapped = None if mapping is None else Run(mapping, decision)
        if self.actuator is None:
            return run, mapped, None
        lifetime = LIFETIME if self.budget is None else self.budget.age
        said = decision if mapped is None else mapped.info
        return run, mapped, Commands(said, lifetime=lifetime, graph=whole.id, model=self.graph.id)

    def _infos(self, whole: Stage) -> tuple[Info, ...]:
        signals = iter([s.info for s in self.sources.values()])
        events = None if self._cues is None else self._cues.info
        if any(p.kind == "events" for p in whole.inputs) and (events is None or not self.labels):
            raise ContractError(
                "Session needs labels for a graph with an event port, in the order of their codes; got none. Name "
                "those that the graph was trained with."
            )
        return tuple(events if p.kind == "events" and events else next(signals) for p in whole.inputs)

    def _recorded(self, path: Path, name: str, run: Run | None) -> Any:
        """Start the recorder, and wait until it records."""
        from ranvier.session._head import head_of, output_of, stored_of
        from ranvier.session._recorder import Recorder

        streams = {
            port: {"ring": self.rings[port], **stored_of(source.entrance)} for port, source in self.sources.items()
        }
        with TemporaryDirectory() as folder:
            model = None
            if self.graph is not None:
                model = Path(folder) / "graph.rvm"
                save_model(self.graph, model)
            recorder = Recorder(
                path, head_of(self, run), streams, output_of(run), f"{name}-notes", model,
                resume=self.resume and path.exists(),
            )  # fmt: skip
            recorder.start()
        return recorder

    def run(
        self, *, minutes: float = 0.0, seconds: float = 0.0, samples: int = 0, stop: Callable[[], bool] | None = None
    ) -> Report:
        """Run the loop in this thread, for a time, until the sources end, or until `stop`.

        Parameters
        ----------
        minutes, seconds
            How long [min, s]; 0 of both for as long as there are samples.
        samples
            Of the first source; 0 for any number.
        stop
            Asked after each block; True ends the loop.
        """
        loop = self._loop
        if loop is None or not self._running:
            raise StateError("Session.run needs a session that was started. Write: with session: session.run().")
        if self._thread:
            raise StateError("Session.run needs a session whose loop does not run; it runs already. Wait for its end.")
        need_length(minutes, seconds, samples)
        length = 60 * minutes + seconds
        ended = stop or (lambda: False)
        self._thread = get_ident()
        self._idle.clear()
        try:
            with undisturbed(self.host, self._flow) as granted:
                self.report.granted = granted
                until = time.monotonic_ns() + round(length * 1e9) if length else NEVER
                why = loop.go(until, samples or NEVER, lambda: bool(self._wish) or ended())
            if loop.stopping:  # not only where the context ends
                self._stop_actuator()
        except BaseException as e:
            noted(e, self._stop_actuator)
            raise
        finally:
            self._thread = 0
            self._idle.set()
        self.report.ended = self._wish or why
        self.report.update()
        return self.report

    def _flow(self) -> None:
        for intake in self._intakes:
            intake.start()

    def viewer(self, port: str = "signal", *, newest: bool = False) -> Reader:
        """Return a reader of the raw samples of a source, in this process, that can delay nobody.

        Parameters
        ----------
        port
            Name of the source.
        newest
            As for `Ring.reader`.
        """
        if not self._rings:
            raise StateError("Session.viewer needs a session that was started. Start it first.")
        need_one(port, self.sources)
        return self._rings[list(self.sources).index(port)].reader(newest=newest)

    def wish(self, why: str) -> None:
        """Let `run` end soon, and say why; from any thread or signal handler."""
        self._wish = self._wish or why

    def stop(self, why: str = "asked") -> None:
        """Bring the actuator into its safe state, stop everything else; always safe to call.

        From within `look` it brings the actuator into its safe state and lets the loop end; call it again behind `run`.
        """
        self._wish, self._stopped = self._wish or why, True
        if not self._running:
            return
        errors = tried([self._stop_actuator])  # at once, whatever the loop is doing
        if self._thread != get_ident():
            with self._ending:
                errors += self._stop_all()
        if errors:
            raise errors[0]

    def _stop_all(self) -> list[Exception]:
        if not self._running:
            return []
        self._idle.wait(PATIENCE)
        self._running = False
        steps = [i.stop for i in self._intakes]
        steps += [self._finish, self._stop_recorder, *(s.close for s in self.sources.values()), self.report.end]
        return tried(steps)

    def _stop_actuator(self) -> None:
        if self._acting is not None:
            self._acting.stop()
        if self.actuator is not None:
            self.actuator.close()

    def _finish(self) -> None:
        if self._cues is not None:
            self._cues.stop()
        if self._loop is not None:
            self._loop.finish()

    def _stop_recorder(self) -> None:
        rings = [*self._rings, *([] if self._notes is None else [self._notes])]
        for ring in rings:
            ring.end()  # who records may die even now: the next one finds the rings as they are
        try:
            if self._recorder is not None:
                self._recorder.close()
        finally:
            for ring in rings:
                ring.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        if e is None:
            self.stop()
        else:
            name = type(e).__name__
            noted(e, lambda: self.stop(name))
