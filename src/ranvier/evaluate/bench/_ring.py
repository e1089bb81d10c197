"""ranvier bench ring: what it takes to hand a block to another thread or process, beside other ways to do it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ConfigError, RanvierError
from ranvier.evaluate.bench._carrier import PATIENCE, Carrier, Receive, ask, tell
from ranvier.evaluate.bench._carriers import CARRIERS, OURS
from ranvier.evaluate.bench._data import RATE
from ranvier.evaluate.bench._machine import Watch, machine
from ranvier.evaluate.bench._options import Options

Array = npt.NDArray[Any]
BLOCKS_MS = (1.0,)
CHANNELS = 1024
CHECKED = 40  # messages whose every number is compared before anything is timed
WARM = 200  # messages before each turn that are not counted
HURRY = 0.2  # s until the other side is given up where something failed, as by Ctrl-C
SATURATED = 4000  # messages a turn, as fast as it goes
LEAST = 8  # channels: the first row of a message holds when it was sent [ns] and its number, the last that again


def ring(options: Options, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure handing over; docs/benchmarks.md says what each figure is."""
    channels = options.channels or CHANNELS
    if channels < LEAST or channels % 4:
        raise ConfigError(f"bench ring needs a multiple of 4 channels, {LEAST} or more; got {channels}. Round it.")
    known = {name: needs for name, (needs, _, _) in CARRIERS.items() if name not in OURS}
    peers, notes = options.usable_peers(known, usual=tuple(known))
    watch, rows = Watch(), []
    for ms, n in options.blocks(BLOCKS_MS, RATE):
        rows += [{"channels": channels, "block_ms": ms, **r} for r in _rows(options, peers, (n, channels), say)]
    needed = dict.fromkeys(package for p in peers for package in known[p])
    return {
        "kind": "ring", "rows": rows, "notes": notes, "busy": watch.said(), "machine": machine(*needed),
        "seed": options.seed, "bytes": [2 * channels * n for _, n in options.blocks(BLOCKS_MS, RATE)],
    }  # fmt: skip


def _rows(
    options: Options, peers: list[str], shape: tuple[int, int], say: Callable[[str], None]
) -> Iterator[dict[str, Any]]:
    message = np.random.default_rng(options.seed).integers(-3000, 3000, shape, dtype=np.int16)
    paced = max(round(options.seconds / options.turns * RATE / shape[0]), 1)
    with ExitStack() as stack:
        lines = []
        for name in (*OURS, *peers):
            for between in CARRIERS[name][1]:
                say(f"{name} between {between}: comparing what comes out")
                line = stack.enter_context(line_of(name, between, shape))
                line.check(message)
                lines.append(line)
        for turn in range(options.turns):
            say(f"turn {turn + 1} of {options.turns}")
            for line in lines:
                line.run(message, WARM, shape[0] / RATE)
                line.turns.append(
                    line.run(message, paced, shape[0] / RATE) | {"full": line.run(message, SATURATED, 0.0)}
                )
        rows = [line.row() for line in lines]
        ours = {row["between"]: row for row in reversed(rows) if row["who"] == OURS[0]}
        yield from (row | _times(row, ours[row["between"]]) for row in rows)


def _times(row: dict[str, Any], ours: dict[str, Any]) -> dict[str, float]:
    """Return how many times ours the percentiles are."""
    return {f"times_ours_{k}": row[f"{k}_us"] / ours[f"{k}_us"] for k in ("p50", "p99", "p999")}


