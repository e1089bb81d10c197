"""Loop: a generated kernel bound to the states of its stages and to the memory of what comes out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ranvier.errors import ConfigError, StateError
from ranvier.kernels._body import Crossings, Gate, Level, Store, Tally, Work
from ranvier.kernels._cache import fingerprint, load_source
from ranvier.kernels._generate import generate
from ranvier.kernels._program import LANES, TILE, Program, padded
from ranvier.kernels._sharing import CLOSED
from ranvier.kernels._sinks import first_row
from ranvier.kernels._states import address, aligned
from ranvier.kernels._threads import Helpers

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
KINDS = {np.dtype(d): k for d, k in (("int16", "i2"), ("int32", "i4"), ("float32", "f4"), ("float64", "f8"))}
EVENT = 32  # bytes
LEAST_A_CORE = 4096  # channels for which another thread pays: docs/benchmarks.md
THREADS: ContextVar[int] = ContextVar("threads", default=1)  # that loops made from here on may use
EVENT_ROOM = 128  # instants of a block that has events, at most: see `Loop.rows_at_once`


@lru_cache(maxsize=1)
def best_width() -> int:
    """Lanes of float32 that this CPU's registers hold; ``RANVIER_WIDTH`` sets another number."""
    if wanted := os.environ.get("RANVIER_WIDTH"):
        if wanted not in ("1", "2", "4", "8", "16"):
            raise ConfigError(f"RANVIER_WIDTH needs to be 1, 2, 4, 8 or 16; got {wanted!r}. Mend it, or unset it.")
        return int(wanted)
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") else 4


@contextmanager
def cores(n: int) -> Iterator[None]:
    """Let loops that are made inside use up to `n` threads."""
    token = THREADS.set(n)
    try:
        yield
    finally:
        THREADS.reset(token)


@dataclass(frozen=True, eq=False)
class Outlet:
    """What one end lends: the stored signal or rows, and their mask."""

    data: Array
    valid: Array


