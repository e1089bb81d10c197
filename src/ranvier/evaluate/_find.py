"""Find: which recordings of some files and folders a protocol means, and what is split by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ranvier.errors import ConfigError, ContractError, FormatError
from ranvier.evaluate._leak import fingerprint
from ranvier.evaluate._protocol import Protocol
from ranvier.evaluate._splits import COLUMNS
from ranvier.evaluate._table import Table, fits
from ranvier.evaluate._unit import Unit
from ranvier.stream import Entities, EventInfo, Events, Recording, StreamInfo, Targets

ENTITIES = ("subject", "session", "run", "task")


@dataclass(frozen=True, eq=False)
class Named:
    """A recording with the entities that a protocol gives it."""

    base: Recording
    entities: Entities

    @property
    def info(self) -> StreamInfo:
        return self.base.info

    @property
    def event_info(self) -> EventInfo:
        return self.base.event_info

    @property
    def events(self) -> Events:
        return self.base.events

    @property
    def n_samples(self) -> int:
        return self.base.n_samples

    def blocks(self, size: int, start: int = 0, stop: int | None = None) -> Any:
        """Yield the signal in blocks of `size` samples."""
        return self.base.blocks(size, start, stop)


@dataclass(frozen=True)
class Source:
    """Where a recording comes from: a file and which part of it, so that another process can open it again."""

    path: str
    part: int | None = None

    @property
    def name(self) -> str:
        """What rows call it: the file's name, and the part's run."""
        return Path(self.path).name + ("" if self.part is None else f"#{self.part}")


def open_source(protocol: Protocol, source: Source) -> Recording:
    """Open a recording as the protocol says."""
    from ranvier import record

    if source.part is None:
        return record.open(source.path, **protocol.open)
    part = dict(protocol.parts[source.part])
    options = dict(protocol.open)
    for key, value in part.pop("open", {}).items():
        both = isinstance(value, Mapping) and isinstance(options.get(key), Mapping)
        options[key] = {**options[key], **value} if both else value
    rec = record.open(source.path, **options)
    return Named(rec, replace(rec.entities, **part))


def sources(protocol: Protocol, paths: Iterable[str | Path]) -> tuple[list[Source], list[dict[str, str]]]:
    """Return the recordings that fit, in the order of their names, and what was left out and why."""
    from ranvier import record

    found: list[tuple[Path, bool]] = []
    suffixes = tuple({s.lower() for f in record.formats() for s in f.suffixes})
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(suffixes))
            found += [(p, False) for p in inside]
        else:
            found.append((path, True))
    out, skipped = [], []
    for path, asked in found:
        for part in range(len(protocol.parts)) if protocol.parts else (None,):
            source = Source(str(path), part)
            try:
                why = _misfit(protocol, source)
            except FormatError as e:
                if asked:
                    raise
                why = str(e)
            if why and asked and not any(getattr(protocol.use, k) for k in ENTITIES):
                raise ContractError(f"{source.name}: {why}. Leave it out.")
            if why:
                skipped.append({"recording": source.name, "why": why})
            else:
                out.append(source)
    if not out:
        listed = "; ".join(f"{s['recording']}: {s['why']}" for s in skipped[:5]) or "no file of a known kind"
        raise ConfigError(f"{protocol.name!r} needs recordings that fit; got none ({listed}). Check the paths.")
    return out, skipped


def _misfit(protocol: Protocol, source: Source) -> str:
    """Return why a recording is not meant; empty where it is."""
    rec = open_source(protocol, source)
    for key in ENTITIES:
        if not fits(getattr(rec.entities, key), getattr(protocol.use, key)):
            return f"{key} {getattr(rec.entities, key)!r} is not among {', '.join(getattr(protocol.use, key))}"
    if protocol.trials is not None and protocol.trials.find(rec) is None:
        known = ", ".join(list(rec.event_info.labels.values())[:8]) or "none"
        return f"no event fits {', '.join(protocol.trials.labels)}; its labels are {known}"
    if protocol.targets is not None:
        names = [i for p in protocol.targets.channels for i in rec.info.channels.find(p)]
        if not names:
            return f"no channel fits {', '.join(protocol.targets.channels)}"
    return ""


def targets_of(rec: Recording, patterns: Sequence[str]) -> Targets:
    """Return the channels that fit as what is to be followed."""
    index = list(dict.fromkeys(i for p in patterns for i in rec.info.channels.find(p)))
    values = np.zeros((rec.n_samples, len(index)))
    for block in rec.blocks(1 << 14):
        values[block.start : block.stop] = block.data[:, index]
    chosen = rec.info.channels.take(index)
    return Targets(names=tuple(chosen.names), units=tuple(chosen.units), values=values)


def group(protocol: Protocol, recordings: Sequence[Recording]) -> list[list[int]]:
    """Return which recordings are split together."""
    columns = COLUMNS[str(protocol.split.within)]
    out: dict[tuple[str, ...], list[int]] = {}
    for i, rec in enumerate(recordings):
        key = tuple(str(i) if c == "recording" else str(getattr(rec.entities, c)) for c in columns)
        out.setdefault(key, []).append(i)
    return list(out.values())


def make_unit(protocol: Protocol, recordings: Sequence[Recording], names: Sequence[str]) -> Unit:
    """Find trials or targets in the recordings of one unit."""
    if protocol.targets is not None:
        goals = tuple(targets_of(r, protocol.targets.channels) for r in recordings)
        return Unit(tuple(recordings), tuple(names), targets=goals)
    tables = []
    for rec, name in zip(recordings, names, strict=True):
        table = protocol.trials.find(rec) if protocol.trials is not None else None
        if table is None:
            raise ContractError(f"{name} has no event that the protocol's trials.labels fit. Leave it out.")
        tables.append(table)
    return Unit(tuple(recordings), tuple(names), Table.join(tables))


def digest_of(rec: Recording) -> str:
    """Return a hash of a recording: of its files, where it can say."""
    base = rec.base if isinstance(rec, Named) else rec
    digest = getattr(base, "digest", None)
    return str(digest()) if digest is not None else fingerprint(rec)