class Line:
    """One carrier with both its sides."""

    def __init__(self, name: str, between: str, carrier: Carrier, control: Connection) -> None:
        self.name, self.between, self.carrier, self.control = name, between, carrier, control
        self.turns: list[dict[str, Any]] = []
        self._clock = time.thread_time_ns if between == "threads" else lambda: time.process_time_ns() + _spent(carrier)

    def check(self, message: Array) -> None:
        """Refuse a carrier that does not deliver what was sent, in order."""
        expected = hashlib.sha256()
        tell(self.control, count=CHECKED, check=True)
        for number in range(CHECKED):
            block = np.roll(message, number, axis=1)
            expected.update(block.tobytes())
            self.carrier.send(block)
        if (got := ask(self.control)["hash"]) != expected.hexdigest():
            raise RanvierError(f"bench needs what was sent to come out; {self.name} delivered others ({got[:8]}).")

    def run(self, message: Array, count: int, interval: float) -> dict[str, Any]:
        """Send messages on a grid of `interval` [s], or as fast as it goes, and return what both sides say."""
        first, last = _stamps(message)
        send, clock, sleep, step = self.carrier.send, time.monotonic_ns, time.sleep, round(interval * 1e9)
        tell(self.control, count=count, check=False)
        ask(self.control)  # it listens
        cpu = self._clock()
        begin = clock()
        for number in range(count):
            due = begin + number * step
            while (now := clock()) < due:
                sleep((due - now) / 1e9)
            first[1] = last[0] = number
            first[0] = clock()
            send(message)
        cpu = self._clock() - cpu
        said = ask(self.control)
        return {**said, "cpu_sends": cpu / count / 1e3, "count": count, "took": (said["end"] - begin) / 1e9}

    def row(self) -> dict[str, Any]:
        """Return the figures of all turns."""
        waited = np.concatenate([t["waited_us"] for t in self.turns])
        p50, p99, p999 = np.percentile(waited, [50, 99, 99.9])
        middle = {k: float(np.median([t[k] for t in self.turns])) for k in ("cpu_sends", "cpu_receives")}
        size = np.median([t["full"]["bytes"] / t["full"]["took"] for t in self.turns])
        return {
            "who": self.name, "between": self.between, "p50_us": float(p50), "p99_us": float(p99),
            "p999_us": float(p999), **middle, "gbytes": float(size) / 1e9,
            "lost": sum(t["count"] - t["received"] for turn in self.turns for t in (turn, turn["full"])),
            "messages": len(waited),
        }  # fmt: skip


def _spent(carrier: Carrier) -> int:
    """Return the CPU time of the server that a carrier goes through [ns]; nothing where there is none, or no /proc."""
    pid = getattr(carrier, "server", None)
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) if pid else 0
    except OSError:
        return 0


@contextmanager
def line_of(name: str, between: str, shape: tuple[int, int]) -> Iterator[Line]:
    """Open both sides of a carrier and close them in the end."""
    make = CARRIERS[name][2]
    carrier = make(shape, between)
    context = get_context("spawn")
    near, far = context.Pipe()
    maker = Thread if between == "threads" else context.Process
    other = maker(target=serve, args=(name, carrier.ticket, shape, far, between), daemon=True)
    other.start()
    if between == "processes" and isinstance(carrier.ticket, Connection):
        carrier.ticket.close()  # the other side's alone, so that its end is noticed
    patience = HURRY
    try:
        ask(near)
        yield Line(name, between, carrier, near)
        patience = PATIENCE
    finally:
        tell(near, count=0, check=False)
        other.join(patience)
        if not isinstance(other, Thread):
            other.kill()
        carrier.close()
        near.close()
        far.close()


def serve(name: str, ticket: Any, shape: tuple[int, int], control: Connection, between: str) -> None:
    """Receive as many messages as the other side says, tell it what became of them, until it says none."""
    clock = time.thread_time_ns if between == "threads" else time.process_time_ns
    with CARRIERS[name][2].receiver(ticket, shape) as receive:
        tell(control, ready=True)
        while count := (order := ask(control))["count"]:
            if order["check"]:
                found = hashlib.sha256()
                for _ in range(count):
                    found.update(receive().tobytes())
                tell(control, hash=found.hexdigest())
            else:
                tell(control, listening=True)
                tell(control, **_listen(receive, count, clock, 2 * shape[0] * shape[1]))


def _listen(receive: Receive, count: int, clock: Callable[[], int], nbytes: int) -> dict[str, Any]:
    """Receive messages up to the last of `count`; it is not told when others are lost."""
    waited, received, torn, number, cpu = np.empty(count), 0, 0, -1, clock()
    while number < count - 1:
        block = receive()
        now = time.monotonic_ns()
        (sent, number), (again,) = (w.tolist() for w in _stamps(block))
        waited[received] = (now - sent) / 1e3
        received += 1
        torn += number != again
    return {
        "received": received - torn, "waited_us": waited[:received].tolist(), "end": time.monotonic_ns(),
        "cpu_receives": (clock() - cpu) / received / 1e3, "bytes": received * nbytes,
    }  # fmt: skip


def _stamps(block: Array) -> tuple[Array, Array]:
    """Return where in a message stand the time it was sent and its number, and where that again."""
    return block[0, :LEAST].view(np.int64), block[-1, -4:].view(np.int64)