class Loop:
    """The compiled loop over channels and time of neighbouring stages.

    Parameters
    ----------
    program
        What it does.
    states
        Arrays of each element of the spine (None for a `Level`), whose memory must stay where it is.
    end_states
        Arrays of each end (None for a `Store`).
    follow
        Counters, int64 of shape (1,), of the index that each stage expects next; -1 for any.
    width
        Lanes; None for what the CPU has. Every width gives the same bits.
    cores
        Threads that share the channels, at most; so many as pay (`LEAST_A_CORE`). None gives what `cores` says.
    """

    def __init__(
        self,
        program: Program,
        states: Sequence[Arrays | None],
        end_states: Sequence[Arrays | None],
        follow: Sequence[Array] = (),
        width: int | None = None,
        cores: int | None = None,
    ) -> None:
        self.program = program
        n, result = program.n_channels, np.dtype(program.result)
        lanes = width or best_width()
        wide = any(s.precision == "f8" for w in program.spine if isinstance(w, Work) for s in w.steps)
        if program.result == "f8" or wide:
            lanes = max(1, lanes // 2)
        self.width = lanes
        wanted = THREADS.get() if cores is None else cores
        self.threads = max(min(wanted, n // LEAST_A_CORE), 1) if program.sharable else 1
        program = self.program = replace(program, shared=self.threads > 1)
        self.text, self._places = generate(program, lanes, fingerprint())
        module = load_source(self.text)
        self._kernel = module.kernel
        self._table = aligned(padded(len(self._places.places)), np.int64)  # in cache lines of its own
        self._kept: list[Array] = []  # memory that the table points to
        followed = np.array([address(f) for f in follow], np.int64)
        self._kept += follow
        self.result = np.zeros(2 * len(program.ends) + 3, np.int64)
        self._set(begin=0, followed=len(followed))
        real = np.zeros(padded(n), bool)
        real[:n] = True
        self._own(real=real, follow=followed, result=self.result, trusted=np.ones(padded(n), bool))
        self._own(hints=np.zeros(padded(n), np.int64))
        for i, (element, state) in enumerate(zip(program.spine, states, strict=True)):
            self._bind(i, element, state)
        self._bind_ends(end_states, result)
        self._work_in(self._table)
        self._helpers: Helpers | None = None
        if self.threads > 1:
            self._share(module.helper)

    def _work_in(self, table: Array) -> None:
        """Give a table the memory that one thread works in."""
        program, lanes, result = self.program, self.width, np.dtype(self.program.result)
        size = padded(program.group or lanes)
        memory = {
            "buffer": aligned((TILE, size + 16), result),
            "okay": aligned((TILE, size), bool, True),
            "mean": aligned(TILE, result),
            "enough": aligned(TILE, bool, True),
            "flags": aligned(size, np.int64),
            "notes_of_tile": aligned((TILE, 1 + 3 * len(program.ends)), np.int64),
            "notes": aligned((TILE, 128), np.uint8),
            "spare": aligned(TILE + 64, np.int64),
            "x_rest": aligned((TILE, lanes), program.source),
            "m_rest": aligned((TILE, lanes), bool, True),
            **{f"y{j}_rest": aligned((TILE, lanes), result) for j in self._signals},
            **{f"w{j}_rest": aligned((TILE, lanes), bool, True) for j in self._signals},
        }
        for name, a in memory.items():
            self._kept.append(a)
            if name in self._places.places:
                table[self._places.places[name]] = address(a)

    def _share(self, helper: Any) -> None:
        """Start the threads that help, each with a table of its own."""
        words = aligned(3 * LANES, np.int64)  # ticket and count two cache lines apart, which are fetched together
        words[0] = CLOSED
        tables = [aligned(self._table.shape, np.int64) for _ in range(self.threads - 1)]
        self._own(ticket=words, finished=words[LANES:], tables=np.array([address(t) for t in tables], np.int64))
        for table in tables:
            table[:] = self._table
            self._work_in(table)
        self._set(helpers=len(tables))
        self._helpers = Helpers(helper, [address(t) for t in tables], (tables, self._kept))

    def _set(self, **values: int) -> None:
        """Write numbers to the table; names that the kernel does not ask for are left out."""
        for name, value in values.items():
            if name in self._places.places:
                self._table[self._places.places[name]] = value

    def _own(self, **arrays: Array) -> None:
        """Write addresses to the table, and keep the arrays alive."""
        for name, a in arrays.items():
            self._kept.append(a)
            self._set(**{name: address(a)})

    def _bind(self, i: int, element: Work | Level | Gate, state: Arrays | None) -> None:
        n = self.program.n_channels
        if isinstance(element, Work) and state is not None:
            self._own(**{f"k4_{i}": _rows(element, "f4", n), f"k8_{i}": _rows(element, "f8", n)})
            self._own(**{f"z4_{i}": state["f4"], f"z8_{i}": state["f8"], f"wait{i}": state["wait"]})
            self._set(**{f"settle{i}": element.settle})
        elif isinstance(element, Gate) and state is not None:
            rail, judged = np.full(padded(n), np.inf, self.program.result), np.zeros(padded(n), bool)
            rail[:n], judged[:n] = element.rail, element.judged
            self._own(**{f"rail{i}": rail, f"judged{i}": judged})
            self._own(**{f"{name}{i}": a for name, a in state.items()})

    def _bind_ends(self, states: Sequence[Arrays | None], result: np.dtype[Any]) -> None:
        n, program = self.program.n_channels, self.program
        self._signals = [j for j, (_, e) in enumerate(program.ends) if isinstance(e, Store)]
        self.signals: dict[int, Outlet] = {}
        self.rows: Outlet | None = None
        columns = 0
        for j, ((_, end), state) in enumerate(zip(program.ends, states, strict=True)):
            if state is not None:
                self._own(**{f"{name}{j}": a for name, a in state.items()})
            if isinstance(end, Crossings):
                turns = np.arange(padded(n) // 16) * end.step % end.heard
                self._own(**{f"turns{j}": turns})
            if isinstance(end, Tally) or (isinstance(end, Crossings) and end.bin):
                columns = max(columns, program.columns[j] + n)
        self._columns = columns
        self.events: Array | None = None
        if program.has_events:
            raw = np.empty((2 * TILE * padded(n), EVENT), np.uint8)
            self.events = np.empty((2 * EVENT_ROOM * padded(n), EVENT), np.uint8)
            self._own(events_raw=raw, events_out=self.events)
        self._room = 0
        self._bad = False
        self._make_room(64)

    def _make_room(self, n: int) -> None:
        """Allocate what is lent, for blocks of up to `n` samples."""
        channels, result = self.program.n_channels, np.dtype(self.program.result)
        for j in self._signals:
            out = Outlet(np.zeros((n, channels), result), np.ones((n, channels), bool))
            self.signals[j] = out
            self._point(f"y{j}", out.data)
            self._point(f"w{j}", out.valid)
        if self._columns:
            hops = [first_row(e)[0] for _, e in self.program.ends if not isinstance(e, Store) and first_row(e)[0]]
            rows = n // min(hops) + 2
            self.rows = Outlet(np.zeros((rows, self._columns), result), np.ones((rows, self._columns), bool))
            self._point("rows", self.rows.data)
            self._point("fine", self.rows.valid)
        self._room = n

    def _point(self, name: str, a: Array) -> None:
        self._set(**{name: address(a), f"{name}_row": a.strides[0]})

    def __call__(self, x: Array, mask: Array, start: int) -> list[int] | None:
        """Run one block of at least one sample; None, and nothing done, where a stage expects another index.

        Parameters
        ----------
        x
            ``(n, n_channels)``, channels contiguous.
        mask
            Truth of the same shape: as `all_valid` makes it, or contiguous in memory.
        start
            Index of the first sample.

        Returns
        -------
        For each end that puts out rows its first row and how many came (0, 0 for others); then how many cells of
        stored signals and of rows are invalid (0: all are valid, and masks were not written), and how many events
        there are.
        """
        if len(x) > self._room:
            self._make_room(len(x))
        if self._bad:
            for out in self.signals.values():
                out.valid[:] = True
        if self._helpers is not None:
            self._helpers.wake()
        if said := self._kernel(self._table, x, mask, start):
            if said == 1:
                return None
            raise StateError(
                f"A loop needs samples (n, {self.program.n_channels}) and a mask like them; got {x.shape} and "
                f"{mask.shape}. The stage before it puts out something else than it describes."
            )
        found: list[int] = self.result.tolist()
        self._bad = found[-3] != 0
        return found


def _rows(work: Work, precision: str, n_channels: int) -> Array:
    rows = work.coefficients(precision, n_channels)
    out = aligned((max(len(rows), 1), padded(n_channels)), precision)
    for i, row in enumerate(rows):
        out[i, :n_channels] = row
    return out
