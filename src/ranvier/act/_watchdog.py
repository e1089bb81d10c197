"""Watchdog: an actuator in a process of its own, safe when the loop falls silent or dies."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from threading import Lock
from typing import Any, ClassVar

from ranvier.act import _pipe
from ranvier.act._actuator import Actuator
from ranvier.act._command import Approved
from ranvier.act._dead_man import need_silence
from ranvier.act._guard import Limits
from ranvier.act._registry import actuator as make
from ranvier.act._wire import encode, size_of
from ranvier.errors import ConfigError, DeviceError, StateError
from ranvier.stream import Channels

IDS = 256  # bytes kept for the ids of graph and model
PATIENCE = 10.0  # that starting, stopping and ending of the process may take at most [s]


@dataclass(eq=False)
class Watchdog(Actuator):
    """Own an actuator in a process beside the loop, with a dead-man.

    Parameters
    ----------
    actuator
        Text or table of the actuator, as for `act.actuator`.
    silence
        Time without a command after which the actuator is brought to its safe state [s].
    latch
        Whether it then stays safe until this is stopped and started again; else the next command starts it again.

    Notes
    -----
    `send` is one write to a pipe, which takes it whole at once or not at all; where the pipe is full the command is
    dropped. The process approves each command once more with a guard of its own: expired, repeated and non-finite ones
    are refused there, by the same host clock (time.monotonic_ns: CLOCK_MONOTONIC, which on Linux and macOS is one clock
    for all processes, and stands still while the machine sleeps). The safe state is reached after silence, at `stop`,
    at SIGTERM, and as soon as the loop's process ends, however it ends, because its end of the pipe closes then. (A
    copy of the loop made with fork and kept alive holds the pipe open; the silence still counts.) The process is in a
    session of its own, so that Ctrl-C in a terminal is for the loop alone. What it cannot survive is its own death or
    that of the machine: the device needs a time-out of its own for that. POSIX only.
    """

    scheme: ClassVar[str] = "watchdog"

    actuator: str | dict[str, Any]
    silence: float = 0.5
    latch: bool = False

    def __post_init__(self) -> None:
        need_silence(self, self.silence)
        self._inner = make(self.actuator)
        if isinstance(self._inner, Watchdog):
            raise ConfigError("Watchdog needs an actuator that acts; got another Watchdog. Name what it is to own.")
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = self._answers = -1
        self._asking = Lock()
        self._counts: dict[str, int] = {}

    @property
    def limits(self) -> tuple[Limits, ...]:
        return self._inner.limits

    @property
    def pid(self) -> int | None:
        """Number of its process; None where it is closed."""
        return None if self._process is None else self._process.pid

    @property
    def counts(self) -> dict[str, int]:
        """What the process said last: ``sent``, ``dropped``, ``trips`` (silences), and refusals by reason."""
        return dict(self._counts)

    def check(self, channels: Channels) -> None:
        self._inner.check(channels)
        need = _pipe.HEAD.size + size_of(len(channels))
        names = len(_pipe.pack_json(_pipe.NAMES, {"names": channels.names, "units": channels.units})) + IDS
        if max(need, names) > _pipe.ATOMIC:
            raise ConfigError(
                f"Watchdog needs commands, and their names and units, of at most {_pipe.ATOMIC} bytes each; "
                f"{len(channels)} values need {need}, their names and units {names}. Send fewer, or name them shorter."
            )

    def status(self) -> dict[str, Any]:
        """Ask the process how it is: ``state`` (running or safe), and `counts`; waits, so not for the loop."""
        if self._phase == "closed":
            raise StateError("Watchdog.status needs one that is open; it is closed. Open it.")
        return self._ask(_pipe.STATUS, "running", "safe")

    def _open(self) -> None:
        if os.name != "posix":
            raise DeviceError("Watchdog needs pipes as POSIX has them; this system has not. Use UDP and a Receiver.")
        given = json.dumps({"actuator": self.actuator, "silence": self.silence, "latch": self.latch})
        path = os.pathsep.join(p for p in sys.path if p)
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", "ranvier.act._keeper", given], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}, start_new_session=True, bufsize=0,
        )  # fmt: skip
        self._pipe, self._answers = (f.fileno() for f in (self._process.stdin, self._process.stdout) if f is not None)
        os.set_blocking(self._pipe, False)
        self._told: tuple[Any, ...] = ()
        self._heard = b""
        self._listen("ready")

    def _start(self) -> None:
        self._ask(_pipe.START, "armed")

    def _send(self, approved: Approved) -> bool:
        c = approved.command
        told = (c.names, c.units, c.graph, c.model)
        try:
            if told != self._told:
                names = dict(zip(("names", "units", "graph", "model"), told, strict=True))
                self._put(_pipe.pack_json(_pipe.NAMES, names))
                self._told = told
            self._put(_pipe.pack(_pipe.COMMAND, encode(approved, 0, self._clock())))
        except BlockingIOError:
            return False
        except OSError:
            self._listen(patience=0.0)  # raises what it said last
        return True

    def _put(self, message: bytes) -> None:
        if len(message) > _pipe.ATOMIC:
            raise ConfigError(
                f"Watchdog needs commands of at most {_pipe.ATOMIC} bytes; got {len(message)}. Send fewer."
            )
        os.write(self._pipe, message)

    def _ask(self, kind: int, *answers: str) -> dict[str, Any]:
        with self._asking:
            if self._process is None:
                raise self._gone()
            try:
                if _pipe.write_all(self._pipe, _pipe.pack(kind, b""), PATIENCE):
                    return self._listen(*answers)
            except OSError:
                return self._listen()
        raise DeviceError(f"Watchdog's process takes nothing for {PATIENCE:g} s; it is stopped or overloaded. End it.")

    def _listen(self, *wanted: str, patience: float | None = None) -> dict[str, Any]:
        """Return the next answer that is one of those wanted; raise DeviceError where none comes."""
        patience = PATIENCE if patience is None else patience
        end = time.monotonic() + patience
        while True:
            line, newline, rest = self._heard.partition(b"\n")
            if newline:
                self._heard = rest
                said: dict[str, Any] = json.loads(line)
                if said["state"] == "failed":
                    raise DeviceError(f"Watchdog's actuator failed: {said['error']}")
                self._counts = {k: v for k, v in said.items() if k != "state"}
                if said["state"] in wanted:
                    return said
                continue
            if not select.select([self._answers], [], [], max(0.0, end - time.monotonic()))[0]:
                raise DeviceError(f"Watchdog's process says nothing for {patience:g} s. End it; look at its actuator.")
            data = os.read(self._answers, 1 << 16)
            if not data:
                raise self._gone()
            self._heard += data

    def _gone(self) -> DeviceError:
        code = None if self._process is None else self._process.poll()
        return DeviceError(
            f"Watchdog's process is gone (exit status {code}); its actuator is as it left it. Close and open it again."
        )

    def _stop(self) -> None:
        try:
            self._ask(_pipe.STOP, "safe")
        except DeviceError:  # gone or deaf: the end of the pipe says the same
            self._end()

    def _close(self) -> None:
        self._end()

    def _end(self) -> None:
        with self._asking:
            process, self._process = self._process, None
            self._pipe = self._answers = -1
        if process is None or process.stdin is None or process.stdout is None:
            return
        process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
