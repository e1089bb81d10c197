"""replay: a recorded session once more, to see whether its inputs give its decisions, to the bit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ranvier import record
from ranvier.errors import ConfigError, FormatError, ModelError, RanvierError
from ranvier.session._compose import entered, split
from ranvier.session._fingerprint import fingerprint
from ranvier.session._head import OUTPUT
from ranvier.session._inputs import Inputs
from ranvier.stage import Run, Stage, as_tuple, from_table, load_model
from ranvier.stream import Array, Block

CUTS = (None, 1, 7, 64)  # block sizes of a check: as recorded, and others
MANY = 40_000  # samples beyond which blocks of one are left out
MOST = 1 << 12  # decisions at one sample
SHOWN = 10  # first differences that are kept


@dataclass(kw_only=True)
class Verdict:
    """What a replay has shown.

    Parameters
    ----------
    decisions, commands
        How many were compared.
    blocks
        Sizes of the blocks in which the inputs flowed in; None: as they were recorded.
    same_environment
        Whether CPU and libraries are those of the session.
    exactness
        What the graph promises: portable, exact or bounded.
    identical
        Whether all decisions and commands were the recorded ones, to the bit, in all cuts.
    differences
        The first: sample, what was recorded, what came out.
    largest
        Largest difference of a valid number, relative to the largest number of its channel.
    flips
        Decisions (largest score) that came out otherwise: sample, recorded, replayed, and the margin recorded.
    missing, more
        Decisions that were recorded and did not come out, or the other way round.
    unproven
        Decisions whose samples went down with a session that was broken off: there is nothing to make them of.
    bound
        What the graph promises at most elsewhere.
    """

    decisions: int = 0
    commands: int = 0
    blocks: list[int | None] = field(default_factory=list)
    same_environment: bool = True
    exactness: str = "exact"
    identical: bool = True
    differences: list[dict[str, Any]] = field(default_factory=list)
    largest: float = 0.0
    flips: list[dict[str, Any]] = field(default_factory=list)
    missing: int = 0
    more: int = 0
    unproven: int = 0
    bound: float = 0.0

    @property
    def good(self) -> bool:
        """Whether it is what the graph promises: the same bits here, or differences within its bound elsewhere."""
        if self.same_environment or self.exactness == "portable":
            return self.identical
        return not self.missing and not self.more and self.largest <= max(self.bound, 1e-6)


class Replayed:
    """A recorded session with its graph, ready to run again; made by `replay`.

    Parameters
    ----------
    path
        An `.rvr` recording with a graph.
    """

    def __init__(self, path: str | Path) -> None:
        recording: Any = record.open(Path(path))
        self.recording = recording
        self.head = getattr(recording, "head", None) or {}
        if "ids" not in self.head or OUTPUT not in recording.streams:
            raise FormatError(
                f"A replay needs a recording of a session with a graph; {path} has none. Make one with ranvier live "
                "--record, or run a pipeline over it with ranvier run."
            )
        try:
            self.ports = list(self.head["device"])
            self.entrances = [from_table(self.head["device"][p]["entrance"]) for p in self.ports]
            self.environment = self.head["session"].get("environment", {}).get("hash")
            self.graph = self._graph()
            self.inputs = Inputs(recording, self.ports)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as e:
            if isinstance(e, RanvierError):
                raise
            raise FormatError(
                f"A replay needs what a session says of itself; {path} says something else ({type(e).__name__}: "
                f"{str(e)[:80]}). It was not written by this version of Ranvier, or was edited."
            ) from e

    def _graph(self) -> Stage:
        note = next(iter(self.recording.log("graph")), None)
        if note is None or "model" not in note.arrays:
            raise ModelError(
                f"{self.recording.path} needs the graph that it was made with; it has none. It is damaged."
            )
        with TemporaryDirectory() as folder:
            path = Path(folder) / "graph.rvm"
            path.write_bytes(note.arrays["model"].tobytes())
            graph = load_model(path)
        if graph.id != self.head["ids"]["model"]:
            raise ModelError(f"{self.recording.path} needs the graph that its head names; ids differ. It is damaged.")
        return graph

    def decisions(
        self, graph: Stage | None = None, size: int | None = None, advance: Callable[[float], None] = lambda _: None
    ) -> tuple[Any, list[Block]]:
        """Return description and blocks of what a graph makes of the recorded inputs.

        Parameters
        ----------
        graph
            Another one; None for the recorded.
        size
            Samples a block; None for as recorded.
        advance
            Called with the number of samples that have flowed in.
        """
        decider, _ = split(self.graph if graph is None else graph)
        whole = entered(self.entrances, decider)
        signals = iter(self.inputs.infos)
        run = Run(whole, *[next(signals) if p.kind == "signal" else self.inputs.event_info for p in whole.inputs])
        return as_tuple(run.info)[0], self.inputs.through(run, size, advance)

    def recorded(self) -> list[Block]:
        """Return the decisions that were made."""
        return [b for b in self.recording.output(OUTPUT) if b.n]

    def sizes(self) -> list[int | None]:
        """Return the block sizes of a check; those of one sample only where they are not too many."""
        return [s for s in CUTS if s != 1 or self.inputs.n_samples <= MANY]

    def check(
        self, sizes: Sequence[int | None] | None = None, advance: Callable[[float], None] = lambda _: None
    ) -> Verdict:
        """Run again in several cuts, and compare with what was recorded."""
        sizes = self.sizes() if sizes is None else list(sizes)
        there = self.recorded()
        tags = entered(self.entrances, split(self.graph)[0]).tags
        verdict = Verdict(
            blocks=list(sizes), same_environment=self.environment == fingerprint()["hash"], exactness=tags.exactness,
            bound=tags.bound,
        )  # fmt: skip
        for size in sizes:
            info, again = self.decisions(None, size, advance)
            _compare(info, there, again, verdict, self.inputs)
            if size == sizes[0]:
                self._commands(info, again, verdict)
        return verdict

    def _commands(self, info: Any, again: list[Block], verdict: Verdict) -> None:
        """Compare the commands that were wanted with what the map makes of the decisions now."""
        said: dict[int, deque[Any]] = {}  # several where epochs end at one sample
        for n in self.recording.log("command"):
            if "wanted" in n.payload:
                said.setdefault(int(n.sample), deque()).append(n.payload["wanted"])
        if not said:
            return
        mapping = split(self.graph)[1]
        run = None if mapping is None else Run(mapping, info)
        for block in again:
            wanted = block if run is None else run.push(block)
            names = info.channels if run is None else run.info.channels
            keep = [i for i, k in enumerate(names.kinds) if k != "confidence"]
            for i in range(block.n):
                sample = int(block.at[i]) if block.at is not None else info.origin.newest(block.start + i)
                if wanted.valid[i, keep].all() and said.get(sample):
                    verdict.commands += 1
                    recorded, values = said[sample].popleft(), wanted.data[i, keep].tolist()
                    if list(recorded) != values:
                        _differ(verdict, sample, recorded, values, "command")


def replay(path: str | Path) -> Replayed:
    """Open a recorded session to run it again.

    Parameters
    ----------
    path
        An `.rvr` recording with a graph.

    Examples
    --------
    ``session.replay("s02.rvr").check().identical``
    """
    return Replayed(path)


Rows = tuple[Array, Array, Array]


def _rows(info: Any, blocks: list[Block]) -> Rows:
    """Return index, numbers and mask of all samples."""
    if not blocks:
        return np.zeros(0, np.int64), np.zeros((0, *info.shape), info.dtype), np.zeros((0, *info.shape), bool)
    index = [b.at if b.at is not None else np.arange(b.start, b.stop) for b in blocks]
    return np.concatenate(index), np.concatenate([b.data for b in blocks]), np.concatenate([b.valid for b in blocks])


def _compare(info: Any, there: list[Block], again: list[Block], verdict: Verdict, inputs: Inputs) -> None:
    (i, x, v), (j, y, w) = _rows(info, there), _rows(info, again)
    if x.shape[1:] != y.shape[1:] or x.dtype != y.dtype:
        raise ConfigError(
            f"A comparison needs decisions of one kind; got {x.dtype} {x.shape[1:]} and {y.dtype} {y.shape[1:]}."
        )
    newest = _newest(info, i)
    keep = _watched(newest, _newest(info, j), inputs.unwatched)
    j, y, w = j[keep], y[keep], w[keep]
    there_too = _proven(newest, inputs, info.origin.source)
    i, x, v = i[there_too], x[there_too], v[there_too]
    verdict.unproven = int((~there_too).sum())
    _, a, b = np.intersect1d(_key(i), _key(j), return_indices=True)
    both = i[a]
    verdict.missing, verdict.more = max(verdict.missing, len(i) - len(both)), max(verdict.more, len(j) - len(both))
    verdict.identical &= not (verdict.missing or verdict.more)
    verdict.decisions = max(verdict.decisions, len(both))
    if not len(both):  # a session may end before the first decision
        return
    x, v, y, w = x[a].reshape(len(a), -1), v[a].reshape(len(a), -1), y[b].reshape(len(a), -1), w[b].reshape(len(a), -1)
    same = (x.view(np.uint8) == y.view(np.uint8)).all(axis=1) & (v == w).all(axis=1)
    for k in np.flatnonzero(~same)[:SHOWN]:
        _differ(
            verdict,
            int(_newest(info, both[k : k + 1])[0]),
            x[k].tolist(),
            y[k].tolist(),
            "decision",
        )
    if same.all():
        return
    verdict.identical = False
    good = v & w
    scale = np.abs(np.where(good, x, 0)).max(axis=0)
    apart = np.where(good, np.abs(x - y), 0) / np.where(scale > 0, scale, 1)
    verdict.largest = max(verdict.largest, float(apart.max()), float((v != w).any()))
    if x.shape[1] > 1:
        flipped = np.flatnonzero((x.argmax(axis=1) != y.argmax(axis=1)) & v.all(axis=1))
        ranked = np.sort(x, axis=1)
        names = info.channels.names
        verdict.flips += [
            {"sample": int(both[k]), "recorded": names[int(x[k].argmax()) % len(names)],
             "replayed": names[int(y[k].argmax()) % len(names)], "margin": float(ranked[k, -1] - ranked[k, -2])}
            for k in flipped[:SHOWN]
        ]  # fmt: skip


def _key(index: Array) -> Array:
    """Return a number for each of growing indices, another one for each of those that are equal."""
    return index * MOST + np.arange(len(index)) - np.searchsorted(index, index)


def _newest(info: Any, index: Array) -> Array:
    """Return the newest source sample of each output."""
    return np.array([info.origin.newest(int(k)) for k in index], np.int64) if info.rate else index


def _watched(there: Array, again: Array, unwatched: Sequence[int]) -> Array:
    """Say which replayed decisions can be expected: not those behind the last of a session that was broken off."""
    keep = np.ones(len(again), bool)
    for stop in unwatched:
        last = there[there < stop].max(initial=-1)
        keep &= ~((again > last) & (again < stop))
    return keep


def _proven(there: Array, inputs: Inputs, source: str) -> Array:
    """Say which recorded decisions have their samples: a recorder that is killed may have written more of them."""
    keep = np.ones(len(there), bool)
    named = [info.name for info in inputs.infos]
    ends = [b for _, b in inputs.raw[named.index(source) if source in named else 0].stretches]
    for stop in inputs.unwatched:
        last = max((b for b in ends if b <= stop), default=0)
        keep &= ~((there >= last) & (there < stop))
    return keep


def _differ(verdict: Verdict, sample: int, recorded: Any, replayed: Any, what: str) -> None:
    verdict.identical = False
    if len(verdict.differences) < SHOWN:
        verdict.differences.append({"what": what, "sample": sample, "recorded": recorded, "replayed": replayed})


@dataclass(kw_only=True)
class Shadow:
    """Two graphs on the same recorded inputs.

    Parameters
    ----------
    decisions
        Instants at which both decided.
    agree
        Of these, where the largest scores have one name (or, for one number each, the correlation of the two).
    only_recorded, only_other
        Valid decisions that one alone made.
    counts
        ``recorded -> other``: how often.
    """

    decisions: int = 0
    agree: float = float("nan")
    only_recorded: int = 0
    only_other: int = 0
    counts: dict[str, int] = field(default_factory=dict)


def shadow(replayed: Replayed, other: Stage, advance: Callable[[float], None] = lambda _: None) -> Shadow:
    """Let another graph decide on the inputs of a recorded session, and compare.

    Parameters
    ----------
    replayed
        The session.
    other
        The graph; fitted, for the same inputs.
    advance
        Called with the number of samples that have flowed in; each flows twice.
    """
    mine, mine_out = replayed.decisions(None, None, advance)
    theirs, theirs_out = replayed.decisions(other, None, advance)
    (i, x, v), (j, y, w) = _at_source(mine, mine_out), _at_source(theirs, theirs_out)
    i, x, j, y = i[v], x[v], j[w], y[w]
    both, a, b = np.intersect1d(i, j, return_indices=True)
    found = Shadow(decisions=len(both), only_recorded=len(i) - len(both), only_other=len(j) - len(both))
    if not len(both):
        return found
    x, y = x[a], y[b]
    if x.shape[1] > 1 and y.shape[1] > 1:
        p = [mine.channels.names[k] for k in x.argmax(axis=1)]
        q = [theirs.channels.names[k] for k in y.argmax(axis=1)]
        found.agree = float(np.mean([s == t for s, t in zip(p, q, strict=True)]))
        for s, t in zip(p, q, strict=True):
            found.counts[f"{s} -> {t}"] = found.counts.get(f"{s} -> {t}", 0) + 1
    elif len(both) > 1:
        found.agree = float(np.corrcoef(x[:, 0], y[:, 0])[0, 1])
    return found


def _at_source(info: Any, blocks: list[Block]) -> Rows:
    """Return the source sample of each decision, its numbers, and whether all of them are valid."""
    index, data, valid = _rows(info, blocks)
    index = _newest(info, index)
    flat = data.reshape(len(data), -1)
    good: Array = np.asarray(valid.reshape(len(flat), -1).all(axis=1))
    return index, flat, good
