"""check_actuator: what every actuator owes, whatever it moves."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from statistics import median
from threading import Event, Thread
from typing import Any

from ranvier.errors import SafetyError, StateError
from ranvier.stream import Channels
from ranvier.testing._compare import need

CHANNELS = Channels.of(["vx", "vy"], "command", "1")
SENDS = 1000
HANGS = 10.0  # time after which a send, or a stop, counts as one that hangs [s]
LONG = 1e-3  # what a send may take, in the median [s]
AFTER = {("open", "closed"): "open", ("start", "open"): "running", ("stop", "running"): "open"}


def check_actuator(
    factory: Callable[[], Any], channels: Channels = CHANNELS, is_safe: Callable[[Any], bool] | None = None
) -> None:
    """Raise `ConformanceError` unless an actuator keeps its life cycle, takes only what is approved, and never waits.

    Parameters
    ----------
    factory
        Makes one that is closed, each time it is called; what it drives need not read what it is sent: give one whose
        peer does not, to see that it never waits.
    channels
        Names and units of the commands that it takes; values are between -1 and 1.
    is_safe
        Says of the actuator, looking from outside, whether what it drives is in its safe state; ``actuator.safe``
        unless given.

    Notes
    -----
    Checked: any order of open, start, stop and close; stop and close twice; a send before the start and after the stop;
    anything unapproved; 1000 sends in a row, expired and repeated ones among them; a stop in the midst of sends from
    another thread, after which nothing follows; the safe state after stop and after close; a second life.

    Raises
    ------
    ConformanceError
        What it does not keep.
    """
    safe = is_safe or (lambda actuator: bool(actuator.safe))
    _check_orders(factory, safe)
    actuator = factory()
    try:
        actuator.check(channels)
        _check_refusals(actuator, channels)
        _check_never_waits(actuator, channels, safe)
        _check_stop_has_the_last_word(actuator, channels, safe)
    finally:
        actuator.close()


def commands(channels: Channels, n: int = SENDS, seed: int = 1) -> Any:
    """Yield approved commands, made now; every tenth has expired when it is sent, every seventh comes twice."""
    from ranvier.act import Command, Guard

    guard, chance = Guard(), random.Random(seed)
    for k in range(n):
        now = time.monotonic_ns()
        wanted = Command(
            values=tuple(chance.uniform(-1, 1) for _ in channels.names), names=channels.names, units=channels.units,
            sample=k, age=0.0, made=now, expires=now + (1 if k % 10 == 9 else 10**9), sequence=k + 1,
        )  # fmt: skip
        approved = guard.approve(wanted, now)
        yield approved
        if k % 7 == 6:
            yield approved


def _check_orders(factory: Callable[[], Any], safe: Callable[[Any], bool], seed: int = 1) -> None:
    chance = random.Random(seed)
    orders = [
        ["stop", "close", "stop"],
        ["open", "close", "close"],
        ["open", "start", "stop", "stop", "start", "close"],
    ]
    orders += [chance.choices(["open", "start", "stop", "close"], k=8) for _ in range(3)]
    for order in orders:
        actuator, phase = factory(), "closed"
        try:
            for i, verb in enumerate(order):
                done, said = " ".join(order[: i + 1]), ""
                try:
                    getattr(actuator, verb)()
                except StateError:
                    said = "StateError"
                if verb in ("open", "start") and (verb, phase) not in AFTER:
                    need(said == "StateError", f"{done}: {verb} of one that is {phase} was not refused")
                else:
                    need(not said, f"{done}: {verb} of one that is {phase} was refused")
                    phase = AFTER.get((verb, phase), "closed" if verb == "close" else phase)
                need(actuator.phase == phase, f"{done}: it should be {phase}, it is {actuator.phase}")
                if verb in ("stop", "close"):
                    need(safe(actuator), f"{done}: it is not in its safe state")
        finally:
            actuator.close()


def _refused(actuator: Any, thing: Any, kind: type[Exception]) -> bool:
    try:
        actuator.send(thing)
    except kind:
        return True
    return False


def _check_refusals(actuator: Any, channels: Channels) -> None:
    good = next(iter(commands(channels)))
    need(_refused(actuator, good, StateError), "a send before it is opened was not refused with StateError")
    actuator.open()
    need(_refused(actuator, good, StateError), "a send before it is started was not refused with StateError")
    actuator.start()
    for thing in (good.command, good.given, None, object.__new__(type(good))):
        need(_refused(actuator, thing, SafetyError), f"a {type(thing).__name__} was not refused with SafetyError")
    need(actuator.sent == actuator.dropped == 0, "what was refused was counted as sent or dropped")


def _in_time(what: Callable[[], Any], said: str) -> None:
    """Do something in a thread; refuse what hangs."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            what()
        except BaseException as e:
            failed.append(e)

    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(HANGS)
    need(not thread.is_alive(), f"{said} hangs for more than {HANGS:g} s")
    if failed:
        raise failed[0]


def _check_never_waits(actuator: Any, channels: Channels, safe: Callable[[Any], bool]) -> None:
    took: list[float] = []

    def send() -> None:
        for approved in commands(channels):
            began = time.perf_counter()
            answer = actuator.send(approved)
            took.append(time.perf_counter() - began)
            need(isinstance(answer, bool), f"send needs to say True or False; it says {answer!r}")

    _in_time(send, "a send")
    need(median(took) < LONG, f"a send takes {median(took) * 1e3:.2f} ms in the median; at most {LONG * 1e3:g} ms")
    _in_time(actuator.stop, "a stop")
    need(safe(actuator), "after stop it is not in its safe state")
    need(_refused(actuator, next(iter(commands(channels))), StateError), "a send after stop was not refused")
    counted = actuator.sent + actuator.dropped
    need(counted == len(took), f"{len(took)} commands are {actuator.sent} sent and {actuator.dropped} dropped")


def _check_stop_has_the_last_word(actuator: Any, channels: Channels, safe: Callable[[Any], bool]) -> None:
    """Stop it while another thread sends without end; then nothing may follow the safe state."""
    actuator.start()
    sending, end = Event(), Event()

    def send() -> None:
        while not end.is_set():
            for approved in commands(channels, 50):
                try:
                    actuator.send(approved)
                except StateError:
                    return
                sending.set()

    thread = Thread(target=send, daemon=True)
    thread.start()
    need(sending.wait(HANGS), "no send comes back")
    _in_time(actuator.stop, "a stop in the midst of sends")
    first = safe(actuator)
    end.set()
    thread.join(HANGS)
    need(first and safe(actuator), "a command followed the safe state")
    _in_time(actuator.close, "a close")
    need(safe(actuator), "after close it is not in its safe state")
